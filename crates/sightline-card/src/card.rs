//! The card itself and its JSON form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::sha256_hex;

/// The version of the card's JSON form that this crate writes; all versions up to it can be read.
pub const FORMAT_VERSION: u32 = 1;

/// What made a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this JSON form, [`FORMAT_VERSION`] in what this crate writes.
    pub format_version: u32,
    /// What changes the numbers on purpose: cards whose identities differ do not mix.
    pub identity: Identity,
    /// What may change the numbers by rounding at most.
    #[serde(default)]
    pub circumstances: Circumstances,
}

/// Everything that changes a descriptor on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Name of the network as `TRUNK[:STAGE]/HEAD[-OPTIONS]`, e.g. `resnet18:layer3/gem`.
    pub architecture: String,
    /// SHA-256 of the weight file, 64 lower-case hexadecimal digits.
    pub weights: String,
    /// The picture recipe with every step spelled out (decoder, orientation, filter, sizes, crop, mean and std).
    pub recipe: Value,
    /// Over which scales a picture was described, and how the descriptors were pooled.
    pub scales: Scales,
    /// The whitening applied after pooling over scales, if any.
    pub whitening: Option<WhiteningIdentity>,
    /// Number of values of a descriptor.
    pub dim: usize,
    /// Seed of the random generator, where randomness took part (a network with drawn weights); else absent.
    pub seed: Option<u64>,
    /// Which local features were kept, where these are local features; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalIdentity>,
}

/// Which local features of a picture were kept. Their scales are not pooled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalIdentity {
    /// How they were selected: `strongest` (HOW's: over all scales) or `delg` (thresholds and suppression).
    pub selection: String,
    /// At most so many a picture; absent means all.
    pub features: Option<usize>,
    /// How they were put together to one descriptor a picture; absent where they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<AggregationIdentity>,
}

/// How local features were put together to one descriptor a picture: the field `method` of the JSON, and what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "lowercase", deny_unknown_fields)]
pub enum AggregationIdentity {
    /// Sums of residuals.
    Vlad {
        /// How the sums were normalised, e.g. `intra_l2`.
        normalisation: String,
        /// SHA-256 of the codebook's words, 64 lower-case hexadecimal digits.
        codebook: String,
        /// How many words there are.
        words: usize,
        /// The whitening of the local features; the identity's own is that of the descriptor.
        whitening: Option<WhiteningIdentity>,
    },
    /// Token's network behind the local features.
    Token {
        /// Its name with the sizes that the weights decided, e.g. `token-l8`.
        architecture: String,
        /// SHA-256 of its weight file, 64 lower-case hexadecimal digits.
        weights: String,
        /// Seed of weights that no file holds; else absent.
        seed: Option<u64>,
        /// The whitening of the local features; the identity's own is that of the descriptor.
        whitening: Option<WhiteningIdentity>,
    },
}

/// Scales and the formula that pools the descriptors of one picture over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scales {
    /// Factors of the picture's size, in the order in which they were run.
    pub values: Vec<f64>,
    /// Name of the pooling formula: `none` for a single pass, else e.g. `dirtorch-gem`, `cirtorch`, `token`.
    pub pooling: String,
    /// The exponent of the pooling formula, where it has one.
    pub power: Option<f64>,
}

impl Scales {
    /// One pass at the picture's own size: nothing is pooled.
    #[must_use]
    pub fn single() -> Scales {
        Scales {
            values: vec![1.0],
            pooling: "none".to_owned(),
            power: None,
        }
    }
}

/// Which whitening was applied, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhiteningIdentity {
    /// Name of the whitening in its file, e.g. `Landmarks_clean`.
    pub name: String,
    /// SHA-256 of its values, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Exponent of the explained variance (0.5 is the usual whitening); absent where the form has none.
    pub power: Option<f64>,
    /// How many axes were kept; absent means all.
    pub dims: Option<usize>,
    /// Factor of the explained variance; absent where the form has none.
    pub multiplier: Option<f64>,
    /// Whether rows were divided by their L2 norm afterwards.
    pub l2: bool,
}

