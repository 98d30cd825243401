//! From `--rerank spatial:...` to how rankings are verified.

use crate::output::usage;
use sightline::dataset::suggestion;
use sightline::local::spatial::{ModelKind, RerankRule, RobustSettings, SpatialReranking, Verification};
use std::str::FromStr;

const KEYS: [&str; 6] = ["like", "top", "model", "threshold", "ratio", "rule"];

/// Reads what stands behind `spatial:`, such as `top=100,model=homography`; `like` comes first where it is given.
pub(crate) fn spatial(text: &str) -> anyhow::Result<SpatialReranking> {
    let mut pairs = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let (key, value) = (key.trim(), value.trim());
        if !KEYS.contains(&key) {
            return Err(usage(format!(
                "--rerank spatial: there is no key `{key}`; there are {}{}",
                KEYS.join(", "),
                suggestion(key, KEYS)
            )));
        }
        if pairs.iter().any(|(known, _)| *known == key) {
            return Err(usage(format!("--rerank spatial: {key} is given twice")));
        }
        pairs.push((key, value));
    }
    // What others did is where the other keys begin.
    pairs.sort_by_key(|(key, _)| *key != "like");
    let mut how = SpatialReranking::default();
    for (key, value) in pairs {
        match key {
            "like" => {
                how.verification = match value {
                    "delg" => Verification::delg(),
                    "delf" => Verification::delf(),
                    _ => return Err(wrong(key, value, "delg or delf")),
                }
            }
            "top" => how.top = number(key, value, |top: &usize| *top > 0)?,
            "model" => {
                let kind = ModelKind::named(value);
                let kind = kind.ok_or_else(|| wrong(key, value, "similarity, affine or homography"))?;
                let model = &mut how.verification.model;
                *model = RobustSettings {
                    threshold: model.threshold,
                    ..RobustSettings::of(kind)
                };
            }
            "threshold" => {
                how.verification.model.threshold =
                    number(key, value, |pixels: &f64| *pixels > 0.0 && pixels.is_finite())?;
            }
            "ratio" => {
                let ratio = number(key, value, |ratio: &f64| *ratio > 0.0 && *ratio <= 1.0)?;
                how.verification.matching.ratio = Some(ratio);
            }
            _ => {
                how.rule = match value {
                    "top" => RerankRule::Top,
                    "all" => RerankRule::All,
                    _ => return Err(wrong(key, value, "top (DELG's rule) or all (DELF's)")),
                }
            }
        }
    }
    Ok(how)
}

/// What a card says of it.
pub(crate) fn card(how: &SpatialReranking) -> serde_json::Value {
    let (matching, model) = (&how.verification.matching, &how.verification.model);
    serde_json::json!({
        "method": "spatial",
        "top": how.top,
        "rule": match how.rule {
            RerankRule::Top => "top",
            RerankRule::All => "all",
        },
        "model": model.kind.name(),
        "threshold": model.threshold,
        "confidence": model.confidence,
        "samples": model.max_samples,
        "seed": model.seed,
        "mutual": matching.mutual,
        "ratio": matching.ratio,
        "max_distance": matching.max_distance,
    })
}

fn number<T: FromStr>(key: &str, value: &str, fits: impl Fn(&T) -> bool) -> anyhow::Result<T> {
    let found = value.parse().ok().filter(fits);
    found.ok_or_else(|| wrong(key, value, "a number above 0"))
}

fn wrong(key: &str, value: &str, wanted: &str) -> anyhow::Error {
    usage(format!("--rerank spatial: {key}={value} should be {wanted}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_may_come_in_any_order() {
        let how = spatial("top=50, model=affine,like=delf,threshold=8,rule=all").unwrap();
        assert_eq!((how.top, how.rule), (50, RerankRule::All));
        assert_eq!(how.verification.model.kind, ModelKind::Affine);
        assert_eq!(how.verification.model.threshold, 8.0);
        assert_eq!(how.verification.matching, Verification::delf().matching);
        assert_eq!(spatial("").unwrap(), SpatialReranking::default());
        for wrong in [
            "top=0",
            "model=cube",
            "tpo=3",
            "top=3,top=4",
            "ratio=2",
            "threshold=x",
        ] {
            assert!(spatial(wrong).is_err(), "{wrong}");
        }
    }
}
