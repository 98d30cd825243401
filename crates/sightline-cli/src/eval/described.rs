//! The descriptors of both sides of an evaluation: read from sets, or made with a model.

use crate::args::{EvalArgs, Side};
use crate::extract::printable;
use crate::output::usage;
use crate::pictures::Found;
use crate::progress::Screen;
use crate::{model_choice, pictures, whitening_choice};
use sightline::Describer;
use sightline::card::{refuse_to_mix, remarks};
use sightline::dataset::Dataset;
use sightline::descriptor::{DescriptorSet, open_sides};
use sightline::extract::Skipped;
use std::path::Path;

/// Descriptors of both sides, and what could not be described.
pub(super) struct Described {
    pub(super) database: DescriptorSet,
    /// None where the database queries itself.
    pub(super) queries: Option<DescriptorSet>,
    pub(super) missing: Vec<Skipped>,
}

/// Describes or reads both sides; sets that were not made alike are refused.
pub(super) fn described(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    screen: &Screen,
) -> anyhow::Result<Described> {
    let described = match &args.features {
        Some(path) => from_sets(path, args.query_features.as_deref(), dataset)?,
        None if args.model.model.is_none() => {
            return Err(usage(
                "--query-features goes with --features, the database's descriptors",
            ));
        }
        None => from_model(args, threads, dataset, screen)?,
    };
    if let Some(queries) = &described.queries {
        check_alike(&described.database, queries, screen)?;
    }
    match (&args.model.whiten, &args.features) {
        // A model whitens as it describes.
        (Some(wanted), Some(_)) => whiten(wanted, args, described, screen),
        _ => Ok(described),
    }
}

/// Whitens both sides, in memory.
fn whiten(wanted: &str, args: &EvalArgs, sides: Described, screen: &Screen) -> anyhow::Result<Described> {
    if !args.distractors.is_empty() {
        return Err(usage(
            "--whiten with --features and --distractors: whiten the three sets with `sightline whiten apply` first",
        ));
    }
    let how = whitening_choice::of_model(&args.model, model_choice::EVALUATING);
    let database = whitening_choice::whiten(&[], wanted, &how, &sides.database, screen)?;
    let queries = match &sides.queries {
        Some(queries) => Some(whitening_choice::whiten(&[], wanted, &how, queries, screen)?),
        None => None,
    };
    Ok(Described {
        database,
        queries,
        ..sides
    })
}

/// Refuses two sets whose cards say that they were not made alike. Differing circumstances are remarked upon.
pub(super) fn check_alike(
    database: &DescriptorSet,
    other: &DescriptorSet,
    screen: &Screen,
) -> anyhow::Result<()> {
    if let (Some(left), Some(right)) = (database.card(), other.card()) {
        let name = |set: &DescriptorSet| set.source().display().to_string();
        refuse_to_mix(&name(database), left, &name(other), right)?;
        for difference in remarks(left, right) {
            screen.say(&format!("remark: {difference}"));
        }
    }
    Ok(())
}

fn from_sets(features: &Path, query_features: Option<&Path>, dataset: &Dataset) -> anyhow::Result<Described> {
    let (database, beside) = open_sides(features)?;
    let queries = match (query_features, dataset.gallery_queries_itself()) {
        (Some(path), false) => Some(DescriptorSet::open(path)?),
        (None, true) => None,
        (None, false) if beside.is_some() => beside,
        (None, false) => {
            return Err(usage(format!(
                "{} has queries of its own: name their descriptors with --query-features",
                dataset.name
            )));
        }
        (Some(_), true) => {
            return Err(usage(format!(
                "in {} the images query themselves: leave --query-features out",
                dataset.name
            )));
        }
    };
    Ok(Described {
        database,
        queries,
        missing: Vec::new(),
    })
}

fn from_model(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    screen: &Screen,
) -> anyhow::Result<Described> {
    let model = model_choice::model(&args.model, screen)?;
    let mut describer = model_choice::describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        model_choice::EVALUATING,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let mut missing = Vec::new();
    let mut describe = |side: Side, what: &'static str| -> anyhow::Result<DescriptorSet> {
        let found = pictures::of_dataset(dataset, args.images.as_deref(), side)?;
        describe_side(found, &mut describer, what, &mut missing, screen)
    };
    let database = describe(Side::Database, "database")?;
    let queries = if dataset.gallery_queries_itself() {
        None
    } else {
        Some(describe(Side::Queries, "queries")?)
    };
    Ok(Described {
        database,
        queries,
        missing,
    })
}

/// Describes one side in memory, some pictures at a time so that progress shows.
pub(crate) fn describe_side(
    found: Found,
    describer: &mut Describer,
    what: &'static str,
    missing: &mut Vec<Skipped>,
    screen: &Screen,
) -> anyhow::Result<DescriptorSet> {
    missing.extend(found.missing);
    let bar = screen.bar(found.pictures.len() as u64, what);
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for pictures in found.pictures.chunks(64) {
        for (picture, described) in pictures.iter().zip(describer.describe(pictures)?) {
            match described {
                Ok(row) => {
                    names.push(picture.name.clone());
                    rows.extend(row);
                }
                Err(reason) => {
                    screen.warn(&format!(
                        "{}: {reason}",
                        printable(&picture.path.display().to_string())
                    ));
                    let path = picture.path.display().to_string();
                    missing.push(Skipped {
                        name: picture.name.clone(),
                        path,
                        reason,
                    });
                }
            }
        }
        bar.inc(pictures.len() as u64);
    }
    bar.finish_and_clear();
    let card = describer.card();
    Ok(DescriptorSet::from_rows(
        names,
        card.identity.dim,
        rows,
        Some(card.clone()),
    )?)
}
