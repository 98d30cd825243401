//! Which places of a picture a network looks at.

use crate::show::AttentionMap;
use crate::{Error, Model};
use sightline_image::ImageTensor;
use sightline_nn::BurnOps;
use sightline_nn::burn::tensor::{Device, Tensor, TensorData};

/// The largest second-order attention that is computed, in values: every place looks at every other.
const MOST_PAIRS: usize = 1 << 28;

/// The maps of a network over one prepared picture, by what the network has:
///
/// - local features (HOW, DELG, DELF): their strength;
/// - Token: which share of each place goes to each token;
/// - SOLAR: what one place looks at, in each of its blocks, scaled as the original draws it (power -0.75). The place is `at`, x
///   and y in pixels of the prepared picture; none: the strongest of the last map;
/// - any other: the length of the last map's vector at each place, which is what poolings weigh.
///
/// # Errors
/// When the model is an ONNX file, or the picture is too large for SOLAR's attention.
pub fn attention(
    model: &Model,
    picture: &ImageTensor,
    at: Option<[f64; 2]>,
) -> Result<Vec<AttentionMap>, Error> {
    let Some(network) = model.network() else {
        let reason = "it is an ONNX file, whose inner maps have no names";
        return Err(refused(model, reason.to_owned()));
    };
    let (width, height) = (picture.width, picture.height);
    let shape = [1, picture.channels, height, width];
    let input = || Tensor::<4>::from_data(TensorData::new(picture.data.clone(), shape), &Device::flex());
    let ops = &mut BurnOps::default();
    if let Some(maps) = network.forward_local(ops, input()) {
        return Ok(vec![map("strength", &maps.strengths)?]);
    }
    let second_order = network.architecture().head().name() == "solar";
    let cells = (width / 16 + 1).saturating_mul(height / 16 + 1);
    if second_order && cells.saturating_mul(cells) > MOST_PAIRS {
        return Err(refused(
            model,
            format!(
                "a picture of {width} x {height} pixels has too many places that look at each other; make it smaller with --size"
            ),
        ));
    }
    let drawn = if second_order {
        network.drawing()
    } else {
        network.clone()
    };
    let last = network.architecture().last_map();
    // Attention, with the size of the map before it; and the last map itself.
    let (mut seen, mut size, mut strengths) = (Vec::new(), [1, 1], None);
    drawn.forward(ops, input(), &mut |name, value| {
        if name.ends_with(".attention") {
            seen.push((name.to_owned(), value.clone(), size));
        }
        let is_map = strengths.is_none() && !name.ends_with(".attention");
        if is_map {
            let [_, _, rows, columns] = value.dims();
            size = [rows, columns];
        }
        if name == last {
            strengths = Some(value.clone().powi_scalar(2).sum_dim(1).sqrt());
        }
    });
    let strengths = strengths
        .map(|strengths| map("length of the map's vectors", &strengths))
        .transpose()?;
    let mut maps = Vec::new();
    for (name, value, size) in seen {
        let all = values(&value)?;
        let places = (size[0] * size[1]).max(1);
        if second_order {
            let cell = looking(at, strengths.as_ref(), size, [height, width]);
            maps.push(AttentionMap {
                name,
                size,
                values: all.chunks_exact(places).nth(cell).unwrap_or_default().to_vec(),
                from: Some(middle(cell, size, [height, width])),
            });
        } else {
            maps.extend(
                (1..)
                    .zip(all.chunks_exact(places))
                    .map(|(token, row)| AttentionMap {
                        name: format!("token {token}"),
                        size,
                        values: row.to_vec(),
                        from: None,
                    }),
            );
        }
    }
    maps.extend(strengths);
    Ok(maps)
}

fn refused(model: &Model, reason: String) -> Error {
    Error::NoAttention {
        path: model.source.clone(),
        reason,
    }
}

