//! Token's aggregation over local features that something else made (HOW's, DELF's): our own definition of the rows "HOW + Token"
//! and "DELF + Token" of Token's paper, for which there is no public code. Pictures have different numbers of features, so a
//! batch is filled up with rows that count nowhere.

use crate::BurnOps;
use crate::counted::Counted;
use crate::linear::Linear;
use crate::named_parameters::parameter_values;
use crate::parameters::{Parameters, TensorProblem, Wanted};
use crate::recorder::{PlanRecorder, RecordError};
use crate::token_head::{Reduction, TokenModule, TokenOptions};
use crate::weights::Weights;
use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use sightline_plan::{DESCRIPTOR, Plan, Tensor as PlainTensor};

/// Added to the logits of rows that do not count: their share of a softmax is exactly 0.
const HIDDEN: f32 = -1e30;

/// [`TokenHead::Token`](crate::TokenHead::Token) with a linear layer `tr.conv.0` `[D, C]` in place of its 1x1 convolution.
#[derive(Module, Debug)]
pub struct TokenLocal {
    tr: TokenModule,
    #[module(skip)]
    dim: usize,
    #[module(skip)]
    options: TokenOptions,
}

/// Local features that cannot be aggregated.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenLocalError {
    /// Not a whole number of rows, or none.
    #[error(
        "The local features cannot be aggregated: {values} values are not one or more features of {dim} values each, \
         which the network was trained with. Give it features of the kind and length that it knows."
    )]
    Rows {
        /// Number of values given.
        values: usize,
        /// Length of a feature.
        dim: usize,
    },
    /// The counts of a batch do not fit it.
    #[error(
        "The local features cannot be aggregated: a batch of the shape {shape:?} cannot hold {counts:?} features of {dim} values \
         each. Give a count from 1 to the second axis for each picture."
    )]
    Batch {
        /// The batch's shape.
        shape: [usize; 3],
        /// Features of each picture.
        counts: Vec<usize>,
        /// Length of a feature.
        dim: usize,
    },
    /// The result could not be read from its device.
    #[error("The aggregated descriptor could not be read from its device ({reason}). Try `--device cpu`.")]
    Device {
        /// What the device says.
        reason: String,
    },
}

impl TokenLocal {
    /// Length of the descriptor.
    pub const DIM: usize = crate::token_head::DIM;

    /// Takes Token's names (`tr.query`, `tr.encoder.0.attn.q.weight`, ...). The weights say how long the features are and how many
    /// and how long the tokens; `options` the rest.
    ///
    /// # Errors
    /// When a tensor is missing or misshapen, or the heads do not divide a token.
    pub fn load(options: &TokenOptions, weights: &Weights<'_>) -> Result<Self, TensorProblem> {
        let (name, mut options) = ("tr.conv.0.weight", *options);
        let Some(shape) = weights.shape(name) else {
            return Err(TensorProblem::Missing {
                name: name.to_owned(),
                wanted: vec![options.sizes()[1], 0],
            });
        };
        let &[_, dim @ (1..)] = shape else {
            return Err(TensorProblem::Values {
                name: name.to_owned(),
                reason: format!(
                    "its shape is {shape:?}, but features in rows need a matrix [D, C] of at least one column"
                ),
            });
        };
        options.sized_by(weights);
        Parameters::build(weights, &Device::flex(), |parameters| {
            Self::take(parameters, &options, dim)
        })
    }

    /// One for features of `dim` values with weights by formula: it has learned nothing, and says the same everywhere.
    ///
    /// # Errors
    /// When the heads do not divide a token.
    pub fn seeded(options: &TokenOptions, dim: usize, seed: u64) -> Result<Self, TensorProblem> {
        Self::load(
            options,
            &Weights::by_formula_for(&Self::parameters(options, dim), seed),
        )
    }

    fn take(parameters: &mut Parameters<'_>, options: &TokenOptions, dim: usize) -> Self {
        let tr = TokenModule::take_behind(parameters, options, |parameters, width| {
            Reduction::Rows(Linear::take(parameters, "tr.conv.0", width, dim))
        });
        Self {
            tr,
            dim,
            options: *options,
        }
    }

    /// What [`TokenLocal::load`] wants for features of `dim` values.
    pub fn parameters(options: &TokenOptions, dim: usize) -> Vec<Wanted> {
        let mut parameters = Parameters::listing();
        Self::take(&mut parameters, options, dim);
        parameters.into_wanted()
    }

