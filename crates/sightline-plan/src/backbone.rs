//! Somebody else's backbone as a network that gives descriptors: one of its outputs, pooled and L2-normalised.
//!
//! Networks of our own yield descriptors by themselves and are run as they are.

use crate::{Executor, RunError, Runtime, Tensor};
use std::fmt;
use std::str::FromStr;

/// Name of the output that holds the descriptor.
pub const DESCRIPTOR: &str = "descriptor";

/// Below this a value counts as this in a generalised mean (cirtorch's and Token's `eps`).
const LEAST: f64 = 1e-6;
/// Power of a generalised mean where none is said.
const POWER: f64 = 3.0;

/// How tokens `[N, T, C]` of a transformer become one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum TokenPooling {
    /// The first token.
    #[default]
    Cls,
    /// Mean over the tokens of the patches.
    Mean,
    /// Generalised mean over the tokens of the patches, values below 1e-6 counted as 1e-6.
    Gem {
        /// Its power.
        p: f64,
    },
}

/// How a map `[N, C, H, W]` becomes one descriptor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MapPooling {
    /// Generalised mean, values below 1e-6 counted as 1e-6.
    Gem {
        /// Its power.
        p: f64,
    },
    /// Maximum.
    Mac,
    /// Mean.
    Spoc,
}

impl Default for MapPooling {
    fn default() -> Self {
        Self::Gem { p: POWER }
    }
}

/// How an output of a foreign network becomes a descriptor; which part is used follows from the output's axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputPooling {
    /// For three axes.
    pub tokens: TokenPooling,
    /// Leading tokens that are no patches: the CLS token and registers.
    pub special_tokens: usize,
    /// For four axes.
    pub map: MapPooling,
}

impl Default for OutputPooling {
    fn default() -> Self {
        Self {
            tokens: TokenPooling::default(),
            special_tokens: 1,
            map: MapPooling::default(),
        }
    }
}

/// A text that names no pooling.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is no such pooling; there are {known}, and gem:P with another power than 3")]
pub struct PoolingNameError {
    text: String,
    known: &'static str,
}

/// `gem` or `gem:P`.
fn gem_power(text: &str) -> Option<f64> {
    match text.split_once(':') {
        None if text == "gem" => Some(POWER),
        Some(("gem", power)) => power
            .parse()
            .ok()
            .filter(|p: &f64| p.is_finite() && (0.1..=100.0).contains(p)),
        _ => None,
    }
}

impl FromStr for TokenPooling {
    type Err = PoolingNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cls" => Ok(Self::Cls),
            "mean" => Ok(Self::Mean),
            _ => match gem_power(text) {
                Some(p) => Ok(Self::Gem { p }),
                None => Err(PoolingNameError {
                    text: text.to_owned(),
                    known: "cls, mean, gem",
                }),
            },
        }
    }
}

impl FromStr for MapPooling {
    type Err = PoolingNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "mac" => Ok(Self::Mac),
            "spoc" => Ok(Self::Spoc),
            _ => match gem_power(text) {
                Some(p) => Ok(Self::Gem { p }),
                None => Err(PoolingNameError {
                    text: text.to_owned(),
                    known: "gem, mac, spoc",
                }),
            },
        }
    }
}

impl fmt::Display for TokenPooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cls => f.write_str("cls"),
            Self::Mean => f.write_str("mean"),
            Self::Gem { p } => write!(f, "gem-p{p}"),
        }
    }
}

impl fmt::Display for MapPooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gem { p } => write!(f, "gem-p{p}"),
            Self::Mac => f.write_str("mac"),
            Self::Spoc => f.write_str("spoc"),
        }
    }
}

impl OutputPooling {
    /// What is done to an output of so many axes, for a card: `cls`, `mean-special1`, `gem-p3`; `as-is` for two axes.
    pub fn name_for(&self, axes: usize) -> String {
        match (axes, self.tokens) {
            (3, TokenPooling::Cls) => "cls".to_owned(),
            (3, tokens) => format!("{tokens}-special{}", self.special_tokens),
            (4, _) => self.map.to_string(),
            _ => "as-is".to_owned(),
        }
    }

