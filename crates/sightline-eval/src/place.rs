//! Recall@N of place recognition.
//!
//! Source: the test of Nanne/pytorch-NetVlad's `main.py`. A query counts for N if any of its N nearest images is
//! among its positives (images within 25 m); the divisor is all queries, also those without positives.

/// Default N of Recall@N.
pub const NS: [usize; 4] = [1, 5, 10, 20];

/// Recall@N from the 0-based position of each query's first positive; none where it has none or none was found.
/// NaN without queries.
///
/// ```
/// assert_eq!(sightline_eval::place::recall(&[Some(0), Some(4), None, Some(5)], 5), 0.5);
/// ```
pub fn recall(first_positives: &[Option<usize>], n: usize) -> f64 {
    let hits = first_positives
        .iter()
        .filter(|first| first.is_some_and(|place| place < n));
    hits.count() as f64 / first_positives.len() as f64
}
