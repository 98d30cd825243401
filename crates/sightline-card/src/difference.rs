//! Comparing two cards, field by field.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::card::Card;

/// One field in which two cards differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The field's path inside the identity or the circumstances, e.g. `recipe.resize.filter` or `scales.values[1]`.
    pub field: String,
    /// Its value on the left card; `null` where the left card has no such field.
    pub left: Value,
    /// Its value on the right card; `null` where the right card has no such field.
    pub right: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} against {}", self.field, self.left, self.right)
    }
}

/// Two things whose identities differ were about to be mixed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{left_name} and {right_name} were not made alike, so their numbers cannot be compared: {}. Make one of them again with the settings of the other.", sentence(.left_name, .right_name, .differences))]
pub struct MixError {
    /// What the left card belongs to, as the user named it.
    pub left_name: String,
    /// What the right card belongs to.
    pub right_name: String,
    /// All fields that differ; never empty.
    pub differences: Vec<Difference>,
}

/// Beyond this many differing fields an error sentence only counts.
const NAMED_IN_A_SENTENCE: usize = 8;

fn sentence(left_name: &str, right_name: &str, differences: &[Difference]) -> String {
    let mut parts: Vec<String> = differences
        .iter()
        .take(NAMED_IN_A_SENTENCE)
        .map(|d| {
            format!(
                "{} is {} in {left_name} and {} in {right_name}",
                d.field, d.left, d.right
            )
        })
        .collect();
    if differences.len() > NAMED_IN_A_SENTENCE {
        parts.push(format!(
            "and {} more fields differ",
            differences.len() - NAMED_IN_A_SENTENCE
        ));
    }
    parts.join("; ")
}

impl Card {
    /// The fields of the identity in which two cards differ, in the order of the left card's fields; empty if the two may be
    /// mixed. Whole and broken numbers of the same value are equal (`512` and `512.0`).
    #[must_use]
    pub fn differences(&self, other: &Card) -> Vec<Difference> {
        let mut found = Vec::new();
        compare(
            "",
            &to_value(&self.identity),
            &to_value(&other.identity),
            &mut found,
        );
        found
    }
}

/// Allows two things to be mixed, or says why not.
///
/// On success the differing circumstances are returned, as [`remarks`] gives them.
///
/// # Errors
/// When the identities differ: the error names every field that does, with both values.
pub fn refuse_to_mix(
    left_name: &str,
    left: &Card,
    right_name: &str,
    right: &Card,
) -> Result<Vec<Difference>, MixError> {
    let differences = left.differences(right);
    if differences.is_empty() {
        return Ok(remarks(left, right));
    }
    Err(MixError {
        left_name: left_name.to_owned(),
        right_name: right_name.to_owned(),
        differences,
    })
}

/// The circumstances in which two cards differ: worth a remark, no reason to refuse. The date is not among them, since things
/// made on different days are the rule.
#[must_use]
pub fn remarks(left: &Card, right: &Card) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(
        "",
        &to_value(&left.circumstances),
        &to_value(&right.circumstances),
        &mut found,
    );
    found.retain(|difference| difference.field != "date");
    found
}

fn to_value(part: &impl Serialize) -> Value {
    // Plain structs with text keys always serialise.
    serde_json::to_value(part).unwrap_or(Value::Null)
}

/// Collects the leaves in which two values differ. The depth is bounded: `serde_json` reads at most 128 levels.
fn compare(field: &str, left: &Value, right: &Value, found: &mut Vec<Difference>) {
    let absent = Value::Null;
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let inner = |key: &str| {
                if field.is_empty() {
                    key.to_owned()
                } else {
                    format!("{field}.{key}")
                }
            };
            for (key, value) in left {
                compare(&inner(key), value, right.get(key).unwrap_or(&absent), found);
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                compare(&inner(key), &absent, value, found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (i, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{field}[{i}]"), left, right, found);
            }
        }
        (Value::Number(a), Value::Number(b))
            if a == b || a.as_f64() == b.as_f64() && !(a.is_u64() && b.is_u64()) => {}
        _ if left == right => {}
        _ => found.push(Difference {
            field: field.to_owned(),
            left: left.clone(),
            right: right.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Circumstances, Identity, Scales};
    use serde_json::json;

    fn card(recipe: Value) -> Card {
        Card::new(
            Identity {
                architecture: "resnet18:layer3/gem".to_owned(),
                weights: "00".repeat(32),
                recipe,
                scales: Scales::single(),
                whitening: None,
                dim: 256,
                seed: None,
                local: None,
            },
            Circumstances::default(),
        )
    }

    fn fields(left: &Card, right: &Card) -> Vec<String> {
        left.differences(right)
            .into_iter()
            .map(|difference| difference.field)
            .collect()
    }

    #[test]
    fn every_differing_leaf_is_named() {
        let left =
            card(json!({"resize": {"filter": "lanczos", "size": 512}, "mean": [0.1, 0.2], "only_left": 1}));
        let mut right = card(
            json!({"mean": [0.1, 0.3], "resize": {"size": 512.0, "filter": "bilinear"}, "only_right": [1]}),
        );
        right.identity.seed = Some(3);
        assert_eq!(
            fields(&left, &right),
            [
                "recipe.resize.filter",
                "recipe.mean[1]",
                "recipe.only_left",
                "recipe.only_right",
                "seed"
            ]
        );
        let message = refuse_to_mix("a.npy", &left, "b.npy", &right)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("recipe.resize.filter is \"lanczos\" in a.npy and \"bilinear\" in b.npy"),
            "{message}"
        );
        assert!(
            message.contains("seed is null in a.npy and 3 in b.npy"),
            "{message}"
        );
    }

    #[test]
    fn large_seeds_that_round_to_one_float_still_differ() {
        let mut left = card(json!(null));
        let mut right = left.clone();
        left.identity.seed = Some(u64::MAX);
        right.identity.seed = Some(u64::MAX - 1);
        assert_eq!(fields(&left, &right), ["seed"]);
    }

    #[test]
    fn lists_of_other_lengths_differ_as_a_whole() {
        let left = card(json!(null));
        let mut right = left.clone();
        right.identity.scales.values = vec![1.0, 0.5];
        assert_eq!(fields(&left, &right), ["scales.values"]);
    }

    #[test]
    fn circumstances_are_a_remark_and_the_date_is_not() {
        let left = card(json!(null));
        let mut right = left.clone();
        right.circumstances.device = "cuda:0".to_owned();
        right.circumstances.date = "2026-05-02".to_owned();
        let remarks = refuse_to_mix("a", &left, "b", &right).unwrap();
        assert_eq!(remarks.len(), 1);
        assert_eq!(remarks[0].to_string(), "device: \"\" against \"cuda:0\"");
    }

    #[test]
    fn a_sentence_names_eight_fields_and_counts_the_rest() {
        let many = |value: i32| card((0..20).map(|i| (format!("step{i}"), json!(value))).collect());
        let message = refuse_to_mix("a", &many(0), "b", &many(1))
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("recipe.step7 is 0 in a") && !message.contains("step8"),
            "{message}"
        );
        assert!(message.contains("and 12 more fields differ"), "{message}");
    }
}
