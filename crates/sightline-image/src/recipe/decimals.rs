//! float32 values written as the decimal numbers that they were read from.
//!
//! 0.485 as float32 is 0.48500001430511475; a card says 0.485, and either spelling is the same value.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The shortest decimal numbers that round to these values.
pub(super) fn of(values: [f32; 3]) -> [f64; 3] {
    values.map(|value| value.to_string().parse().unwrap_or(f64::from(value)))
}

pub(super) fn serialize<S: Serializer>(values: &[f32; 3], serializer: S) -> Result<S::Ok, S::Error> {
    of(*values).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[f32; 3], D::Error> {
    Ok(<[f64; 3]>::deserialize(deserializer)?.map(|value| value as f32))
}
