//! The card: what made a number, and whether two numbers may be compared.
//!
//! Every descriptor set, index, ranking and score carries a [`Card`]. Its *identity* says everything that changes the
//! numbers on purpose: weights, recipe, scales, whitening. Its *circumstances* say what may move them by rounding at most:
//! runtime, precision, device, version, date. Two things whose identities differ do not mix ([`refuse_to_mix`]); different
//! circumstances are a [remark](remarks).
//!
//! The crate is not for deciding what a recipe or a whitening *is*: it keeps and compares what the crates that make
//! numbers spell out.
//!
//! ```
//! use sightline_card::{Card, Circumstances, Identity, Scales, refuse_to_mix};
//!
//! let identity = Identity {
//!     architecture: "resnet18:layer3/gem".into(),
//!     weights: sightline_card::sha256_hex(b"the bytes of the checkpoint"),
//!     recipe: serde_json::json!({"name": "cirtorch", "size": 512, "filter": "lanczos"}),
//!     scales: Scales::single(),
//!     whitening: None,
//!     dim: 256,
//!     seed: None,
//!     local: None,
//! };
//! let database = Card::new(identity, Circumstances::default());
//! let mut queries = database.clone();
//! assert!(refuse_to_mix("db.safetensors", &database, "q.safetensors", &queries).is_ok());
//!
//! queries.identity.recipe["size"] = 1024.into();
//! let refused = refuse_to_mix("db.safetensors", &database, "q.safetensors", &queries).unwrap_err();
//! assert_eq!(refused.differences[0].field, "recipe.size");
//! ```

mod card;
pub mod date;
mod difference;
mod hash;

pub use card::{
    AggregationIdentity, Card, Circumstances, FORMAT_VERSION, Identity, LocalIdentity, ReadCardError, Scales,
    WhiteningIdentity,
};
pub use difference::{Difference, MixError, refuse_to_mix, remarks};
pub use hash::{sha256, sha256_file, sha256_hex, sha256_reader};