/// What may change a number by rounding at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circumstances {
    /// What ran the network, with its version, e.g. `rten 0.27.0`.
    pub runtime: String,
    /// Arithmetic of the network, e.g. `float32`.
    pub precision: String,
    /// Where it ran, e.g. `cpu`.
    pub device: String,
    /// Version of Sightline that wrote the card.
    pub version: String,
    /// Day on which the work was begun, `YYYY-MM-DD` (see [`crate::date::today`]).
    pub date: String,
    /// SHA-256 of the weight file that an exported network came from; the identity then holds the hash of the export.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub exported_from: String,
}

impl Circumstances {
    /// The circumstances of something put together from parts: each field lists the different values of the parts, in their
    /// order, joined by `, `.
    #[must_use]
    pub fn joined<'a>(parts: impl IntoIterator<Item = &'a Circumstances>) -> Circumstances {
        let parts: Vec<&Circumstances> = parts.into_iter().collect();
        let join = |field: fn(&Circumstances) -> &String| {
            let mut values: Vec<&str> = Vec::new();
            // A part may have been put together itself.
            for value in parts.iter().flat_map(|part| field(part).split(", ")) {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values.join(", ")
        };
        Circumstances {
            runtime: join(|c| &c.runtime),
            precision: join(|c| &c.precision),
            device: join(|c| &c.device),
            version: join(|c| &c.version),
            date: join(|c| &c.date),
            exported_from: join(|c| &c.exported_from),
        }
    }
}

/// Why a text is not a card.
#[derive(Debug, thiserror::Error)]
pub enum ReadCardError {
    /// The text is not the JSON of a card.
    #[error("The card could not be read: {0}. It should be the JSON that Sightline wrote.")]
    Json(#[from] serde_json::Error),
    /// The card was written by a newer version.
    #[error(
        "The card has format version {found}, and this program knows versions up to {FORMAT_VERSION}. Use a newer Sightline."
    )]
    TooNew {
        /// The version that the card states.
        found: u32,
    },
}

impl Card {
    /// A card of the current format version.
    #[must_use]
    pub fn new(identity: Identity, circumstances: Circumstances) -> Card {
        Card {
            format_version: FORMAT_VERSION,
            identity,
            circumstances,
        }
    }

    /// The card as one line of JSON.
    ///
    /// Fields come in the order of their declaration and the recipe's in its own, so equal cards give equal bytes. JSON has
    /// no infinity and no NaN; where a number is one of them, it is written as `null`.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// The card as a JSON value, as `--json` outputs carry it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Serialising plain structs into a value has no failing case: all keys are text.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Reads a card from its JSON.
    ///
    /// # Errors
    /// When the text is no card, or one of a newer format version.
    pub fn from_json(text: &str) -> Result<Card, ReadCardError> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        // The version first: a newer card may have fields that this program would call unknown.
        let version: Version = serde_json::from_str(text)?;
        if version.format_version > FORMAT_VERSION {
            return Err(ReadCardError::TooNew {
                found: version.format_version,
            });
        }
        Ok(serde_json::from_str(text)?)
    }
}

