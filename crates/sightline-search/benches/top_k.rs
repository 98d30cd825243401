//! `cargo bench -p sightline-search`: exact search in GFLOP/s and GB/s, each kernel, beside a plain read of the
//! same memory. Arguments: rows, dim, queries, k.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use half::f16;
use rayon::prelude::*;
use sightline_search::{Kernel, Rows, ranks, top_k_with};
use std::hint::black_box;
use std::time::Instant;

/// Best of several runs, in seconds.
fn best_of<T>(runs: usize, mut work: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64()
    };
    (0..runs).map(once).fold(f64::INFINITY, f64::min)
}

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let value = |i: usize| {
        let mut z = (i as u64)
            .wrapping_add(seed << 40)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).into_par_iter().map(value).collect()
}

fn main() {
    let numbers: Vec<usize> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let number = |at: usize, default: usize| numbers.get(at).copied().unwrap_or(default);
    let (rows, dim, queries, k) = (number(0, 100_000), number(1, 512), number(2, 1000), number(3, 50));
    let threads = rayon::current_num_threads();
    println!("{rows} rows of {dim}, k = {k}, {threads} threads");

    let database = noise(rows * dim, 1);
    let halves: Vec<f16> = database.par_iter().map(|v| f16::from_f32(*v)).collect();
    let bytes = database.len() as f64 * 4.0;
    let read = best_of(5, || {
        let sum = |part: &[f32]| part.iter().fold(0_u32, |sum, v| sum ^ v.to_bits());
        database.par_chunks(1 << 16).map(sum).reduce(|| 0, |a, b| a ^ b)
    });
    println!(
        "plain read                      {:8.2} ms {:7.2} GB/s",
        read * 1e3,
        bytes / read / 1e9
    );

    for count in [1, 4, 32, queries] {
        let query_values = noise(count * dim, 2);
        let query_rows = Rows::f32(&query_values, dim);
        for (name, data, size) in [
            ("f32", Rows::f32(&database, dim), 4.0),
            ("f16", Rows::f16(&halves, dim), 2.0),
        ] {
            for kernel in Kernel::available() {
                if kernel == Kernel::Portable && count > 4 {
                    continue;
                }
                let runs = if count > 100 { 3 } else { 9 };
                let time = best_of(runs, || top_k_with(kernel, query_rows, data, k, None).unwrap());
                println!(
                    "{count:5} queries {name} {:9} {:8.2} ms {:7.2} GB/s {:7.1} GFLOP/s",
                    kernel.name(),
                    time * 1e3,
                    database.len() as f64 * size / time / 1e9,
                    2.0 * (count * rows * dim) as f64 / time / 1e9,
                );
            }
        }
    }

    let query_values = noise(70 * dim, 3);
    let wanted: Vec<Vec<u32>> = (0..70)
        .map(|q| (0..300).map(|i| ((q * 7919 + i * 331) % rows) as u32).collect())
        .collect();
    let time = best_of(3, || {
        ranks(Rows::f32(&query_values, dim), Rows::f32(&database, dim), &wanted).unwrap()
    });
    println!("   70 queries, ranks of 300 each {:8.2} ms", time * 1e3);
}