/// A map `[1, 1, h, w]`.
fn map(name: &str, value: &Tensor<4>) -> Result<AttentionMap, Error> {
    let [_, _, rows, columns] = value.dims();
    Ok(AttentionMap {
        name: name.to_owned(),
        size: [rows, columns],
        values: values(value)?,
        from: None,
    })
}

fn values(value: &Tensor<4>) -> Result<Vec<f32>, Error> {
    let failed = |error: String| Error::Network { reason: error };
    value
        .clone()
        .try_into_data_as::<f32>()
        .map_err(|error| failed(format!("{error:?}")))?
        .try_to_vec::<f32>()
        .map_err(|error| failed(format!("{error:?}")))
}

/// The cell at a pixel, else where the strongest place of the last map lies.
fn looking(
    at: Option<[f64; 2]>,
    strengths: Option<&AttentionMap>,
    [rows, columns]: [usize; 2],
    picture: [usize; 2],
) -> usize {
    let [x, y] = at.unwrap_or_else(|| {
        let strongest = strengths.map(|map| {
            let best = (0..map.values.len()).max_by(|a, b| map.values[*a].total_cmp(&map.values[*b]));
            middle(best.unwrap_or(0), map.size, picture)
        });
        strongest.unwrap_or([0.0; 2])
    });
    let cell = |place: f64, cells: usize, pixels: usize| {
        let cell = ((place + 0.5) * cells as f64 / pixels.max(1) as f64).floor();
        cell.clamp(0.0, cells.saturating_sub(1) as f64) as usize
    };
    cell(y, rows, picture[0]) * columns + cell(x, columns, picture[1])
}

/// The pixel in the middle of a cell; cells share the picture out evenly.
fn middle(cell: usize, [rows, columns]: [usize; 2], [height, width]: [usize; 2]) -> [f64; 2] {
    let place = |cell: usize, cells: usize, pixels: usize| {
        (cell as f64 + 0.5) * pixels as f64 / cells.max(1) as f64 - 0.5
    };
    [
        place(cell % columns.max(1), columns, width),
        place(cell / columns.max(1), rows, height),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn maps(architecture: &str, at: Option<[f64; 2]>) -> Vec<AttentionMap> {
        let model = Model::seeded(architecture, 3).unwrap();
        let data = (0..3 * 64 * 96).map(|index| (index % 17) as f32 / 17.0).collect();
        attention(&model, &ImageTensor::new(3, 64, 96, data).unwrap(), at).unwrap()
    }

    #[test]
    fn every_kind_of_head_shows_where_it_looks() {
        let named = |architecture: &str, at| -> Vec<(String, [usize; 2])> {
            let shown = maps(architecture, at).into_iter();
            shown.map(|map| (map.name, map.size)).collect()
        };
        let length = ("length of the map's vectors".to_owned(), [4, 6]);
        assert_eq!(named("resnet18:layer3/gem", None), std::slice::from_ref(&length));
        assert_eq!(
            named("resnet18:layer3/how-unreduced", None),
            [("strength".to_owned(), [4, 6])]
        );
        let token = named("resnet18:layer3/token-d64-h4", None);
        assert_eq!(token[3], ("token 4".to_owned(), [4, 6]));
        assert_eq!(token[4], length);
        // Each place is shared out among the tokens.
        let shares = maps("resnet18:layer3/token-d64-h4", None);
        let sum: f32 = shares[..4].iter().map(|map| map.values[5]).sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }

    #[test]
    fn a_place_looks_at_all_others() {
        let seen = maps("resnet18/solar", Some([40.0, 20.0]));
        assert_eq!(seen[0].size, [4, 6]);
        assert_eq!(seen[1].size, [2, 3]);
        for map in &seen[..2] {
            assert!(
                (map.values.iter().sum::<f32>() - 1.0).abs() < 1e-4,
                "{}",
                map.name
            );
        }
        // Pixel (40, 20) lies in column 2, row 1 of the finer map.
        assert_eq!(seen[0].from, Some([39.5, 23.5]));
    }
}