impl Identity {
    /// SHA-256 (hexadecimal) over the identity's JSON with sorted keys: equal identities, equal hashes.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        value.sort_all_objects();
        sha256_hex(value.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card() -> Card {
        Card::new(
            Identity {
                architecture: "resnet18:layer3/gem".to_owned(),
                weights: sha256_hex(b"weights"),
                recipe: serde_json::json!({"decoder": "mozjpeg", "resize": {"filter": "lanczos", "size": 512}}),
                scales: Scales {
                    values: vec![1.0, 2f64.sqrt()],
                    pooling: "cirtorch".to_owned(),
                    power: Some(1.0),
                },
                whitening: Some(WhiteningIdentity {
                    name: "Landmarks_clean".to_owned(),
                    sha256: sha256_hex(b"whitening"),
                    power: Some(0.25),
                    dims: None,
                    multiplier: Some(1.0),
                    l2: true,
                }),
                dim: 256,
                seed: Some(7),
                local: Some(LocalIdentity {
                    selection: "strongest".to_owned(),
                    features: Some(1000),
                    aggregation: None,
                }),
            },
            Circumstances {
                runtime: "rten 0.27.0".to_owned(),
                date: "2026-05-01".to_owned(),
                ..Circumstances::default()
            },
        )
    }

    #[test]
    fn json_and_back() {
        let card = card();
        assert_eq!(Card::from_json(&card.to_json()).unwrap(), card);
    }

    #[test]
    fn ways_of_aggregation_are_told_apart_by_their_method() {
        let vlad = serde_json::json!({
            "method": "vlad", "normalisation": "intra_l2", "codebook": "c", "words": 64, "whitening": null
        });
        let token = serde_json::json!({
            "method": "token", "architecture": "token-l8", "weights": "w", "seed": null, "whitening": null
        });
        for known in [&vlad, &token] {
            let read: AggregationIdentity = serde_json::from_value(known.clone()).unwrap();
            assert_eq!(&serde_json::to_value(read).unwrap(), known);
        }
        let mut wrong = token;
        wrong["words"] = 3.into();
        assert!(serde_json::from_value::<AggregationIdentity>(wrong).is_err());
    }

    /// A card as version 1 wrote it must stay readable.
    #[test]
    fn version_1_stays_readable() {
        let card = Card::from_json(include_str!("../tests/card_v1.json")).unwrap();
        assert_eq!(card.identity.recipe["size"], 512);
        assert_eq!(card.identity.scales, Scales::single());
        assert_eq!(card.circumstances.device, "cpu");
    }

    #[test]
    fn a_newer_card_is_refused_by_its_version() {
        let mut value = card().to_value();
        value["format_version"] = 2.into();
        value["identity"]["a_field_of_the_future"] = true.into();
        assert!(matches!(
            Card::from_json(&value.to_string()),
            Err(ReadCardError::TooNew { found: 2 })
        ));
        value["format_version"] = 1.into();
        assert!(matches!(
            Card::from_json(&value.to_string()),
            Err(ReadCardError::Json(_))
        ));
    }

    #[test]
    fn the_hash_ignores_the_order_of_keys_and_nothing_else() {
        let mut one = card().identity;
        let mut other = one.clone();
        one.recipe = serde_json::json!({"a": 1, "b": {"c": 2, "d": 3}});
        other.recipe = serde_json::json!({"b": {"d": 3, "c": 2}, "a": 1});
        assert_eq!(one.hash(), other.hash());
        other.recipe["b"]["c"] = 4.into();
        assert_ne!(one.hash(), other.hash());
    }

    #[test]
    fn joined_circumstances_name_each_value_once() {
        let day = |date: &str| Circumstances {
            date: date.to_owned(),
            ..card().circumstances
        };
        let parts = [day("2026-05-02"), day("2026-05-01"), day("2026-05-02")];
        let joined = Circumstances::joined(&parts);
        assert_eq!(joined, day("2026-05-02, 2026-05-01"));
        assert_eq!(Circumstances::joined([&joined, &parts[1]]), joined);
    }

    proptest! {
        #[test]
        fn every_scale_survives_json(scale in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let mut card = card();
            card.identity.scales.values = vec![scale];
            prop_assert_eq!(Card::from_json(&card.to_json()).unwrap(), card);
        }

        #[test]
        fn reading_never_panics(text in ".{0,200}") {
            let _ = Card::from_json(&text);
        }

        #[test]
        fn reading_a_damaged_card_never_panics(position in 0usize..600, with in any::<char>()) {
            let mut text: Vec<char> = card().to_json().chars().collect();
            let position = position % text.len();
            text[position] = with;
            let _ = Card::from_json(&text.into_iter().collect::<String>());
        }
    }
}
