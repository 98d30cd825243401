//! After the network: scales, whitening, expansion, and descriptor sets on disk.
//!
//! - [`DescriptorSet`] opens a file of descriptors as a memory map, with the names of its pictures and the
//!   [card](sightline_card::Card) that says what made them; [`open_sides`] opens database and queries that projects keep
//!   together; [`SetWriter`] writes one row by row, [`merge`] joins shards, and
//!   [`join_order`] says in which order such files belong together.
//! - [`ScalePooling`] pools the descriptors of one picture over several passes as the original projects do.
//! - [`Whitening`] applies a whitening, [`learn_pca`] and its kin learn one, [`WhiteningFile`] keeps it.
//! - [`GraphFile`] keeps the nearest neighbours of every row of a set, [`build_graph`] finds them.
//! - [`Expansion`] expands queries by their neighbours, and augments a database.
//!
//! It is not for running networks (`sightline-extract`), nor for finding neighbours (`sightline-search`).
//!
//! ```
//! use sightline_descriptor::{DescriptorSet, RowType, SetHeader, SetWriter};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("set.safetensors");
//! let names = vec!["a.jpg".to_owned(), "b.jpg".to_owned()];
//! let mut writer = SetWriter::create(&path, &SetHeader::new(&names, 3, RowType::F32))?;
//! writer.push(&[1.0, 0.0, 0.0])?;
//! writer.push(&[0.0, 0.6, 0.8])?;
//! writer.finish()?;
//!
//! let set = DescriptorSet::open(&path)?;
//! assert_eq!((set.len(), set.dim()), (2, 3));
//! assert_eq!(set.names()[1], "b.jpg");
//! assert_eq!(set.row(1), [0.0, 0.6, 0.8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alpha_qe;
mod choose;
mod error;
mod graph;
mod how_scales;
mod join;
mod merge;
mod npy_form;
mod pickle_form;
mod safetensors_form;
mod scales;
mod set;
mod sides;
mod whitening;
mod writer;

pub use alpha_qe::{Expansion, ExpansionError};
pub use error::SetError;
pub use graph::{GraphError, GraphFile, GraphReport, GraphSource, build_graph, remove_graph_state};
pub use how_scales::{how_over_scales, how_sum};
pub use join::{Part, join_order};
pub use merge::merge;
pub use scales::{ScalePooling, superglobal_power, superglobal_scales};
pub use set::{DescriptorSet, RowType, Shard};
pub use sides::{open_sides, side_files};
pub use whitening::{
    LearnError, Learned, LearnedFrom, PairsIdentity, Samples, SetIdentity, Whitening, WhiteningError,
    WhiteningFile, WhiteningFileError, WhiteningSettings, learn_cirtorch, learn_cirtorch_pca, learn_pca,
    learn_shrinkage,
};
pub use writer::{SetHeader, SetWriter, sync_folder};
