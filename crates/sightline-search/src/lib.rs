//! Exact top-k search over many vectors, nearest words and k-means.
//!
//! For: the inner products of queries with every row of a database, the k best of each query, whole rankings, and the
//! ranks of given rows in a database too large to sort; the nearest of many words by Euclidean distance ([`nearest()`],
//! [`Quantiser`]) and training such words ([`k_means`]); on all cores (rayon's current pool). Not for: approximate
//! search or storage; vectors come as plain slices (memory-mapped ones too) and are used as they are, so
//! normalise them first where a cosine is meant.
//!
//! Every answer is exact and the same for any number of threads, block size and instruction set: each inner product
//! is summed in one fixed order ([`Kernel`]), and equal scores put the lower index first, NaN last.
//!
//! ```
//! use sightline_search::{Rows, top_k};
//!
//! let database = [1.0, 0.0, 0.0, 1.0, 0.6, 0.8];
//! let hits = top_k(Rows::f32(&[0.0, 1.0], 2), Rows::f32(&database, 2), 2, None)?;
//! assert_eq!((hits[0][0].index, hits[0][1].index), (1, 2));
//! assert_eq!(hits[0][1].score, 0.8);
//! # Ok::<(), sightline_search::SearchError>(())
//! ```

mod error;
mod inner_products;
mod kernels;
mod kmeans;
mod knn_graph;
mod order;
mod quantiser;
mod ranks;
mod rows;
mod scan;
mod selection;
mod shortlist;
mod tiles;
mod top_k;

pub use error::SearchError;
pub use inner_products::inner_products;
pub use kernels::Kernel;
pub use kmeans::{
    Iteration, KMeansError, KMeansForm, KMeansReport, KMeansSettings, KMeansStart, KMeansState, Points,
    k_means, rand_perm,
};
pub use knn_graph::{GraphBuilder, GraphState, KnnGraph, knn_graph};
pub use order::Hit;
pub use quantiser::{Neighbour, Quantiser, nearest};
pub use ranks::{Rank, ranks, ranks_among};
pub use rows::{RowData, Rows};
pub use top_k::{rank_all, top_k, top_k_among, top_k_with};
