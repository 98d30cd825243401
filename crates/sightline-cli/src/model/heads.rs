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
    rerankers: Vec<RerankerEntry>,
}

/// A network that puts rankings in order.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RerankerEntry {
    name: String,
    /// As typed behind `--rerank`.
    example: String,
    what: String,
    paper: String,
    files: String,
    /// Where weights are.
    weights: String,
    /// The project in `reproduce`'s rows.
    project: String,
    page: String,
}

/// A re-ranker with the rows of `reproduce` that were published for it.
#[derive(Debug, Serialize)]
struct ListedReranker {
    #[serde(flatten)]
    entry: RerankerEntry,
    published: Vec<Row>,
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
    rerankers: Vec<ListedReranker>,
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
        let (reranked, rows): (Vec<Row>, Vec<Row>) = rows(None)?
            .into_iter()
            .partition(|row| table.rerankers.iter().any(|entry| entry.project == row.project));
        let mut published: Vec<(String, Row)> = Vec::new();
        for row in rows {
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
        let heads = heads.collect();
        let named = |entry: &RerankerEntry| word.is_none_or(|word| entry.name.contains(word));
        let rerankers = table.rerankers.into_iter().filter(named).map(|entry| {
            let of_it = |row: &&Row| row.project == entry.project;
            ListedReranker {
                published: reranked.iter().filter(of_it).cloned().collect(),
                entry,
            }
        });
        Ok(Self {
            trunks: Trunk::names(),
            heads,
            rerankers: rerankers.collect(),
        })
    }

    /// Whether nothing was asked for by that word.
    pub(super) fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.rerankers.is_empty()
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
            let mut fact = |name: &str, value: &str| add(&mut text, name, value);
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
            add_figures(&mut text, &entry.heads[0], published, all_figures);
            add(&mut text, "page", &entry.page);
        }
        for ListedReranker { entry, published } in &self.rerankers {
            let _ = writeln!(text, "{} (re-ranking): {}", entry.name, entry.what);
            let example = format!("--rerank {}", entry.example);
            let facts = [
                ("example", &example),
                ("paper", &entry.paper),
                ("loads", &entry.files),
                ("weights", &entry.weights),
            ];
            facts.iter().for_each(|(name, value)| add(&mut text, name, value));
            add_figures(&mut text, &entry.name, published, all_figures);
            add(&mut text, "page", &entry.page);
        }
        text
    }
}

fn add(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "    {name:<8} {value}");
}

/// All figures, or how to see them.
fn add_figures(text: &mut String, word: &str, published: &[Row], all: bool) {
    match published.len() {
        0 => {}
        count if !all => {
            let rows = format!("{count} published rows; `sightline model list {word}` prints them");
            add(text, "figures", &rows);
        }
        _ => published
            .iter()
            .for_each(|row| add(text, "figures", &figures(row))),
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