    /// Every parameter and running statistic under Token's name for it, as a file keeps them; none that cannot be read from its
    /// device.
    pub fn state_dict(&self) -> Vec<(String, PlainTensor)> {
        let wanted = Self::parameters(&self.options, self.dim).into_iter();
        wanted
            .filter_map(|wanted| Some((wanted.name.clone(), parameter_values(self, &wanted.name)?)))
            .collect()
    }

    /// Number and length of its tokens, and the heads of its attentions.
    pub fn options(&self) -> &TokenOptions {
        &self.options
    }

    /// Length of a local feature.
    pub fn local_dim(&self) -> usize {
        self.dim
    }

    /// The descriptor of one picture, `[1024]`, of length 1, from its local features in rows, `[M, C]`.
    ///
    /// # Errors
    /// When there is no feature, or the values are no whole number of features.
    pub fn describe(&self, features: &[f32]) -> Result<Vec<f32>, TokenLocalError> {
        let rows = features.len().checked_div(self.dim).unwrap_or(0);
        if rows == 0 || rows * self.dim != features.len() {
            return Err(TokenLocalError::Rows {
                values: features.len(),
                dim: self.dim,
            });
        }
        let features = TensorData::new(features.to_vec(), [1, rows, self.dim]);
        let features = Tensor::from_data(features, &Device::flex());
        let descriptor = self.forward(&mut BurnOps::default(), features, &[rows], &mut |_, _| {})?;
        descriptor
            .try_into_data_as::<f32>()
            .map_err(|error| format!("{error:?}"))
            .and_then(|data| data.try_to_vec::<f32>().map_err(|error| format!("{error:?}")))
            .map_err(|reason| TokenLocalError::Device { reason })
    }

    /// Local features of a batch of pictures `[B, M, C]`, the first `counts[b]` rows of each -> descriptors `[B, 1024]`. What the
    /// other rows hold changes nothing: they are no keys of an attention, add to no token, and are in no batch norm's
    /// statistics. `tap` as Token's heads show it (`tr` before the normalisation, which is what training classifies).
    ///
    /// # Errors
    /// When the batch has another length of features, or a count is 0 or more than M.
    pub fn forward(
        &self,
        ops: &mut BurnOps,
        features: Tensor<3>,
        counts: &[usize],
        tap: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Result<Tensor<2>, TokenLocalError> {
        let shape @ [batch, most, dim] = features.dims();
        let fit = counts.iter().all(|count| (1..=most).contains(count));
        if counts.is_empty() || counts.len() != batch || dim != self.dim || !fit {
            return Err(TokenLocalError::Batch {
                shape,
                counts: counts.to_vec(),
                dim: self.dim,
            });
        }
        let x = features.swap_dims(1, 2).unsqueeze_dim::<4>(3);
        if counts.iter().all(|count| *count == most) {
            return Ok(self.tr.forward(ops, x, None, tap));
        }
        let device = x.device();
        let rows: Vec<f32> = counts
            .iter()
            .flat_map(|count| (0..most).map(move |row| if row < *count { 1.0 } else { 0.0 }))
            .collect();
        let rows = Tensor::<4>::from_data(TensorData::new(rows, [batch, 1, most, 1]), &device);
        let filling: Tensor<4, Bool> = rows.clone().lower_elem(0.5);
        // Not multiplied: the filling may be no number.
        let x = x.mask_fill(filling.expand([batch, dim, most, 1]), 0.0);
        let places = rows.clone().reshape([batch, 1, 1, most]);
        let counted = Counted {
            hidden: (places.clone() - 1.0) * -HIDDEN,
            places,
            rows,
        };
        Ok(self.tr.forward(ops, x, Some(&counted), tap))
    }

    /// The aggregation as a plan from the features of one picture, as a map `[1, C, M, 1]`, to its descriptor.
    ///
    /// # Errors
    /// When a parameter cannot be read from its device.
    pub fn record(&self) -> Result<Plan, RecordError> {
        let (mut recorder, features) = PlanRecorder::new(self.dim);
        let descriptor = self.tr.forward(&mut recorder, features, None, &mut |_, _| {});
        recorder.output(DESCRIPTOR, descriptor);
        recorder.finish()
    }
}
