//! The files that a row needs, where they are looked for, and how to get them; the command that evaluates it.

use super::row::Row;
use crate::args::{ReproduceArgs, Side};
use crate::pictures;
use serde::Serialize;
use sightline::dataset::pull::{Kind, Table, known_roots};
use std::path::{Path, PathBuf};

/// Where everything of a row is looked for.
pub(crate) struct Places {
    /// The data root that `eval` must be told; `None` where it finds the same ones by itself.
    told: Option<PathBuf>,
    /// The data roots in which things are looked for; what is missing goes to the first.
    roots: Vec<PathBuf>,
    /// Where the weights may lie, of which `model` is the first that is there.
    weights: Vec<PathBuf>,
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
        let mut told = args.data_root.clone();
        let mut roots = known_roots(told.as_deref());
        if roots.is_empty() {
            let root = told.insert(PathBuf::from("data"));
            roots.push(root.clone());
        }
        let given = args.models.iter().map(|folder| folder.join(&row.file));
        let pulled = roots.iter().map(|root| root.join("networks").join(&row.file));
        let weights: Vec<PathBuf> = given.chain(pulled).collect();
        let model = if row.file == "seeded" {
            PathBuf::from("seeded")
        } else {
            first_there(&weights)
        };
        let distractors = row.distractors.as_ref().map(|name| {
            let file = format!("{}.safetensors", row.model);
            let usual: Vec<PathBuf> = roots.iter().map(|root| root.join(name).join(&file)).collect();
            args.distractors.clone().unwrap_or_else(|| first_there(&usual))
        });
        Self {
            told,
            roots,
            weights,
            model,
            distractors,
            images: args.images.clone(),
            device: args.device.clone(),
        }
    }

    /// How the row's pictures are described: the options that `eval` and `extract` share.
    fn described(&self, row: &Row) -> Vec<String> {
        let mut line = vec!["--model".to_owned(), text(&self.model)];
        let mut add = |option: &str, value: String| line.extend([option.to_owned(), value]);
        if row.file == "seeded" || row.named {
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
        let mut line: Vec<String> = ["sightline", "eval", "--dataset", &row.dataset]
            .map(str::to_owned)
            .into();
        if let Some(root) = &self.told {
            line.extend(["--data-root".to_owned(), text(root)]);
        }
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
        let recalls = row.published.iter();
        let recalls: Vec<&str> = recalls
            .filter_map(|figure| figure.metric.strip_prefix("R@"))
            .collect();
        if !recalls.is_empty() {
            line.extend(["--kappas".to_owned(), recalls.join(",")]);
        }
        line
    }

    /// The commands of a row that takes several.
    pub(crate) fn steps(&self, row: &Row) -> Vec<String> {
        let root = self.roots.first().map_or(Path::new("data"), PathBuf::as_path);
        let word = |word: &str| match word {
            "MODEL" => shell(&text(&self.model)),
            "ROOT" => shell(&text(root)),
            other => other.to_owned(),
        };
        let filled = |step: &String| step.split(' ').map(word).collect::<Vec<_>>().join(" ");
        row.steps.iter().map(filled).collect()
    }

    /// What is not there.
    pub(crate) fn missing(&self, row: &Row) -> Vec<Missing> {
        let home = self.roots.first().map_or(Path::new("data"), PathBuf::as_path);
        let root = shell(&text(home));
        let mut missing = Vec::new();
        if row.file != "seeded" && !self.model.is_file() {
            missing.push(Missing {
                what: format!("weights of {}", row.model),
                place: self
                    .weights
                    .iter()
                    .map(|place| text(place))
                    .collect::<Vec<_>>()
                    .join(", "),
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
            let list = |root: &&PathBuf| root.join(name).join(format!("{name}.txt")).is_file();
            let home = self.roots.iter().find(list).map_or(home, PathBuf::as_path);
            let root = shell(&text(home));
            let folder = home.join(name);
            let mut extract: Vec<String> = vec!["sightline".into(), "extract".into()];
            extract.push(text(&folder.join(format!("{name}.txt"))));
            extract.extend(["--images".to_owned(), text(&folder.join("jpg"))]);
            extract.extend(["-o".to_owned(), text(set), "--half".to_owned()]);
            extract.extend(self.described(row));
            missing.push(Missing {
                what: format!("descriptors of the distractors {name}"),
                place: text(set),
                get: vec![
                    format!("sightline dataset pull {} --data-root {root}", with_groups(name)),
                    command_line(&extract),
                ],
            });
        }
        missing
    }

    /// What keeps the data set from being evaluated: it is not there, or its pictures are not.
    fn without_pictures(&self, row: &Row) -> Option<String> {
        let images = self.images.as_deref();
        let dataset = match pictures::open(&row.dataset, self.told.as_deref(), images) {
            Ok(dataset) => dataset,
            Err(error) => return Some(error.to_string()),
        };
        match pictures::of_dataset(&dataset, images, Side::Database) {
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        }
    }
}

/// The first of the files that is there, else the first.
fn first_there(files: &[PathBuf]) -> PathBuf {
    let found = files.iter().find(|file| file.is_file()).or(files.first());
    found.cloned().unwrap_or_default()
}

/// A data set and its groups that are not pulled unless they are named, as they are typed.
fn with_groups(name: &str) -> String {
    let mut words = vec![name.to_owned()];
    let table = Table::embedded(Kind::Datasets).ok();
    if let Some(entry) = table.as_ref().and_then(|table| table.entry(name))
        && !entry.default.is_empty()
    {
        let further = entry.groups().into_iter();
        let further = further.filter(|group| !entry.default.iter().any(|own| own == group));
        words.extend(further.map(|group| format!("{name}:{group}")));
    }
    command_line(&words)
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
