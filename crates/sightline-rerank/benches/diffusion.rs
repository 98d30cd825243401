//! `cargo bench -p sightline-rerank --bench diffusion -- IMAGES DIM CLUSTERS FORM [KEY=VALUE,...]`: diffusion of 70 queries over clustered descriptors,
//! with the peak of memory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use sightline_rerank::{Diffusion, Rankings, Reranker, Settings};
use sightline_search::Rows;
use std::time::Instant;

const QUERIES: usize = 70;

/// Unit rows around `clusters` centres, with noise of three quarters of their length.
fn clustered(count: usize, dim: usize, clusters: usize, seed: u64) -> Vec<f32> {
    let value = |name: u64, at: usize| {
        let mut z = (name << 40 ^ at as u64)
            .wrapping_add(1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ z >> 31) >> 40) as f32 / (1 << 24) as f32).mul_add(2.0, -1.0)
    };
    let mut rows = Vec::with_capacity(count * dim);
    for row in 0..count {
        let centre = row % clusters;
        let of_row = (0..dim).map(|d| value(0, centre * dim + d) + 0.75 * value(seed, row * dim + d));
        rows.extend(of_row);
        let start = row * dim;
        let length = rows[start..].iter().map(|x: &f32| x * x).sum::<f32>().sqrt();
        rows[start..].iter_mut().for_each(|x| *x /= length);
    }
    rows
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let number = |at: usize, otherwise: usize| arguments.get(at).map_or(otherwise, |n| n.parse().unwrap());
    let (images, dim, clusters) = (number(0, 20_000), number(1, 512), number(2, 1000));
    let form = arguments.get(3).map_or("offline", String::as_str);
    let more = arguments.get(4).map_or("", String::as_str);
    let text = format!("form={form},{more}");
    let settings = Settings::read("diffusion", &text, Diffusion::KEYS).unwrap();
    let mut stage = Diffusion::from_settings(&settings).unwrap();

    let database = clustered(images, dim, clusters, 1);
    let queries = clustered(QUERIES, dim, clusters, 2);
    let length = stage.reach(images, QUERIES);
    let rows = |values| Rows::f32(values, dim);
    let begun = Instant::now();
    let mut rankings =
        Rankings::search(rows(&queries), rows(&database), Vec::new(), length, Vec::new()).unwrap();
    println!(
        "{images} x {dim} in {clusters} clusters, {text}: search {:.1?}",
        begun.elapsed()
    );
    let begun = Instant::now();
    let scored = stage.rerank(&mut rankings, &|_, _, _| {}).unwrap();
    let right = rankings.lists.iter().enumerate().map(|(query, list)| {
        let same = list
            .iter()
            .take(10)
            .filter(|hit| hit.index % clusters == query % clusters);
        same.count()
    });
    println!(
        "diffusion {:.1?}; {} scores a query; {} of {} first answers of the right cluster; peak {} MB",
        begun.elapsed(),
        scored.iter().sum::<usize>() / QUERIES,
        right.sum::<usize>(),
        10 * QUERIES,
        peak() / 1024
    );
}

/// The most memory held so far, in KB (Linux).
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.map_or(0, |number| number.parse().unwrap_or(0))
}
