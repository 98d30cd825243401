//! A map that many matches agree on, among others that are wrong.
//!
//! RANSAC with what was added to it since: samples of the best matches first (PROSAC), refusal of samples that no camera
//! makes, Wald's test that stops judging a bad map early (Matas and Chum, "Randomized RANSAC with sequential probability
//! ratio test", ICCV 2005), truncated squares as score (MSAC), refinement of every best map by least squares over its inliers
//! (Chum, Matas and Kittler, "Locally optimized RANSAC", DAGM 2003), and as many samples as the share of inliers asks for.
//! The frame is that of USAC (Raguram et al., PAMI 2013). The same matches and seed give the same answer on every machine.

use super::model::{ModelKind, PointMatch, SpatialModel};
use super::points::{Points, Score};
use super::random::Random;
use super::sampler::Sampler;
use super::spread::determines;
use super::wald::Wald;
use super::{enough, least_squares, minimal};

/// What is looked for, and how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustSettings {
    /// The family of maps.
    pub kind: ModelKind,
    /// An inlier's place in the second picture is less than this far from where the map puts it, in pixels.
    pub threshold: f64,
    /// Chance at which the best map shall be found; 1 makes it always try `max_samples`.
    pub confidence: f64,
    /// Most samples to try.
    pub max_samples: usize,
    /// Fewer inliers are no map at all. At least one more than determine it: a map through its own sample shows nothing.
    pub min_inliers: usize,
    /// Whether maps may turn the picture over. Two photographs of one thing never do.
    pub mirrored: bool,
    /// Another seed draws other samples.
    pub seed: u64,
}

impl RobustSettings {
    /// The usual ones for a kind: 3 pixels, 99.9 %, at most 5000 samples, no mirrors.
    #[must_use]
    pub fn of(kind: ModelKind) -> Self {
        Self {
            kind,
            threshold: 3.0,
            confidence: 0.999,
            max_samples: 5000,
            min_inliers: kind.sample_size() + 1,
            mirrored: false,
            seed: 0,
        }
    }
}

/// A map and the matches that agree with it.
#[derive(Clone, Debug, PartialEq)]
pub struct RobustFit {
    /// The map with the least sum of squared forward transfer errors over the inliers.
    pub model: SpatialModel,
    /// Which matches agree with it, ascending.
    pub inliers: Vec<u32>,
    /// Samples that were tried.
    pub samples: usize,
}

/// The map from the first picture's places to the second's that most matches agree with, or none where no map has
/// enough inliers, or they do not determine it (all in one place, on a line).
///
/// `order` lists all matches, best first; without it (empty) none counts as better. Matches whose coordinates are no
/// numbers, or beyond 1e9 pixels, are never inliers.
#[must_use]
pub fn robust_fit(matches: &[PointMatch], order: &[u32], settings: &RobustSettings) -> Option<RobustFit> {
    let size = settings.kind.sample_size();
    if matches.len() <= size
        || matches.len() > u32::MAX as usize
        || settings.threshold.is_nan()
        || settings.threshold <= 0.0
    {
        return None;
    }
    let mut random = Random::new(settings.seed);
    // Judging begins with the first places, so those must speak for all.
    let places = random.permutation(matches.len());
    let points = Points::new(
        places.iter().map(|&index| matches[index as usize]).collect(),
        settings.threshold,
    );
    let mut search = Search {
        settings,
        points,
        by_quality: by_quality(&places, order),
        random,
        best: None,
    };
    let samples = search.run();
    let best = search.best.take()?;
    let (matrix, inliers) = search.finish(best);
    if inliers.len() < settings.min_inliers.max(size + 1) || !search.determined(&inliers) {
        return None;
    }
    let mut inliers: Vec<u32> = inliers.iter().map(|&place| places[place as usize]).collect();
    inliers.sort_unstable();
    Some(RobustFit {
        model: SpatialModel::scaled(matrix)?,
        inliers,
        samples,
    })
}

/// The places of matches by quality; empty where `order` is, or is no order of all matches.
fn by_quality(places: &[u32], order: &[u32]) -> Vec<u32> {
    const NOWHERE: u32 = u32::MAX;
    let mut place_of = vec![NOWHERE; places.len()];
    for (place, &index) in (0..).zip(places) {
        place_of[index as usize] = place;
    }
    let mut found = Vec::with_capacity(order.len());
    for &index in order {
        match place_of.get_mut(index as usize) {
            Some(place) if *place != NOWHERE => found.push(std::mem::replace(place, NOWHERE)),
            _ => return Vec::new(),
        }
    }
    if found.len() == places.len() {
        found
    } else {
        Vec::new()
    }
}

/// A map `[3, 3]` and how well it fits.
#[derive(Clone, Copy)]
struct Judged {
    matrix: [f64; 9],
    score: Score,
}

struct Search<'a> {
    settings: &'a RobustSettings,
    points: Points,
    /// Places of the matches, best first; empty: none is better.
    by_quality: Vec<u32>,
    random: Random,
    best: Option<Judged>,
}

