//! The files that a row needs, where they are looked for, and how to get them; the command that evaluates it.

use super::row::Row;
use crate::args::{ReproduceArgs, Side};
use crate::pictures;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Where everything of a row is looked for.
pub(crate) struct Places {
    pub(crate) data_root: PathBuf,
    pub(crate) model: PathBuf,
    pub(crate) distractors: Option<PathBuf>,
    images: Option<PathBuf>,
    device: String,
}

/// A file that is not there.
#[derive(Debug, Serialize)]
pub(crate) struct Missing {
    pub(crate) what: String,
    /// Where it was looked for.
    pub(crate) place: String,
    /// The commands that bring it.
    pub(crate) get: Vec<String>,
}

impl Places {
    pub(crate) fn of(row: &Row, args: &ReproduceArgs) -> Self {
        let data_root = sightline::dataset::pull::data_root(args.data_root.as_deref())
            .unwrap_or_else(|| PathBuf::from("data"));
        let models = args.models.clone().unwrap_or_else(|| data_root.join("networks"));
        let distractors = row.distractors.as_ref().map(|name| {
            let usual = || data_root.join(name).join(format!("{}.safetensors", row.model));
            args.distractors.clone().unwrap_or_else(usual)
        });
        Self {
            model: if row.file == "seeded" {
                PathBuf::from("seeded")
            } else {
                models.join(&row.file)
            },
            distractors,
            data_root,
            images: args.images.clone(),
            device: args.device.clone(),
        }
    }

    /// How the row's pictures are described: the options that `eval` and `extract` share.
    fn described(&self, row: &Row) -> Vec<String> {
        let mut line = vec!["--model".to_owned(), text(&self.model)];
        let mut add = |option: &str, value: String| line.extend([option.to_owned(), value]);
        if row.file == "seeded" {
            add("--arch", row.architecture.clone());
        }
        add("--recipe", row.recipe.clone());
        if let Some(size) = row.size {
            add("--size", size.to_string());
        }
        if !row.scales.is_empty() {
            let scales: Vec<String> = row.scales.iter().map(f64::to_string).collect();
            add("--scales", scales.join(","));
        }
        if let Some(name) = &row.whiten {
            add("--whiten", name.clone());
        }
        if let Some(power) = row.whitenp {
            add("--whitenp", power.to_string());
        }
        for transforms in &row.trfs {
            add("--trfs", transforms.clone());
        }
        if self.device != "cpu" {
            add("--device", self.device.clone());
        }
        line
    }

    /// The command that evaluates the row.
    pub(crate) fn evaluation(&self, row: &Row) -> Vec<String> {
        let mut line: Vec<String> = ["sightline", "eval", "--dataset", &row.dataset, "--data-root"]
            .map(str::to_owned)
            .into();
        line.push(text(&self.data_root));
        if let Some(images) = &self.images {
            line.extend(["--images".to_owned(), text(images)]);
        }
        line.extend(self.described(row));
        if let Some(set) = &self.distractors {
            line.extend(["--distractors".to_owned(), text(set)]);
        }
        if let Some(expansion) = &row.expansion {
            line.extend(["--rerank".to_owned(), expansion.clone()]);
        }
        line.extend(["--protocol".to_owned(), row.protocol.clone()]);
        line
    }

    /// What is not there.
    pub(crate) fn missing(&self, row: &Row) -> Vec<Missing> {
        let root = shell(&text(&self.data_root));
        let mut missing = Vec::new();
        if row.file != "seeded" && !self.model.is_file() {
            missing.push(Missing {
                what: format!("weights of {}", row.model),
                place: text(&self.model),
                get: vec![format!(
                    "sightline model pull {} --data-root {root}",
                    shell(&row.model)
                )],
            });
        }
        if let Some(place) = self.without_pictures(row) {
            missing.push(Missing {
                what: format!("the data set {}", row.dataset),
                place,
                get: vec![format!(
                    "sightline dataset pull {} --data-root {root}",
                    shell(&row.dataset)
                )],
            });
        }
        if let (Some(name), Some(set)) = (&row.distractors, &self.distractors)
            && !set.is_file()
        {
            let folder = self.data_root.join(name);
            let mut extract: Vec<String> = vec!["sightline".into(), "extract".into()];
            extract.push(text(&folder.join(format!("{name}.txt"))));
            extract.extend(["--images".to_owned(), text(&folder.join("jpg"))]);
            extract.extend(["-o".to_owned(), text(set), "--half".to_owned()]);
            extract.extend(self.described(row));
            missing.push(Missing {
                what: format!("descriptors of the distractors {name}"),
                place: text(set),
                get: vec![
                    format!("sightline dataset pull {} --data-root {root}", shell(name)),
                    command_line(&extract),
                ],
            });
        }
        missing
    }

    /// What keeps the data set from being evaluated: it is not there, or its pictures are not.
    fn without_pictures(&self, row: &Row) -> Option<String> {
        let images = self.images.as_deref();
        let dataset = match pictures::open(&row.dataset, Some(&self.data_root), images) {
            Ok(dataset) => dataset,
            Err(error) => return Some(error.to_string()),
        };
        match pictures::of_dataset(&dataset, images, Side::Database) {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A command as it is typed.
pub(crate) fn command_line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| shell(word)).collect();
    words.join(" ")
}

/// A word for a shell.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,:=@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
