//! An ASMK index of features that are drawn: how long it takes to build and to ask, and what it weighs.
//!
//! Two kinds of data. *Drawn words*: the word of a feature follows a Zipf distribution and its residual is noise, so any
//! size can be made without assigning words. *Drawn descriptors*: the formula of the table in `tests/golden/asmk`, where
//! words are assigned to a codebook too.

use super::machine::{MemoryWatch, cpu_seconds};
use super::noise::values;
use super::rounds::once;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sightline_checkpoint::formula::uniform;
use sightline_local::asmk::{
    Aggregated, AsmkError, AsmkSettings, BuildSettings, Builder, Index, aggregate, search,
};
use sightline_local::{Codebook, CodebookError};
use std::path::Path;
use std::time::Instant;

/// Features that are drawn at once.
const AT_ONCE: usize = 1 << 18;
/// Streams of noise.
const WORDS: u64 = 11;
const RESIDUALS: u64 = 12;
const QUERY_WORDS: u64 = 13;
const QUERY_NOISE: u64 = 14;
/// Share of noise in the descriptors of the formula, and how many classes of images it has.
const NOISE: f64 = 0.5;
const CLASSES: usize = 50;

/// What is built and asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsmkSize {
    /// Images.
    pub images: usize,
    /// Features of an image.
    pub features: usize,
    /// Length of a descriptor.
    pub dim: usize,
    /// Words of the codebook.
    pub words: usize,
    /// Exponent of the words' Zipf distribution; none: descriptors are drawn, and assigned to words.
    pub zipf: Option<f64>,
    /// Queries.
    pub queries: usize,
    /// Best images wanted for each.
    pub k: usize,
    /// Bytes of entries in memory while building.
    pub memory: usize,
}

/// Wall and processor seconds of a step, summed over what it was done to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Wall time.
    pub s: f64,
    /// Processor time over all threads, where the system tells it.
    pub cpu_s: Option<f64>,
}

/// How long building and asking took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsmkTimes {
    /// Images.
    pub images: usize,
    /// Entries: a vector for each word of an image.
    pub entries: usize,
    /// Imbalance of the words, 1 where all have as many entries.
    pub imbalance: f64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the file for each image.
    pub bytes_per_image: f64,
    /// Bytes of vector and id for each entry.
    pub bytes_per_entry: usize,
    /// Assigning words; none where they are drawn.
    pub quantise: Option<Step>,
    /// Aggregating.
    pub aggregate: Step,
    /// Putting entries in, sorting and merging them into the file.
    pub add: Step,
    /// Most bytes in memory beyond mapped files while building.
    pub build_memory: Option<u64>,
    /// Seconds a query, one after another, from descriptors (and drawn words) to the best images: the middle.
    pub query_p50_s: f64,
    /// The 99th of 100.
    pub query_p99_s: f64,
    /// The mean, wall and processor.
    pub query: Step,
    /// All queries at once, wall and processor, in seconds a query.
    pub query_together: Step,
    /// Most bytes in memory beyond mapped files while asking.
    pub search_memory: Option<u64>,
    /// Mean number of distinct words of a query.
    pub query_words: f64,
    /// Mean number of entries of a query's words.
    pub query_entries: f64,
    /// Score of the best image of the first queries.
    pub best_scores: Vec<f64>,
    /// Queries whose best image is the one they were made from, or of its class.
    pub found: usize,
}