impl Search<'_> {
    /// Tries samples until they are enough; how many they were.
    fn run(&mut self) -> usize {
        let RobustSettings {
            kind,
            max_samples,
            mirrored,
            ..
        } = *self.settings;
        let mut sampler = Sampler::new(
            self.points.len(),
            kind.sample_size(),
            !self.by_quality.is_empty(),
            max_samples,
        );
        let mut test = Wald::new(enough::least_share(kind.sample_size(), max_samples));
        let mut enough = max_samples;
        let mut drawn = [0; 4];
        let drawn = &mut drawn[..kind.sample_size()];
        let mut sample = [PointMatch::default(); 4];
        let sample = &mut sample[..kind.sample_size()];
        let mut samples = 0;
        while samples < enough {
            samples += 1;
            sampler.draw(&mut self.random, drawn);
            for (one, &place) in sample.iter_mut().zip(&*drawn) {
                let place = self.by_quality.get(place).map_or(place, |&place| place as usize);
                *one = self.points.get(place);
            }
            let Some(matrix) = minimal::through(kind, sample, mirrored) else {
                continue;
            };
            let mut judge = test.begin();
            let going_on = |inliers| judge.goes_on(inliers);
            let Some(score) = self.points.score_while(&matrix, samples, going_on) else {
                continue;
            };
            if self.accept(Judged { matrix, score }) {
                enough = self.enough();
                if let Some(best) = &self.best {
                    test.expect(best.score.inliers as f64 / self.points.len() as f64);
                }
            }
        }
        samples
    }

    /// Takes a map, refined, as the best one if it is better and determined by its inliers.
    fn accept(&mut self, found: Judged) -> bool {
        let better = |one: &Judged, best: &Option<Judged>| {
            best.as_ref()
                .is_none_or(|best| one.score.value > best.score.value)
        };
        let size = self.settings.kind.sample_size();
        if found.score.inliers <= size || !better(&found, &self.best) {
            return false;
        }
        let refined = self.refined(found);
        let inliers = self.points.within(&refined.matrix, 1.0);
        if !better(&refined, &self.best) || !self.determined(&inliers) {
            return false;
        }
        self.best = Some(refined);
        true
    }

    /// Least squares over the inliers, first of a wide threshold, then of the true one.
    fn refined(&mut self, found: Judged) -> Judged {
        const WIDTHS: [f64; 4] = [2.0, 1.5, 1.0, 1.0];
        const MATCHES: usize = 100;
        const STEPS: usize = 2;
        let (mut best, mut now) = (found, found.matrix);
        for width in WIDTHS {
            let mut chosen = self.points.within(&now, width);
            // So many are enough to come near; the end takes all.
            for place in 0..MATCHES.min(chosen.len()) {
                let other = place + self.random.below(chosen.len() - place);
                chosen.swap(place, other);
            }
            chosen.truncate(MATCHES);
            let Some(matrix) = self.least_squares(&chosen, &now, STEPS) else {
                break;
            };
            now = matrix;
            let score = self.points.score(&matrix);
            if score.value > best.score.value {
                best = Judged { matrix, score };
            }
        }
        best
    }

    /// Least squares over all inliers until they stay the same: the map and its inliers, as places.
    fn finish(&self, best: Judged) -> ([f64; 9], Vec<u32>) {
        const ROUNDS: usize = 10;
        let mut best = best;
        let mut inliers = self.points.within(&best.matrix, 1.0);
        let mut now = (best.matrix, inliers.clone());
        for _ in 0..ROUNDS {
            let Some(matrix) = self.least_squares(&now.1, &now.0, least_squares::TO_THE_END) else {
                break;
            };
            let found = self.points.within(&matrix, 1.0);
            let score = self.points.score(&matrix);
            let settled = found == now.1;
            if settled || score.value > best.score.value {
                best = Judged { matrix, score };
                inliers.clone_from(&found);
            }
            if settled {
                break;
            }
            now = (matrix, found);
        }
        (best.matrix, inliers)
    }

    fn least_squares(&self, places: &[u32], start: &[f64; 9], steps: usize) -> Option<[f64; 9]> {
        let matches = self.matches(places);
        let matrix = least_squares::fit(self.settings.kind, &matches, start, steps)?;
        // Few matches without sense may turn over what their sample did not.
        (self.settings.mirrored || !SpatialModel { matrix }.mirrors()).then_some(matrix)
    }

    fn determined(&self, places: &[u32]) -> bool {
        determines(self.settings.kind, &self.matches(places), self.settings.threshold)
    }

    fn matches(&self, places: &[u32]) -> Vec<PointMatch> {
        places
            .iter()
            .map(|&place| self.points.get(place as usize))
            .collect()
    }

    /// How many samples are enough for the best map.
    fn enough(&self) -> usize {
        let RobustSettings {
            kind,
            confidence,
            max_samples,
            ..
        } = *self.settings;
        let Some(best) = &self.best else {
            return max_samples;
        };
        let chance = enough::chance(best.score.inliers, self.points.len(), kind.sample_size());
        enough::samples(chance * (1.0 - 1.0 / Wald::LIMIT), confidence, max_samples)
    }
}
