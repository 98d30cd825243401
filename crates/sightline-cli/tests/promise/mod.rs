//! What every promise needs: a folder that vanishes, the command run in it, and what it said.

// Every test file uses its own part of this.
#![allow(dead_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod checkpoint_file;
pub(crate) mod onnx_file;
pub(crate) mod pickle_file;
pub(crate) mod png_file;

use assert_cmd::Command;
use serde_json::{Value, json};
use sightline::image::encode;
use sightline::scenes::Collection;
use std::path::{Path, PathBuf};

/// A model that costs nothing: random but fixed weights, stopped early.
pub(crate) const SEEDED: [&str; 4] = ["--model", "seeded", "--arch", "resnet18:layer1/gem"];

/// Size of the drawn pictures.
pub(crate) const SIZE: (u32, u32) = (96, 72);

/// A folder of its own, with a cache of its own.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A command that runs in the folder; its day is fixed, so that equal work gives equal bytes.
    pub(crate) fn std_command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sightline"));
        command
            .current_dir(self.folder.path())
            .env("SIGHTLINE_CACHE", self.path("cache"))
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .env_remove("SIGHTLINE_DATA")
            .env_remove("DB_ROOT")
            .env_remove("SIGHTLINE_PULL_TABLE")
            .env_remove("SIGHTLINE_PULL_MIRROR")
            .env("NO_PROXY", "127.0.0.1");
        command
    }

    /// Runs `sightline` with what stands between the blanks of `line`.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_args(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The same with the seeded model.
    pub(crate) fn run_seeded(&self, line: &str) -> Said {
        let mut args: Vec<&str> = line.split_whitespace().collect();
        args.extend(SEEDED);
        self.run_args(&args)
    }

    /// Describes both sides of `gnd.json` with the seeded model: `db.ENDING` and `q.ENDING`.
    pub(crate) fn extract_sides(&self, ending: &str, more: &str) {
        for (side, output) in [("database", "db"), ("queries", "q")] {
            self.run_seeded(&format!(
                "extract gnd.json --images pictures --side {side} -o {output}.{ending} {more}"
            ))
            .ends(0);
        }
    }

    pub(crate) fn run_args(&self, args: &[&str]) -> Said {
        let output = Command::from_std(self.std_command()).args(args).output().unwrap();
        let said = Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.err.contains("panicked"), "{args:?} panicked: {}", said.err);
        said
    }

    /// Draws scenes into `folder`: one query, three easy and two hard pictures each, PNG and JPEG in turn. Their ground
    /// truth is `gnd.json`. Names of the pictures, with their endings.
    pub(crate) fn draw_scenes(&self, folder: &str, scenes: usize) -> Vec<String> {
        let collection = Collection::new(scenes, 1);
        let mut names = Vec::new();
        for (index, picture) in collection.pictures.iter().enumerate() {
            let drawing = collection.draw(picture, SIZE.0, SIZE.1);
            let (ending, bytes) = if index % 2 == 0 {
                ("png", encode::png(&drawing).unwrap())
            } else {
                ("jpg", encode::jpeg(&drawing, 90).unwrap())
            };
            let name = format!("{}.{ending}", picture.name);
            self.write(&format!("{folder}/{name}"), bytes);
            names.push(name);
        }
        let dataset = collection.dataset();
        let queries: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
        let gnd: Vec<Value> = (0..queries.len())
            .map(|query| {
                let mut entry = json!({ "bbx": [0, 0, SIZE.0, SIZE.1] });
                for (list, ids) in dataset.truth.lists(query) {
                    entry[list] = json!(ids);
                }
                entry
            })
            .collect();
        let truth = json!({ "imlist": dataset.images, "qimlist": queries, "gnd": gnd });
        self.write("gnd.json", truth.to_string());
        names
    }
}

impl Said {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "exit code\n--- stdout\n{}\n--- stderr\n{}",
            self.out, self.err
        );
        self
    }

    /// Asserts that stderr holds a text.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no {text:?} in stderr:\n{}", self.err);
        self
    }

    /// Asserts that stdout holds a text.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no {text:?} in stdout:\n{}", self.out);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{}\n{}", self.out, self.err))
    }
}

/// A folder beside the checkout, where there is one; else the test says that it is skipped.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(name);
    if path.exists() {
        return Some(path);
    }
    // Where the data is absent, that must show in the test's output.
    #[allow(clippy::print_stderr)]
    {
        eprintln!("skipped: ../shared/data/{name} is not there");
    }
    None
}

/// The texts under `key` of a JSON array's objects.
pub(crate) fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|one| one[key].as_str().unwrap().to_owned())
        .collect()
}