    /// Pools an output `[N, D]`, `[N, T, C]` or `[N, C, H, W]` and divides each row by max(its length, 1e-12):
    /// `[N, D]`. Computed in 64-bit arithmetic, value by value in order, so the same values give the same bytes.
    fn descriptors(&self, output: &Tensor) -> Result<Tensor, String> {
        let shape = &output.shape;
        if !output.is_consistent() || shape.contains(&0) {
            return Err(format!("its shape is {shape:?}"));
        }
        let (rows, dim) = match shape[..] {
            [rows, dim] => (rows, dim),
            [rows, tokens, dim] => {
                if self.tokens != TokenPooling::Cls && self.special_tokens >= tokens {
                    return Err(format!(
                        "it has {tokens} tokens, of which {} are said to be no patches",
                        self.special_tokens
                    ));
                }
                (rows, dim)
            }
            [rows, channels, _, _] => (rows, channels),
            _ => {
                return Err(format!(
                    "its shape is {shape:?}; descriptors are made of [N, D], tokens [N, T, C] or maps [N, C, H, W]"
                ));
            }
        };
        let mut data = Vec::with_capacity(rows * dim);
        for picture in output.data.chunks(output.data.len() / rows) {
            let pooled: Vec<f64> = match shape.len() {
                2 => picture.iter().map(|value| f64::from(*value)).collect(),
                3 => self.pool_tokens(picture, dim),
                _ => picture
                    .chunks(picture.len() / dim)
                    .map(|pixels| self.pool_pixels(pixels))
                    .collect(),
            };
            let norm = pooled.iter().map(|value| value * value).sum::<f64>().sqrt();
            data.extend(pooled.iter().map(|value| (value / norm.max(1e-12)) as f32));
        }
        Ok(Tensor {
            shape: vec![rows, dim],
            data,
        })
    }

    fn pool_tokens(&self, picture: &[f32], dim: usize) -> Vec<f64> {
        if self.tokens == TokenPooling::Cls {
            return picture[..dim].iter().map(|value| f64::from(*value)).collect();
        }
        let patches = &picture[self.special_tokens * dim..];
        let mut sums = vec![0.0; dim];
        for token in patches.chunks(dim) {
            for (sum, value) in sums.iter_mut().zip(token) {
                *sum += match self.tokens {
                    TokenPooling::Gem { p } => at_least(f64::from(*value)).powf(p),
                    _ => f64::from(*value),
                };
            }
        }
        let count = (patches.len() / dim) as f64;
        sums.into_iter()
            .map(|sum| match self.tokens {
                TokenPooling::Gem { p } => (sum / count).powf(p.recip()),
                _ => sum / count,
            })
            .collect()
    }

    fn pool_pixels(&self, pixels: &[f32]) -> f64 {
        let values = pixels.iter().map(|value| f64::from(*value));
        let count = pixels.len() as f64;
        match self.map {
            // `max` drops a NaN, but what is no number must show.
            MapPooling::Mac => values.fold(f64::NEG_INFINITY, |a, b| if b > a || b.is_nan() { b } else { a }),
            MapPooling::Spoc => values.sum::<f64>() / count,
            MapPooling::Gem { p } => {
                let sum: f64 = values.map(|value| at_least(value).powf(p)).sum();
                (sum / count).powf(p.recip())
            }
        }
    }
}

/// At least [`LEAST`]; `max` drops a NaN, but what is no number must show.
fn at_least(value: f64) -> f64 {
    if value < LEAST { LEAST } else { value }
}

/// Runs a foreign network and makes descriptors of one of its outputs; its own output is [`DESCRIPTOR`].
pub struct Backbone {
    executor: Box<dyn Executor>,
    output: String,
    pooling: OutputPooling,
}

impl Backbone {
    /// Descriptors from the output of that name.
    pub fn new(executor: Box<dyn Executor>, output: impl Into<String>, pooling: OutputPooling) -> Self {
        Self {
            executor,
            output: output.into(),
            pooling,
        }
    }
}

