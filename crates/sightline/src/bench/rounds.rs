//! The same work several times.

use super::machine::cpu_seconds;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Times of several rounds of the same work, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Rounds that were timed.
    pub rounds: usize,
    /// Wall time of the quickest.
    pub min_s: f64,
    /// Median wall time.
    pub median_s: f64,
    /// Least processor time of a round, over all threads, where the system tells it.
    pub cpu_min_s: Option<f64>,
}

impl Times {
    /// Of wall and processor times, one each round; none where there was no round.
    pub fn of(wall: &[f64], cpu: &[Option<f64>]) -> Option<Self> {
        let mut sorted = wall.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median_s = match sorted.len() {
            0 => return None,
            even if even % 2 == 0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
            _ => sorted[middle],
        };
        Some(Self {
            rounds: sorted.len(),
            min_s: sorted[0],
            median_s,
            cpu_min_s: cpu.iter().copied().flatten().min_by(f64::total_cmp),
        })
    }
}

/// Runs `work` once to warm up, then `rounds` times (at least once).
///
/// # Errors
/// The first that `work` gives.
pub fn timed<E>(rounds: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<Times, E> {
    work()?;
    let (mut wall, mut cpu) = (Vec::new(), Vec::new());
    loop {
        let (second, processor) = once(&mut work)?;
        wall.push(second);
        cpu.push(processor);
        if wall.len() >= rounds
            && let Some(times) = Times::of(&wall, &cpu)
        {
            return Ok(times);
        }
    }
}

/// Wall and processor seconds of running `work` once.
pub(crate) fn once<E>(work: impl FnOnce() -> Result<(), E>) -> Result<(f64, Option<f64>), E> {
    let (start, before) = (Instant::now(), cpu_seconds());
    work()?;
    let wall = start.elapsed().as_secs_f64();
    let cpu = before.and_then(|before| Some(cpu_seconds()? - before));
    Ok((wall, cpu))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn least_and_median_of_odd_and_even_rounds() {
        let times = Times::of(&[3.0, 1.0, 2.0], &[None, Some(0.5), Some(0.25)]).unwrap();
        assert_eq!(
            (times.min_s, times.median_s, times.cpu_min_s),
            (1.0, 2.0, Some(0.25))
        );
        let times = Times::of(&[4.0, 1.0, 2.0, 3.0], &[None; 4]).unwrap();
        assert_eq!((times.rounds, times.median_s, times.cpu_min_s), (4, 2.5, None));
        assert_eq!(Times::of(&[], &[]), None);
    }

    #[test]
    fn one_round_warms_up() {
        let mut calls = 0;
        let times = timed(3, || {
            calls += 1;
            Ok::<(), ()>(())
        });
        assert_eq!((calls, times.unwrap().rounds), (4, 3));
        assert_eq!(timed(3, || Err("stop")), Err("stop"));
    }
}