/// Builds an index at `path` and asks it. `progress` is told how many images are in.
///
/// # Errors
/// When the disk refuses, or sizes are out of bounds.
pub fn time_asmk(
    path: &Path,
    size: AsmkSize,
    how: &AsmkSettings,
    progress: &mut dyn FnMut(usize),
) -> Result<AsmkTimes, AsmkError> {
    let data = Data::new(size, how)?;
    let watch = MemoryWatch::begin();
    let settings = BuildSettings { memory: size.memory };
    let card = how.card(&data.codebook, None);
    let mut builder = Builder::new(path, card, settings)?;
    let [mut quantise, mut aggregating, mut add] = [Step::default(); 3];
    let at_once = (AT_ONCE / size.features.max(1)).max(1);
    for first in (0..size.images).step_by(at_once) {
        let images = first..(first + at_once).min(size.images);
        let mut drawn: Vec<Drawn> = images
            .clone()
            .into_par_iter()
            .map(|image| data.image(image))
            .collect();
        let aggregated = data.aggregate(&mut drawn, how.assignment, &mut quantise, &mut aggregating)?;
        add.of(|| {
            for (image, aggregated) in images.clone().zip(&aggregated) {
                builder.push(&format!("image{image}"), aggregated)?;
            }
            Ok(())
        })?;
        progress(images.end);
    }
    add.of(|| builder.finish(&mut |_, _| {}))?;
    let build_memory = watch.end();

    let watch = MemoryWatch::begin();
    let index = Index::open(path)?;
    let mut ask = Step::default();
    let (mut each, mut queries, mut found, mut best_scores) = (Vec::new(), Vec::new(), 0, Vec::new());
    for number in 0..=size.queries {
        // The first is asked twice, and only the second time counts.
        let query = number.saturating_sub(1);
        let (drawn, right) = data.query(query);
        let (start, before) = (Instant::now(), cpu_seconds());
        let [mut unused, mut also_unused] = [Step::default(); 2];
        let aggregated = data.aggregate(&mut [drawn], how.query_assignment, &mut unused, &mut also_unused)?;
        let hits = search(&index, &aggregated, &how.kernel, Some(size.k))?;
        if number == 0 {
            continue;
        }
        each.push(start.elapsed().as_secs_f64());
        ask.more(start, before);
        let best = hits.first().and_then(|hits| hits.first());
        found += usize::from(best.is_some_and(|best| right(best.id as usize)));
        best_scores.extend(best.map(|best| best.score));
        queries.extend(aggregated);
    }
    let (wall, cpu) = once(|| search(&index, &queries, &how.kernel, Some(size.k)).map(drop))?;
    let count = queries.len().max(1) as f64;
    each.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = (share * each.len() as f64).ceil() as usize;
        each.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
    };
    let words = queries.iter().flat_map(|query| &query.words);
    let query_entries: usize = words.map(|word| index.entries_of(*word).0.len()).sum();
    let file_bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    best_scores.truncate(3);
    Ok(AsmkTimes {
        images: index.images(),
        entries: index.entries(),
        imbalance: index.stats().imbalance_factor_of_vw,
        file_bytes,
        bytes_per_image: file_bytes as f64 / index.images().max(1) as f64,
        bytes_per_entry: 4 * index.card().units() + 4,
        quantise: size.zipf.is_none().then_some(quantise),
        aggregate: aggregating,
        add,
        build_memory,
        query_p50_s: quantile(0.5),
        query_p99_s: quantile(0.99),
        query: ask.divided(count),
        query_together: Step { s: wall, cpu_s: cpu }.divided(count),
        search_memory: watch.end(),
        query_words: queries.iter().map(|query| query.words.len()).sum::<usize>() as f64 / count,
        query_entries: query_entries as f64 / count,
        best_scores,
        found,
    })
}

impl Step {
    pub(super) fn of<T, E>(&mut self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let (start, before) = (Instant::now(), cpu_seconds());
        let made = work()?;
        self.more(start, before);
        Ok(made)
    }

    fn more(&mut self, start: Instant, before: Option<f64>) {
        self.s += start.elapsed().as_secs_f64();
        let cpu = before.and_then(|before| Some(cpu_seconds()? - before));
        self.cpu_s = cpu.map(|cpu| cpu + self.cpu_s.unwrap_or(0.0)).or(self.cpu_s);
    }

    fn divided(self, by: f64) -> Self {
        Self {
            s: self.s / by,
            cpu_s: self.cpu_s.map(|cpu| cpu / by),
        }
    }
}

/// The features of an image.
struct Drawn {
    /// [features, dim]: residuals where words are drawn.
    descriptors: Vec<f32>,
    /// The words of each feature, where they are drawn.
    words: Vec<u32>,
}

struct Data {
    size: AsmkSize,
    binary: bool,
    query_assignment: usize,
    /// All zero where words are drawn, so that descriptors are their own residuals.
    codebook: Codebook,
    /// Shares of the words up to each, where words are drawn.
    cumulated: Vec<f64>,
    /// Descriptors that the images of a class share, where descriptors are drawn.
    base: Vec<f64>,
}

