//! Published rows: what was evaluated, how, with which result, and where that stands.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The rows that are built in.
const TABLE: &str = include_str!("../../tables/reproduce.json");

/// The version of the table's form.
const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    format_version: u32,
    rows: Vec<Row>,
}

/// One published row.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Whose code made the figures.
    pub(crate) project: String,
    pub(crate) paper: String,
    /// The model as `model pull` knows it.
    pub(crate) model: String,
    /// Its file; `seeded` for a network with random weights.
    pub(crate) file: String,
    /// For reading and for seeded networks; a checkpoint says its own.
    pub(crate) architecture: String,
    /// Whether the checkpoint does not say its own, so that the command names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) named: bool,
    pub(crate) dataset: String,
    pub(crate) protocol: String,
    pub(crate) recipe: String,
    /// Longer side at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u32>,
    /// dirtorch's transform texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) trfs: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) scales: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) whiten: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) whitenp: Option<f64>,
    /// Query expansion, as `eval --rerank` reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expansion: Option<String>,
    /// Name of the set of distractors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) distractors: Option<String>,
    /// Commands that evaluate it one after another, where one `eval` does not (local features, weights that nobody publishes); they are shown, not run.
    /// `MODEL` stands for the weights, `ROOT` for the data root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) steps: Vec<String>,
    /// Whether the figures are percentages.
    pub(crate) percent: bool,
    pub(crate) published: Vec<Published>,
    /// Where the figures stand.
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// One published figure, with the digits that were printed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Published {
    pub(crate) metric: String,
    pub(crate) value: String,
}

impl Published {
    /// The figure as a number; tables are checked when they are read.
    pub(crate) fn number(&self) -> f64 {
        self.value.parse().unwrap_or(f64::NAN)
    }

    /// Digits after the point.
    pub(crate) fn digits(&self) -> usize {
        self.value.split_once('.').map_or(0, |(_, digits)| digits.len())
    }
}

/// The rows of a table file, or those built in.
pub(crate) fn rows(table: Option<&Path>) -> anyhow::Result<Vec<Row>> {
    match table {
        None => read(TABLE).context("the table of rows that is built in cannot be read"),
        Some(path) => {
            let reading = || format!("the table of rows {} cannot be read", path.display());
            read(&std::fs::read_to_string(path).with_context(reading)?).with_context(reading)
        }
    }
}

fn read(text: &str) -> anyhow::Result<Vec<Row>> {
    let table: Table = serde_json::from_str(text)?;
    if table.format_version != FORMAT_VERSION {
        anyhow::bail!(
            "It has format version {}, and this program knows version {FORMAT_VERSION}.",
            table.format_version
        );
    }
    for (index, row) in table.rows.iter().enumerate() {
        if table.rows[..index].iter().any(|other| other.name == row.name) {
            anyhow::bail!("It names the row `{}` twice.", row.name);
        }
        for figure in &row.published {
            if !figure.value.parse::<f64>().is_ok_and(f64::is_finite) {
                anyhow::bail!(
                    "The row `{}` publishes {} as `{}`, which is no number.",
                    row.name,
                    figure.metric,
                    figure.value
                );
            }
        }
    }
    Ok(table.rows)
}
