//! Lists, ground truths and folders of pictures: everything that says which images there are and which answer
//! which query. It reads no pixels (see `sightline-image`) and computes no score (see `sightline-eval`).
//!
//! ```
//! use sightline_dataset::{OpenOptions, PictureIndex, Truth, check, open};
//!
//! let folder = std::env::temp_dir().join(format!("sightline-dataset-example-{}", std::process::id()));
//! std::fs::create_dir_all(folder.join("jpg"))?;
//! std::fs::write(folder.join("jpg/tower_1.jpg"), b"")?;
//! let gnd = folder.join("gnd_towers.json");
//! let text = r#"{"imlist": ["tower_1", "tower_2"], "qimlist": ["tower_q"],
//!     "gnd": [{"bbx": [0, 0, 640, 480], "easy": [0, 1], "hard": [], "junk": []}]}"#;
//! std::fs::write(&gnd, text)?;
//!
//! let set = open(&gnd.to_string_lossy(), &OpenOptions::default())?;
//! let Truth::Revisited(lists) = &set.truth else { unreachable!() };
//! assert_eq!(lists[0].easy, [0, 1]);
//!
//! // Names meet pictures by path, else by file name without its ending.
//! let pictures = PictureIndex::scan(&folder)?;
//! assert_eq!(pictures.locate("tower_1")?, Some(folder.join("jpg/tower_1.jpg")));
//! let report = check(&set, Some(&pictures), &|_| Ok((640, 480)));
//! assert_eq!(report.missing, ["tower_2", "tower_q"]);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cars;
mod check;
pub mod class_lists;
pub mod cub;
mod data_roots;
mod dataset;
mod did_you_mean;
pub mod dirtorch_lists;
mod dirtorch_sets;
mod error;
pub mod expression;
pub mod folder;
pub mod gldv2;
pub mod ground_truth;
pub mod how_params;
pub mod in_shop;
mod known_sets;
pub mod netvlad_dbstruct;
mod open;
pub mod oxford_text;
pub mod pictures;
mod plain_values;
#[cfg(feature = "pull")]
pub mod pull;
pub mod revisitop1m;
pub mod sfm120k;
pub mod sop;
mod text_lines;
pub mod token_split;
pub mod yaml11;

pub use check::{CheckReport, Probe, Totals, check};
pub use dataset::{ClassicLists, Dataset, Query, RevisitedLists, Truth};
pub use did_you_mean::suggestion;
pub use dirtorch_sets::EXPRESSION_NAMES;
pub use error::DatasetError;
pub use known_sets::KNOWN_NAMES;
pub use open::{Folders, OpenOptions, open};
pub use pictures::{PictureIndex, Skipped};
