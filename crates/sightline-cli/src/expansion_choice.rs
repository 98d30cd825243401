//! From the expansion options to what is done before descriptors are compared.

use crate::args::ExpansionArgs;
use crate::output::usage;
use crate::spatial_choice;
use sightline::Aligned;
use sightline::card::{Card, ExpansionIdentity, NeighbourIdentity};
use sightline::dataset::suggestion;
use sightline::descriptor::{DescriptorSet, Expansion};
use sightline::local::spatial::SpatialReranking;
use sightline::search::Rows;

/// The re-rankers of `--rerank`.
const METHODS: [&str; 2] = ["aqe", "spatial"];
/// The keys of an expansion.
const KEYS: [&str; 2] = ["k", "alpha"];
/// The largest alpha: a similarity of 0.99 to this power is 4e-5.
const MOST_ALPHA: u32 = 1000;

/// What was asked for: augmentation first, then query expansion against the augmented database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    dba: Option<Expansion>,
    aqe: Option<Expansion>,
    /// Spatial verification of the first answers, which changes no descriptor.
    pub(crate) spatial: Option<SpatialReranking>,
}

/// Reads the options.
pub(crate) fn chosen(args: &ExpansionArgs) -> anyhow::Result<Chosen> {
    let pair = |option: &str, values: &[u32]| match values {
        [k, alpha] => Some(expansion(option, *k, *alpha)).transpose(),
        _ => Ok(None),
    };
    let dba = args.dba.as_deref().map(|text| settings("--dba", text));
    let (method, rest) = match args.rerank.as_deref() {
        Some(text) => text.split_once(':').unwrap_or((text, "")),
        None => ("", ""),
    };
    let (aqe, spatial) = match (&args.rerank, method) {
        (None, _) => (None, None),
        (Some(_), "aqe") => (Some(settings("--rerank aqe", rest)), None),
        (Some(_), "spatial") => (None, Some(spatial_choice::spatial(rest)?)),
        (Some(text), _) => {
            return Err(usage(format!(
                "--rerank {text}: there is no re-ranking `{method}`; there are {}{}",
                METHODS.join(", "),
                suggestion(method, METHODS)
            )));
        }
    };
    if spatial.is_none() && args.rerank_features.is_some() {
        return Err(usage("--rerank-features belongs to --rerank spatial"));
    }
    // No neighbours change nothing, so that the card need not say it.
    let some = |one: Option<Expansion>| one.filter(|one| one.k > 0);
    Ok(Chosen {
        dba: some(dba.transpose()?.or(pair("--adba", &args.adba)?)),
        aqe: some(aqe.transpose()?.or(pair("--aqe", &args.aqe)?)),
        spatial,
    })
}

/// `k=10,alpha=3`, both needed and each once.
fn settings(option: &str, text: &str) -> anyhow::Result<Expansion> {
    let mut found = [None; 2];
    for part in text.split(',').filter(|part| !part.trim().is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (key.trim(), value.trim());
        let Some(index) = KEYS.iter().position(|known| *known == key) else {
            return Err(usage(format!(
                "{option}: there is no key `{key}`; there are {}{}",
                KEYS.join(" and "),
                suggestion(key, KEYS)
            )));
        };
        let number: u32 = value.parse().map_err(|_| {
            usage(format!(
                "{option}: {key}={value} should be a whole number from 0, such as {key}=3"
            ))
        })?;
        if found[index].replace(number).is_some() {
            return Err(usage(format!("{option}: {key} is given twice")));
        }
    }
    match found {
        [Some(k), Some(alpha)] => expansion(option, k, alpha),
        _ => Err(usage(format!(
            "{option} needs k (neighbours) and alpha (the power of their similarity), such as k=10,alpha=3"
        ))),
    }
}

fn expansion(option: &str, k: u32, alpha: u32) -> anyhow::Result<Expansion> {
    if alpha > MOST_ALPHA {
        return Err(usage(format!(
            "{option}: alpha is {alpha}, and above {MOST_ALPHA} no neighbour but an equal one would weigh anything"
        )));
    }
    Ok(Expansion { k: k as usize, alpha })
}

/// Rows of an evaluation after expansion; none where they stay as they are.
pub(crate) struct Expanded<'a> {
    pub(crate) queries: Option<Aligned<'a>>,
    pub(crate) database: Option<Aligned<'a>>,
}

/// The same for a search.
pub(crate) struct ExpandedRows {
    pub(crate) queries: Option<Vec<f32>>,
    pub(crate) database: Option<Vec<f32>>,
}

impl Chosen {
    /// Whether anything was asked for that changes descriptors.
    pub(crate) fn changes_something(self) -> bool {
        self.dba.is_some() || self.aqe.is_some()
    }

    /// Whether every image of the database is added its nearest others.
    pub(crate) fn augments(self) -> bool {
        self.dba.is_some()
    }

    /// Augments the database, then expands the queries by it and by the distractors behind it, which are not augmented.
    pub(crate) fn apply<'a>(
        self,
        queries: &Aligned<'a>,
        database: &Aligned<'a>,
        distractors: &[DescriptorSet],
    ) -> anyhow::Result<Expanded<'a>> {
        let augmented = match self.dba {
            Some(dba) => {
                Some(database.with_rows(dba.augment(database.rows()).map_err(sightline::Error::from)?))
            }
            None => None,
        };
        let mut sets = vec![augmented.as_ref().unwrap_or(database).rows()];
        sets.extend(distractors.iter().map(DescriptorSet::rows));
        let expanded = match self.aqe {
            Some(aqe) => {
                let rows = aqe
                    .expand_among(queries.rows(), &sets)
                    .map_err(sightline::Error::from)?;
                Some(queries.with_rows(rows))
            }
            None => None,
        };
        Ok(Expanded {
            queries: expanded,
            database: augmented,
        })
    }

    /// The same for a search.
    pub(crate) fn apply_to_rows(self, queries: Rows<'_>, database: Rows<'_>) -> anyhow::Result<ExpandedRows> {
        let augmented = self
            .dba
            .map(|dba| dba.augment(database))
            .transpose()
            .map_err(sightline::Error::from)?;
        let wide = augmented
            .as_ref()
            .map_or(database, |rows| Rows::f32(rows, database.dim));
        let expanded = self
            .aqe
            .map(|aqe| aqe.expand(queries, wide))
            .transpose()
            .map_err(sightline::Error::from)?;
        Ok(ExpandedRows {
            queries: expanded,
            database: augmented,
        })
    }

    /// The card of what was made of descriptors with that card.
    pub(crate) fn card(self, mut card: Card) -> Card {
        let stated = |one: Expansion| NeighbourIdentity {
            k: one.k,
            alpha: one.alpha,
        };
        if self.changes_something() {
            card.identity.expansion = Some(ExpansionIdentity {
                dba: self.dba.map(stated),
                aqe: self.aqe.map(stated),
            });
        }
        card
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_the_same() {
        let ours = ExpansionArgs {
            rerank: Some("aqe:alpha=3,k=10".to_owned()),
            dba: Some("k=2, alpha=0".to_owned()),
            ..ExpansionArgs::default()
        };
        let theirs = ExpansionArgs {
            aqe: vec![10, 3],
            adba: vec![2, 0],
            ..ExpansionArgs::default()
        };
        let (ours, theirs) = (chosen(&ours).unwrap(), chosen(&theirs).unwrap());
        assert_eq!((ours.aqe, ours.dba), (theirs.aqe, theirs.dba));
        assert_eq!(ours.aqe, Some(Expansion { k: 10, alpha: 3 }));
    }
}
