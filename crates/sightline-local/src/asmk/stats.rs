//! How the entries spread over the words (`IVF.stats` of jenicek/asmk).

use super::index::Index;
use serde::Serialize;

/// What `stats` of the original says, under its names.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// Largest image id + 1.
    pub images: u64,
    /// Entries an image.
    pub vectors_per_image: f64,
    /// Mean over all words, empty ones too.
    pub mean_entries_per_vw: f64,
    /// Words without entries.
    pub empty_vw: u64,
    /// Least of all words.
    pub min_entries_per_vw: u64,
    /// Most of all words.
    pub max_entries_per_vw: u64,
    /// Population standard deviation over all words.
    pub std_of_entries_per_vw: f64,
    /// Words · Σ entries² / (Σ entries)²: 1 where all words have as many; 0 for an empty index.
    pub imbalance_factor_of_vw: f64,
}

impl Index {
    /// How the entries spread over the words.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let words = self.counts().len() as f64;
        let total = self.entries() as f64;
        let mean = total / words;
        let over_words =
            |value: &dyn Fn(f64) -> f64| self.counts().map(|count| value(count as f64)).sum::<f64>();
        Stats {
            images: self.images() as u64,
            vectors_per_image: total / self.images().max(1) as f64,
            mean_entries_per_vw: mean,
            empty_vw: self.counts().filter(|count| *count == 0).count() as u64,
            min_entries_per_vw: self.counts().min().unwrap_or(0),
            max_entries_per_vw: self.counts().max().unwrap_or(0),
            std_of_entries_per_vw: (over_words(&|count| (count - mean) * (count - mean)) / words).sqrt(),
            imbalance_factor_of_vw: words * over_words(&|count| count * count) / (total * total).max(1.0),
        }
    }
}
