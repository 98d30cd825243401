//! What `model list` says of each head: its paper, whose files it loads, its published figures, where weights are.

use crate::reproduce::{Row, rows};
use serde::{Deserialize, Serialize};
use sightline::dataset::pull::Table;
use sightline::nn::{Architecture, Trunk};
use std::fmt::Write as _;

const TABLE: &str = include_str!("../../tables/heads.json");

/// The version of the table's form.
const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadTable {
    format_version: u32,
    heads: Vec<HeadEntry>,
}

/// Heads that one sentence describes.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HeadEntry {
    /// Their names.
    heads: Vec<String>,
    /// An architecture with one of them.
    example: String,
    what: String,
    paper: String,
    /// Whose files it loads.
    files: String,
    /// The recipe of its project.
    recipe: String,
    /// The authors' weights, as `model pull` knows them.
    weights: Vec<String>,
    /// The page that says more.
    page: String,
}

/// A head with the rows of `reproduce` that were published for it.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    #[serde(flatten)]
    entry: HeadEntry,
    /// Where the authors publish weights.
    weights_at: Vec<String>,
    published: Vec<Row>,
}

/// Everything that `model list` says of networks.
#[derive(Debug, Serialize)]
pub(super) struct Networks {
    /// Names that may stand before the `/`.
    trunks: Vec<&'static str>,
    heads: Vec<Listed>,
}

impl Networks {
    /// The heads whose name contains that word (all without one), with the addresses of that table.
    ///
    /// # Errors
    /// When a table that is built in cannot be read.
    pub(super) fn list(word: Option<&str>, addresses: &Table) -> anyhow::Result<Self> {
        let table: HeadTable = serde_json::from_str(TABLE)?;
        anyhow::ensure!(
            table.format_version == FORMAT_VERSION,
            "The table of heads has another format version than this program."
        );
        let mut published: Vec<(String, Row)> = Vec::new();
        for row in rows(None)? {
            let architecture = Architecture::parse(&row.architecture)?;
            published.push((architecture.head().name().to_owned(), row));
        }
        let wanted = |entry: &HeadEntry| {
            let names = || entry.heads.iter().chain([&entry.example]);
            word.is_none_or(|word| names().any(|name| name.contains(word)))
        };
        let heads = table.heads.into_iter().filter(wanted).map(|entry| {
            let of_it = |(head, row): &(String, Row)| entry.heads.contains(head).then(|| row.clone());
            let pages = entry.weights.iter().filter_map(|name| addresses.entry(name));
            let mut weights_at: Vec<String> = pages.filter_map(|entry| entry.page.clone()).collect();
            weights_at.dedup();
            Listed {
                published: published.iter().filter_map(of_it).collect(),
                weights_at,
                entry,
            }
        });
        Ok(Self {
            trunks: Trunk::names(),
            heads: heads.collect(),
        })
    }

    /// Whether no head was asked for by that word.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// For people; all figures where one head was asked for, their number otherwise.
    pub(super) fn text(&self, all_figures: bool) -> String {
        let mut text = String::from("Networks: TRUNK[:STAGE]/HEAD[-OPTIONS], options in docs/networks.md\n");
        let _ = writeln!(text, "Trunks: {}\n", self.trunks.join(", "));
        for Listed {
            entry,
            weights_at,
            published,
        } in &self.heads
        {
            let _ = writeln!(text, "{}: {}", entry.heads.join(", "), entry.what);
            let mut fact = |name: &str, value: &str| {
                let _ = writeln!(text, "    {name:<8} {value}");
            };
            fact(
                "example",
                &format!("--arch {} --recipe {}", entry.example, entry.recipe),
            );
            fact("paper", &entry.paper);
            fact("loads", &entry.files);
            if !entry.weights.is_empty() {
                let from = weights_at.join(", ");
                fact(
                    "weights",
                    &format!("model pull {} (from {from})", entry.weights.join(" ")),
                );
            }
            match published.len() {
                0 => {}
                count if !all_figures => {
                    let word = &entry.heads[0];
                    fact(
                        "figures",
                        &format!("{count} published rows; `sightline model list {word}` prints them"),
                    );
                }
                _ => published.iter().for_each(|row| fact("figures", &figures(row))),
            }
            fact("page", &entry.page);
        }
        text
    }
}

/// `roxford5k: mAP-medium 82.16, mAP-hard 65.75 (reproduce token-r101-roxford5k)`
fn figures(row: &Row) -> String {
    let values: Vec<String> = row
        .published
        .iter()
        .map(|figure| format!("{} {}", figure.metric, figure.value))
        .collect();
    format!("{}: {} (reproduce {})", row.dataset, values.join(", "), row.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline::dataset::pull::Kind;
    use sightline::nn::Head;

    fn addresses() -> Table {
        Table::embedded(Kind::Models).unwrap()
    }

    #[test]
    fn every_head_is_listed_and_no_other() {
        let networks = Networks::list(None, &addresses()).unwrap();
        let mut listed: Vec<&str> = networks
            .heads
            .iter()
            .flat_map(|listed| listed.entry.heads.iter().map(String::as_str))
            .collect();
        let mut known = Head::names();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn what_the_table_names_exists() {
        let (addresses, root) = (
            addresses(),
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
        );
        for Listed { entry, .. } in Networks::list(None, &addresses).unwrap().heads {
            Architecture::parse(&entry.example).unwrap();
            sightline::image::recipe::Recipe::named(&entry.recipe).unwrap();
            assert!(root.join(&entry.page).is_file(), "{}", entry.page);
            for name in &entry.weights {
                assert!(addresses.entry(name).is_some(), "{name}");
            }
        }
    }
}
