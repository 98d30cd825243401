//! Linear interpolation between neighbouring pixels, with OpenCV's coordinates and fixed point.

use super::{Geometry, Samples};

/// Where between the source pixels an output pixel lies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grid {
    /// Centres on centres, coordinates rounded to float32 (`INTER_LINEAR` of bytes).
    Linear,
    /// The same with coordinates of float64 (`INTER_LINEAR` of floats, where OpenCV's fast path is taken: that of float32
    /// coordinates would be up to 6e-4 of 255 away).
    Precise,
    /// Edges on edges (`INTER_AREA` when a side grows).
    Area,
}

/// The position before an output pixel's coordinate (-1 at the lower edge, possibly) and the share of the one after it.
#[derive(Clone, Copy)]
struct Place {
    before: i64,
    share: f32,
}

fn places(grid: Grid, output: usize, scale: f64, growth: f64) -> impl Iterator<Item = Place> {
    (0..output).map(move |index| match grid {
        Grid::Linear => {
            let at = ((index as f64 + 0.5) * scale - 0.5) as f32;
            let before = at.floor();
            Place {
                before: before as i64,
                share: at - before,
            }
        }
        Grid::Precise => {
            let at = (index as f64 + 0.5) * scale - 0.5;
            let before = at.floor();
            Place {
                before: before as i64,
                share: (at - before) as f32,
            }
        }
        Grid::Area => {
            let before = (index as f64 * scale).floor();
            let share = ((index as f64 + 1.0) - (before + 1.0) * growth) as f32;
            let share = if share <= 0.0 { 0.0 } else { share - share.floor() };
            Place {
                before: before as i64,
                share,
            }
        }
    })
}

/// First and second source position along a row, edges repeated, and the share of the second.
fn across(grid: Grid, geometry: &Geometry) -> Vec<(usize, usize, f32)> {
    let last = geometry.from.0 - 1;
    places(grid, geometry.to.0, geometry.scale.0, geometry.growth.0)
        .map(|place| match usize::try_from(place.before) {
            Err(_) => (0, 1.min(last), 0.0),
            Ok(before) if before >= last => (last, last, 0.0),
            Ok(before) => (before, before + 1, place.share),
        })
        .collect()
}

/// First and second source row, each clamped to the picture, and the share of the second, which stays as it is.
fn down(grid: Grid, geometry: &Geometry) -> Vec<(usize, usize, f32)> {
    let last = geometry.from.1 as i64 - 1;
    places(grid, geometry.to.1, geometry.scale.1, geometry.growth.1)
        .map(|place| {
            let row = |row: i64| row.clamp(0, last) as usize;
            (
                row(place.before),
                row(place.before.saturating_add(1)),
                place.share,
            )
        })
        .collect()
}

/// A share of the second neighbour as the two weights of 11 bits.
fn weights(share: f32) -> (i32, i32) {
    let weight = |share: f32| (share * 2048.0).round_ties_even() as i32;
    (weight(1.0 - share), weight(share))
}

/// 8-bit samples, in OpenCV's fixed point.
pub(super) fn bytes(source: &Samples<'_, u8>, geometry: &Geometry, grid: Grid, target: &mut [u8]) {
    let channels = source.channels;
    let stride = geometry.from.0 * channels;
    let target_stride = geometry.to.0 * channels;
    let columns: Vec<_> = across(grid, geometry)
        .into_iter()
        .map(|(first, second, share)| (first * channels, second * channels, weights(share)))
        .collect();
    let fill = |line: &mut Line<i32>, row: usize| {
        if line.row == Some(row) {
            return;
        }
        line.row = Some(row);
        let source = &source.data[row * stride..][..stride];
        for (values, (first, second, (a, b))) in line.values.chunks_exact_mut(channels).zip(&columns) {
            for (channel, value) in values.iter_mut().enumerate() {
                let (p, q) = (source[first + channel], source[second + channel]);
                *value = i32::from(p) * a + i32::from(q) * b;
            }
        }
    };
    let mut near = Line {
        row: None,
        values: vec![0; target_stride],
    };
    let mut far = Line {
        row: None,
        values: vec![0; target_stride],
    };
    let rows = down(grid, geometry);
    for ((first, second, share), target) in rows.into_iter().zip(target.chunks_exact_mut(target_stride)) {
        if far.row == Some(first) {
            std::mem::swap(&mut near, &mut far);
        }
        fill(&mut near, first);
        fill(&mut far, second);
        let (a, b) = weights(share);
        for ((target, near), far) in target.iter_mut().zip(&near.values).zip(&far.values) {
            let sum = ((a * (near >> 4)) >> 16) + ((b * (far >> 4)) >> 16);
            *target = ((sum + 2) >> 2).clamp(0, 255) as u8;
        }
    }
}

/// A source row resampled to the output's width.
struct Line<T> {
    row: Option<usize>,
    values: Vec<T>,
}

/// Float planes, one after another.
pub(super) fn planes(source: &[f32], geometry: &Geometry, target: &mut [f32]) {
    let (width, height) = geometry.from;
    let columns = across(Grid::Precise, geometry);
    let rows = down(Grid::Precise, geometry);
    let mut near = Line {
        row: None,
        values: vec![0.0; geometry.to.0],
    };
    let mut far = Line {
        row: None,
        values: vec![0.0; geometry.to.0],
    };
    let targets = target.chunks_exact_mut(geometry.to.0 * geometry.to.1);
    for (plane, target) in source.chunks_exact(width * height).zip(targets) {
        let fill = |line: &mut Line<f32>, row: usize| {
            if line.row == Some(row) {
                return;
            }
            line.row = Some(row);
            let source = &plane[row * width..][..width];
            for (value, (first, second, share)) in line.values.iter_mut().zip(&columns) {
                *value = source[*first] * (1.0 - share) + source[*second] * share;
            }
        };
        near.row = None;
        far.row = None;
        for ((first, second, share), target) in rows.iter().zip(target.chunks_exact_mut(geometry.to.0)) {
            if far.row == Some(*first) {
                std::mem::swap(&mut near, &mut far);
            }
            fill(&mut near, *first);
            fill(&mut far, *second);
            for ((target, near), far) in target.iter_mut().zip(&near.values).zip(&far.values) {
                *target = near * (1.0 - share) + far * share;
            }
        }
    }
}
