//! Spatial verification as a stage: the first answers by how many local features agree with the query's.
//!
//! Source: DELG (`tools/revisitop/example_evaluate_with_local.py`) and DELF; the computation is [`SpatialReranking`]'s.

use crate::{Compares, Progress, Rankings, RerankError, Reranker, Settings, SettingsError};
use sightline_local::spatial::{ModelKind, RerankRule, RobustSettings, SpatialReranking, Verification};
use sightline_search::Hit;

const NAME: &str = "spatial";

/// Spatial verification. Scores are inliers; equal ones keep the order of the stage before. An image without local features (a distractor)
/// has none; a query without them keeps its list.
///
/// Cost: `top` pairs a query, each the product of all their descriptors and some thousand robust samples at most; memory for the matches of one pair a
/// thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spatial {
    /// How pairs are compared, how many, and by whose rule they are ordered.
    pub how: SpatialReranking,
}

impl Spatial {
    /// The keys: `like=delg|delf` sets all others to those projects'; `model=similarity|affine|homography`; `threshold` in pixels;
    /// `ratio` of nearest to second nearest; `rule=top|all`.
    pub const KEYS: &[&str] = &["like", "top", "model", "threshold", "ratio", "rule"];

    /// Reads the settings. What others did (`like`) is where the other keys begin, wherever it stands.
    ///
    /// # Errors
    /// When one has no such value.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingsError> {
        let mut how = SpatialReranking::default();
        let like = [("delg", Verification::delg()), ("delf", Verification::delf())];
        if let Some(verification) = settings.choice("like", &like)? {
            how.verification = verification;
        }
        if let Some(top) = settings.number("top", "a whole number from 1", |top: &usize| *top > 0)? {
            how.top = top;
        }
        let model = &mut how.verification.model;
        if let Some(kind) = settings.choice("model", &ModelKind::NAMES)? {
            *model = RobustSettings {
                threshold: model.threshold,
                ..RobustSettings::of(kind)
            };
        }
        let pixels = |pixels: &f64| *pixels > 0.0 && pixels.is_finite();
        if let Some(threshold) = settings.number("threshold", "a number of pixels above 0", pixels)? {
            model.threshold = threshold;
        }
        let share = |ratio: &f64| *ratio > 0.0 && *ratio <= 1.0;
        if let Some(ratio) = settings.number("ratio", "a number above 0 and at most 1", share)? {
            how.verification.matching.ratio = Some(ratio);
        }
        let rules = [("top", RerankRule::Top), ("all", RerankRule::All)];
        if let Some(rule) = settings.choice("rule", &rules)? {
            how.rule = rule;
        }
        Ok(Self { how })
    }
}

impl Reranker for Spatial {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> serde_json::Value {
        let (matching, model) = (&self.how.verification.matching, &self.how.verification.model);
        serde_json::json!({
            "top": self.how.top,
            "rule": match self.how.rule {
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

    fn compares(&self) -> Compares {
        Compares::LocalFeatures
    }

    fn reach(&self, images: usize, _queries: usize) -> usize {
        self.how.top.min(images)
    }

    fn rerank(
        &mut self,
        rankings: &mut Rankings<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<usize>, RerankError> {
        let local = rankings
            .local
            .ok_or(RerankError::NeedsLocalFeatures { method: NAME })?;
        let queries = rankings.lists.len() as u64;
        let mut scored = Vec::with_capacity(rankings.lists.len());
        for (query, list) in rankings.lists.iter_mut().enumerate() {
            progress(NAME, query as u64, queries);
            let Some(features) = (local.query)(query) else {
                scored.push(0);
                continue;
            };
            let image = |place: usize| (local.image)(list[place].index);
            // The lists hold no image that the protocol passes over.
            let found = self.how.rerank(features, list.len(), &[], image, || {});
            let verified = self.how.top.min(list.len());
            let hit = |place: usize| Hit {
                score: match place < verified {
                    true => found.inliers[place] as f32,
                    false => list[place].score,
                },
                ..list[place]
            };
            *list = found.order.iter().map(|place| hit(*place)).collect();
            scored.push(verified);
        }
        rankings.searched = false;
        progress(NAME, queries, queries);
        Ok(scored)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spatial(text: &str) -> Result<SpatialReranking, SettingsError> {
        let settings = Settings::read(NAME, text, Spatial::KEYS)?;
        Ok(Spatial::from_settings(&settings)?.how)
    }

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
