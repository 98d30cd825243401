//! The network as extraction sees it: tensors of some pictures in, one descriptor for each out.

use sightline_descriptor::{ScalePooling, Whitening, how_sum};
use sightline_image::ImageTensor;
use sightline_plan::{Executor, Tensor};

use crate::describe::{Describe, Failure, check_finite, list_outputs, run_pass};
use crate::error::ExtractError;

/// An executor together with what comes after it: pooling over scales, whitening.
pub struct Network<'a> {
    executor: &'a mut dyn Executor,
    dim: usize,
    output: Option<String>,
    scales: Vec<f64>,
    pooling: ScalePooling,
    whitening: Option<Whitening>,
}

impl<'a> Network<'a> {
    /// A network whose final descriptors have `dim` values, run once a picture, without whitening.
    ///
    /// Its descriptor is the output named `descriptor`, else the only output with two axes.
    pub fn new(executor: &'a mut dyn Executor, dim: usize) -> Network<'a> {
        let pooling = ScalePooling::Cirtorch { msp: 1.0 };
        Network {
            executor,
            dim,
            output: None,
            scales: vec![1.0],
            pooling,
            whitening: None,
        }
    }

    /// Takes the output of this name.
    #[must_use]
    pub fn with_output(mut self, name: impl Into<String>) -> Self {
        self.output = Some(name.into());
        self
    }

    /// Pools over passes; `scales` has one value for each tensor that [`crate::Prepare`] gives of a picture.
    #[must_use]
    pub fn with_scales(mut self, scales: Vec<f64>, pooling: ScalePooling) -> Self {
        self.scales = scales;
        self.pooling = pooling;
        self
    }

    /// Whitens the pooled descriptors.
    #[must_use]
    pub fn with_whitening(mut self, whitening: Option<Whitening>) -> Self {
        self.whitening = whitening;
        self
    }

    /// Length of the descriptors.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// One pass over all pictures: `[N, D]`.
    fn run(&mut self, pictures: &[&[ImageTensor]], pass: usize) -> Result<Tensor, Failure> {
        let outputs = run_pass(self.executor, pictures, pass, self.scales.len())?;
        if self.pooling.takes_local_maps(&self.scales) {
            return summed(&outputs, pictures.len());
        }
        let wanted = self.output.as_deref().unwrap_or("descriptor");
        let fits = |tensor: &Tensor| {
            tensor.shape.len() == 2 && tensor.shape[0] == pictures.len() && tensor.is_consistent()
        };
        let mut matrices = outputs.iter().enumerate().filter(|(_, (_, tensor))| fits(tensor));
        let chosen = match outputs
            .iter()
            .position(|(name, tensor)| name == wanted && fits(tensor))
        {
            Some(chosen) => Some(chosen),
            None if self.output.is_some() => None,
            None => match (matrices.next(), matrices.next()) {
                (Some((only, _)), None) => Some(only),
                _ => None,
            },
        };
        let Some(chosen) = chosen else {
            return Err(Failure::All(ExtractError::Output {
                wanted: format!("{wanted:?} with a row for each picture"),
                outputs: list_outputs(&outputs),
            }));
        };
        Ok(outputs
            .into_iter()
            .nth(chosen)
            .map(|(_, tensor)| tensor)
            .unwrap_or(Tensor {
                shape: vec![0, 0],
                data: vec![],
            }))
    }

    /// Pools the passes of one picture and whitens.
    fn finish(&self, passes: &[&[f32]]) -> Result<Vec<f32>, Failure> {
        // A maximum or a floor of the pooling could hide what is no number.
        check_finite(passes.iter().copied().flatten())?;
        let mut descriptor = self.pooling.pool(passes, &self.scales);
        if let Some(whitening) = &self.whitening {
            if descriptor.len() != whitening.input_dim() {
                let (want, got) = (whitening.input_dim(), descriptor.len());
                return Err(Failure::All(ExtractError::Dimension {
                    wants: "the whitening",
                    want,
                    got,
                }));
            }
            descriptor = whitening
                .apply(&descriptor)
                .map_err(|error| Failure::Pictures(error.to_string()))?;
        }
        if descriptor.len() != self.dim {
            let (want, got) = (self.dim, descriptor.len());
            return Err(Failure::All(ExtractError::Dimension {
                wants: "the card",
                want,
                got,
            }));
        }
        check_finite(&descriptor)?;
        Ok(descriptor)
    }
}

impl Describe for Network<'_> {
    /// Pass by pass, pooled over them.
    fn describe(&mut self, pictures: &[&[ImageTensor]]) -> Result<Vec<Vec<f32>>, Failure> {
        let outputs: Vec<Tensor> = (0..self.scales.len())
            .map(|pass| self.run(pictures, pass))
            .collect::<Result<_, Failure>>()?;
        let mut descriptors = Vec::with_capacity(pictures.len());
        for row in 0..pictures.len() {
            let of_passes: Vec<&[f32]> = outputs
                .iter()
                .map(|output| {
                    let dim = output.shape[1];
                    &output.data[row * dim..(row + 1) * dim]
                })
                .collect();
            descriptors.push(self.finish(&of_passes)?);
        }
        Ok(descriptors)
    }
}

/// The local features of each picture, in the outputs `local` `[N, D, h, w]` and `strength` `[N, 1, h, w]`, as HOW adds them:
/// `[N, D + 1]`, the sums and the largest strength.
fn summed(outputs: &[(String, Tensor)], count: usize) -> Result<Tensor, Failure> {
    let map = |name: &str| {
        let found = outputs.iter().find(|(output, _)| output == name)?;
        let tensor = &found.1;
        let fits = tensor.shape.len() == 4 && tensor.shape[0] == count && tensor.is_consistent();
        (fits && !tensor.data.is_empty()).then_some(tensor)
    };
    let maps = map("local").zip(map("strength"));
    let alike = maps.filter(|(features, strengths)| features.shape[2..] == strengths.shape[2..]);
    let Some((features, strengths)) = alike else {
        return Err(Failure::All(ExtractError::Output {
            wanted: "\"local\" and \"strength\" with maps of one size for each picture".to_owned(),
            outputs: list_outputs(outputs),
        }));
    };
    let (dim, places) = (features.shape[1], features.shape[2] * features.shape[3]);
    let mut data = Vec::with_capacity(count * (dim + 1));
    let pictures = features.data.chunks_exact(dim * places);
    for (features, strengths) in pictures.zip(strengths.data.chunks_exact(places)) {
        let (sums, largest) = how_sum(features, strengths);
        data.extend(sums.into_iter().chain([largest]).map(|value| value as f32));
    }
    let shape = vec![count, dim + 1];
    Ok(Tensor { shape, data })
}