impl Data {
    fn new(size: AsmkSize, how: &AsmkSettings) -> Result<Self, AsmkError> {
        let (mut cumulated, mut base) = (Vec::new(), Vec::new());
        let centroids = if let Some(exponent) = size.zipf {
            let mut sum = 0.0;
            cumulated.extend((1..=size.words).map(|rank| {
                sum += 1.0 / (rank as f64).powf(exponent);
                sum
            }));
            cumulated.iter_mut().for_each(|share| *share /= sum);
            vec![0.0; size.words * size.dim]
        } else {
            base = uniform("asmk.perf.base", 1, CLASSES * size.features * size.dim);
            let words = uniform("asmk.perf.codebook", 1, size.words * size.dim);
            words.into_iter().map(|value| value as f32).collect()
        };
        Ok(Self {
            size,
            binary: how.binary,
            query_assignment: how.query_assignment,
            codebook: Codebook::new(size.dim, centroids).map_err(unfit)?,
            cumulated,
            base,
        })
    }

    fn image(&self, image: usize) -> Drawn {
        if self.size.zipf.is_none() {
            return self.of_formula("db", image);
        }
        let features = self.size.features;
        let values_of = features * self.size.dim;
        Drawn {
            descriptors: values((image * values_of) as u64, values_of, RESIDUALS),
            words: self.draw((image * features) as u64, features, WORDS),
        }
    }

    /// A query, and which images are right for it.
    fn query(&self, query: usize) -> (Drawn, Box<dyn Fn(usize) -> bool>) {
        if self.size.zipf.is_none() {
            return (
                self.of_formula("q", query),
                Box::new(move |image| image % CLASSES == query % CLASSES),
            );
        }
        // An image with noise, each feature in its word and in some that are drawn.
        let from = query * 7919 % self.size.images;
        let mut drawn = self.image(from);
        let noise = values(
            (query * drawn.descriptors.len()) as u64,
            drawn.descriptors.len(),
            QUERY_NOISE,
        );
        for (value, noise) in drawn.descriptors.iter_mut().zip(noise) {
            *value += NOISE as f32 * noise;
        }
        let more = self.query_assignment - 1;
        let others = self.draw(
            (query * self.size.features * more) as u64,
            self.size.features * more,
            QUERY_WORDS,
        );
        let mut others = others.into_iter();
        drawn.words = drawn
            .words
            .iter()
            .flat_map(|word| {
                std::iter::once(*word)
                    .chain(others.by_ref().take(more))
                    .collect::<Vec<_>>()
            })
            .collect();
        (drawn, Box::new(move |image| image == from))
    }

    fn draw(&self, first: u64, count: usize, stream: u64) -> Vec<u32> {
        let last = self.cumulated.len().saturating_sub(1);
        values(first, count, stream)
            .into_iter()
            .map(|value| (f64::from(value) + 1.0) / 2.0)
            .map(|share| self.cumulated.partition_point(|end| *end <= share).min(last) as u32)
            .collect()
    }

    fn of_formula(&self, tag: &str, image: usize) -> Drawn {
        let count = self.size.features * self.size.dim;
        let base = &self.base[image % CLASSES * count..][..count];
        let noise = uniform(&format!("asmk.perf.{tag}.{image}"), 1, count);
        Drawn {
            descriptors: base
                .iter()
                .zip(noise)
                .map(|(base, noise)| (base + NOISE * noise) as f32)
                .collect(),
            words: Vec::new(),
        }
    }

    /// Assigns words where none were drawn, and aggregates; each step is timed.
    fn aggregate(
        &self,
        images: &mut [Drawn],
        multiple: usize,
        quantise: &mut Step,
        aggregating: &mut Step,
    ) -> Result<Vec<Aggregated>, AsmkError> {
        let (dim, binary) = (self.size.dim, self.binary);
        if self.size.zipf.is_none() {
            quantise.of(|| {
                let all: Vec<f32> = images
                    .iter()
                    .flat_map(|image| image.descriptors.iter().copied())
                    .collect();
                let words = self.codebook.quantise(&all, multiple).map_err(unfit)?;
                let mut words = &words[..];
                for image in images.iter_mut() {
                    let (own, rest) = words.split_at(image.descriptors.len() / dim * multiple);
                    image.words = own.to_vec();
                    words = rest;
                }
                Ok::<(), AsmkError>(())
            })?;
        }
        let mut done = Vec::new();
        aggregating.of(|| {
            let centroids = self.codebook.centroids();
            let one =
                |image: &Drawn| aggregate(&image.descriptors, dim, &image.words, multiple, centroids, binary);
            done = images.par_iter().map(one).collect();
            Ok::<(), AsmkError>(())
        })?;
        Ok(done)
    }
}

fn unfit(error: CodebookError) -> AsmkError {
    AsmkError::Unfit(error.to_string())
}
