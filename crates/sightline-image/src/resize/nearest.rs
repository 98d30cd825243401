//! The nearest pixel (Pillow's `ImagingScaleAffine`).

use super::{ResizeError, View, allocate};

/// Copies for every output the source pixel below its centre.
pub(super) fn resize(
    source: View<'_>,
    size: (usize, usize),
    region: [f32; 4],
) -> Result<Vec<u8>, ResizeError> {
    let (width, height) = size;
    let [left, top, right, bottom] = region;
    let channels = source.channels;
    let columns = positions(left, right, width, source.width);
    let rows = positions(top, bottom, height, source.height);
    let mut data = allocate(width, height, channels)?;
    for (target, row) in data.chunks_exact_mut(width * channels).zip(rows) {
        let Some(row) = row else { continue };
        let row = source.row(row);
        for (target, column) in target.chunks_exact_mut(channels).zip(&columns) {
            if let Some(column) = column {
                target.copy_from_slice(&row[column * channels..][..channels]);
            }
        }
    }
    Ok(data)
}

/// The source position of every output, `None` where rounding leads past the edge (Pillow leaves black there).
///
/// Positions are summed up step by step, as Pillow does: a product would round differently.
fn positions(from: f32, to: f32, output: usize, input: usize) -> Vec<Option<usize>> {
    let step = f64::from(to - from) / output as f64;
    let mut at = f64::from(from) + step * 0.5;
    (0..output)
        .map(|_| {
            let position = at as usize;
            at += step;
            (position < input).then_some(position)
        })
        .collect()
}