impl Executor for Backbone {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let wrong = |reason: String| RunError::Output {
            name: self.output.clone(),
            reason,
        };
        let outputs = self.executor.run(input)?;
        let found = outputs.into_iter().find(|(name, _)| *name == self.output);
        let (_, output) = found.ok_or_else(|| wrong("the runtime did not compute it".to_owned()))?;
        let descriptors = self.pooling.descriptors(&output).map_err(wrong)?;
        Ok(vec![(DESCRIPTOR.to_owned(), descriptors)])
    }

    fn describe(&self) -> Runtime {
        self.executor.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(pooling: OutputPooling, shape: &[usize], data: &[f32]) -> Result<Vec<f32>, String> {
        let output = Tensor::new(shape, data.to_vec()).unwrap();
        Ok(pooling.descriptors(&output)?.data)
    }

    fn close(got: &[f32], want: &[f64]) {
        let norm = want.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((f64::from(*got) - want / norm).abs() < 1e-6, "{got} {want}");
        }
    }

    #[test]
    fn tokens_are_pooled_without_those_that_are_no_patches() {
        // CLS, a register, two patches; two channels; the second picture is the first, doubled.
        let one = [1.0, 2.0, 50.0, 60.0, 3.0, -4.0, 5.0, 8.0];
        let two: Vec<f32> = one
            .iter()
            .chain(&one)
            .enumerate()
            .map(|(i, v)| if i < 8 { *v } else { 2.0 * v })
            .collect();
        let with = |tokens| OutputPooling {
            tokens,
            special_tokens: 2,
            ..OutputPooling::default()
        };
        let got = pooled(with(TokenPooling::Cls), &[2, 4, 2], &two).unwrap();
        close(&got[..2], &[1.0, 2.0]);
        assert_eq!(got[..2], got[2..]);
        close(
            &pooled(with(TokenPooling::Mean), &[1, 4, 2], &one).unwrap(),
            &[4.0, 2.0],
        );
        let gem = TokenPooling::Gem { p: 3.0 };
        let want = [76_f64.cbrt(), 256_f64.cbrt()];
        close(&pooled(with(gem), &[1, 4, 2], &one).unwrap(), &want);
        let none_left = OutputPooling {
            special_tokens: 4,
            ..with(gem)
        };
        assert!(
            pooled(none_left, &[1, 4, 2], &one)
                .unwrap_err()
                .contains("4 tokens")
        );
    }

    #[test]
    fn maps_and_rows() {
        let map = [1.0, 3.0, -2.0, 4.0];
        let with = |map| OutputPooling {
            map,
            ..OutputPooling::default()
        };
        let shape = [1, 2, 1, 2];
        close(&pooled(with(MapPooling::Mac), &shape, &map).unwrap(), &[3.0, 4.0]);
        close(
            &pooled(with(MapPooling::Spoc), &shape, &map).unwrap(),
            &[2.0, 1.0],
        );
        let gem = MapPooling::Gem { p: 2.0 };
        let want = [5_f64.sqrt(), 8_f64.sqrt()];
        close(&pooled(with(gem), &shape, &map).unwrap(), &want);
        close(
            &pooled(OutputPooling::default(), &[1, 2], &[3.0, 4.0]).unwrap(),
            &[3.0, 4.0],
        );
        assert!(pooled(OutputPooling::default(), &[4], &map).is_err());
    }

    #[test]
    fn what_is_no_number_shows() {
        let data = [1.0, 1.0, f32::NAN, 1.0];
        for map in [MapPooling::Mac, MapPooling::Spoc, MapPooling::default()] {
            let pooling = OutputPooling {
                map,
                ..OutputPooling::default()
            };
            assert!(
                pooled(pooling, &[1, 2, 1, 2], &data).unwrap()[1].is_nan(),
                "{map}"
            );
        }
        for tokens in [TokenPooling::Mean, TokenPooling::Gem { p: 3.0 }] {
            let pooling = OutputPooling {
                tokens,
                ..OutputPooling::default()
            };
            assert!(
                pooled(pooling, &[1, 2, 2], &data).unwrap()[0].is_nan(),
                "{tokens}"
            );
        }
    }

    #[test]
    fn names() {
        assert_eq!("gem:2.5".parse(), Ok(TokenPooling::Gem { p: 2.5 }));
        assert_eq!("gem".parse(), Ok(MapPooling::Gem { p: 3.0 }));
        assert!("gem:0".parse::<MapPooling>().is_err() && "max".parse::<TokenPooling>().is_err());
        let pooling = OutputPooling {
            tokens: TokenPooling::Gem { p: 2.5 },
            special_tokens: 5,
            map: MapPooling::Mac,
        };
        let names = [2, 3, 4].map(|axes| pooling.name_for(axes));
        assert_eq!(names, ["as-is", "gem-p2.5-special5", "mac"]);
        assert_eq!(OutputPooling::default().name_for(3), "cls");
    }
}
