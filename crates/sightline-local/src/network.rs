//! A network with local features as extraction sees it: the tensors of a picture in, its local features out.

use sightline_descriptor::Whitening;
use sightline_extract::{Describe, ExtractError, Failure, check_finite, list_outputs, run_pass};
use sightline_image::ImageTensor;
use sightline_plan::{Executor, Tensor};

use crate::delg_selection::DelgSelection;
use crate::features::LocalFeatures;
use crate::select::{ScaleMap, largest_strength, strongest};

/// Where the cells of a network's map lie in its picture: cell i at pixel `stride · i + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellGrid {
    /// Pixels from one cell to the next.
    pub stride: f32,
    /// Pixel of the first cell.
    pub offset: f32,
}

/// Which features of a picture are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Selection {
    /// The strongest over all scales, strengths divided by the largest (HOW).
    Strongest {
        /// At most so many; none: all.
        features: Option<usize>,
    },
    /// Those of DELG and DELF: above a threshold at each scale, those that lie on better ones suppressed, divided by their
    /// length; strengths as the network gives them, places by the receptive fields.
    Delg(DelgSelection),
}

/// An executor whose outputs are a map of local features and one of their strengths, together with what comes after it: the
/// selection over scales, and whitening.
pub struct LocalNetwork<'a> {
    executor: &'a mut dyn Executor,
    outputs: [&'a str; 2],
    scales: &'a [f64],
    grid: CellGrid,
    selection: Selection,
    whitening: Option<&'a Whitening>,
}

impl<'a> LocalNetwork<'a> {
    /// A network that is run at each of `scales`; `outputs` are the names of its features `[N, D, h, w]` and strengths `[N, 1, h, w]`.
    /// Pictures must be prepared at [`LocalNetwork::prepared_scales`].
    pub fn new(
        executor: &'a mut dyn Executor,
        outputs: [&'a str; 2],
        scales: &'a [f64],
        grid: CellGrid,
        selection: Selection,
    ) -> Self {
        LocalNetwork {
            executor,
            outputs,
            scales,
            grid,
            selection,
            whitening: None,
        }
    }

    /// Whitens every feature that is kept.
    #[must_use]
    pub fn with_whitening(mut self, whitening: Option<&'a Whitening>) -> Self {
        self.whitening = whitening;
        self
    }

    /// The scales at which pictures must be prepared: `scales`, and 1 behind them where it is not among them, because places are
    /// pixels of the picture at scale 1.
    #[must_use]
    pub fn prepared_scales(scales: &[f64]) -> Vec<f64> {
        let mut all = scales.to_vec();
        if !scales.contains(&1.0) {
            all.push(1.0);
        }
        all
    }

    /// Both outputs at one scale.
    fn run(&mut self, pictures: &[&[ImageTensor]], pass: usize) -> Result<[Tensor; 2], Failure> {
        let passes = LocalNetwork::prepared_scales(self.scales).len();
        let outputs = run_pass(self.executor, pictures, pass, passes)?;
        let take = |name: &str| {
            let found = outputs.iter().find(|(output, _)| output == name);
            found.map(|(_, tensor)| tensor).filter(|tensor| {
                tensor.shape.len() == 4 && tensor.shape[0] == pictures.len() && tensor.is_consistent()
            })
        };
        let [features, strengths] = self.outputs.map(take);
        match (features, strengths) {
            (Some(features), Some(strengths))
                if features.shape[2..] == strengths.shape[2..]
                    && strengths.shape[1] == 1
                    && !features.data.is_empty() =>
            {
                Ok([features.clone(), strengths.clone()])
            }
            _ => Err(Failure::All(ExtractError::Output {
                wanted: format!(
                    "{:?} [N, D, h, w] with {:?} [N, 1, h, w]",
                    self.outputs[0], self.outputs[1]
                ),
                outputs: list_outputs(&outputs),
            })),
        }
    }

    /// The features of picture `index` of a batch whose tensors are `tensors`.
    fn select(
        &self,
        index: usize,
        tensors: &[ImageTensor],
        outputs: &[[Tensor; 2]],
    ) -> Result<LocalFeatures, Failure> {
        let part = |tensor: &'_ Tensor| {
            let values: usize = tensor.shape[1..].iter().product();
            index * values..(index + 1) * values
        };
        let maps: Vec<ScaleMap<'_>> = outputs
            .iter()
            .zip(self.scales)
            .map(|([features, strengths], scale)| ScaleMap {
                scale: *scale,
                height: features.shape[2],
                width: features.shape[3],
                features: &features.data[part(features)],
                strengths: &strengths.data[part(strengths)],
            })
            .collect();
        check_finite(
            maps.iter()
                .flat_map(|map| map.features.iter().chain(map.strengths)),
        )?;
        let whole = LocalNetwork::prepared_scales(self.scales)
            .iter()
            .position(|scale| *scale == 1.0);
        let Some(whole) = whole.and_then(|pass| tensors.get(pass)) else {
            return Err(Failure::Pictures("It was not prepared at scale 1.".to_owned()));
        };
        let mut features = match self.selection {
            Selection::Strongest { features } => self.strongest(&maps, features, tensors, whole),
            Selection::Delg(rule) => rule.select(&maps, [whole.height, whole.width]).features,
        };
        features.dim = outputs.first().map_or(0, |[features, _]| features.shape[1]);
        if let Some(whitening) = self.whitening {
            if whitening.input_dim() != features.dim {
                return Err(Failure::All(ExtractError::Dimension {
                    wants: "the whitening",
                    want: whitening.input_dim(),
                    got: features.dim,
                }));
            }
            features.descriptors = whitening
                .apply(&features.descriptors)
                .map_err(|error| Failure::Pictures(error.to_string()))?;
            features.dim = whitening.output_dim();
            check_finite(&features.descriptors)?;
        }
        Ok(features)
    }

    /// The `most` strongest of all maps, which are those of `tensors`, scaled from `whole`; their length is not set.
    fn strongest(
        &self,
        maps: &[ScaleMap<'_>],
        most: Option<usize>,
        tensors: &[ImageTensor],
        whole: &ImageTensor,
    ) -> LocalFeatures {
        let largest = largest_strength(maps);
        let mut features = LocalFeatures {
            size: [whole.height, whole.width],
            ..LocalFeatures::default()
        };
        for one in strongest(maps, most) {
            features
                .descriptors
                .extend(maps[one.map].descriptor(one.x, one.y));
            features.strengths.push(one.strength / largest);
            features.scales.push(one.scale.to_f32());
            let scaled = &tensors[one.map];
            let pixel = |cell: usize, side: usize, scaled_side: usize| {
                let at = self.grid.stride * cell as f32 + self.grid.offset;
                (at + 0.5) * (side as f32 / scaled_side as f32) - 0.5
            };
            features.places.push([
                pixel(one.x, whole.width, scaled.width),
                pixel(one.y, whole.height, scaled.height),
            ]);
        }
        features
    }
}

impl Describe for LocalNetwork<'_> {
    /// Rows as [`LocalFeatures::to_row`] makes them.
    fn describe(&mut self, pictures: &[&[ImageTensor]]) -> Result<Vec<Vec<f32>>, Failure> {
        let outputs: Vec<[Tensor; 2]> = (0..self.scales.len())
            .map(|pass| self.run(pictures, pass))
            .collect::<Result<_, Failure>>()?;
        pictures
            .iter()
            .enumerate()
            .map(|(index, tensors)| Ok(self.select(index, tensors, &outputs)?.to_row()))
            .collect()
    }
}
