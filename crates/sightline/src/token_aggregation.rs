//! Token's aggregation made ready: files of local features in, descriptor sets out.

use crate::Error;
use crate::describer::threads_or_cores;
use sightline_card::AggregationIdentity;
use sightline_checkpoint::recognise::recognise_file;
use sightline_descriptor::RowType;
use sightline_local::{AggregatedSet, FeatureFile};
use sightline_nn::{TokenLocal, TokenOptions, Weights};
use sightline_plan::{Executor, RtenExecutor, Tensor};
use std::path::{Path, PathBuf};

/// Similarities of features that one attention may hold, over all of its heads: 2 GiB of them.
const SIMILARITIES: usize = 1 << 29;
/// Values of the longest local features that a seeded network takes.
const LONGEST: usize = 1 << 16;

/// [`TokenLocal`] with the weights of a file or of a seed.
pub struct TokenAggregation {
    network: TokenLocal,
    /// What the weights are called in messages: the file, or `seeded`.
    source: PathBuf,
    weights_sha256: String,
    seed: Option<u64>,
}

impl TokenAggregation {
    /// Length of the descriptors.
    pub const DIM: usize = TokenLocal::DIM;

    /// Opens a checkpoint with Token's names, whose `tr.conv.0.weight` is a matrix; number and length of the tokens are its own.
    ///
    /// # Errors
    /// When the file cannot be read, or a tensor is missing or misshapen.
    pub fn open(path: impl AsRef<Path>, options: &TokenOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = sightline_checkpoint::read(path)?;
        let found = recognise_file(&file);
        if found.state_dict.is_empty() {
            return Err(Error::NoWeights {
                path: path.to_owned(),
                what: file.kind.describe(),
            });
        }
        let network =
            TokenLocal::load(options, &Weights::from_state_dict(&found.state_dict)).map_err(|source| {
                Error::AggregationWeights {
                    path: path.to_owned(),
                    source,
                }
            })?;
        let weights_sha256 = sightline_card::sha256_file(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            network,
            source: path.to_owned(),
            weights_sha256,
            seed: None,
        })
    }

    /// A network for features of `dim` values whose weights come from a formula and a seed: it knows nothing, and says the same
    /// everywhere.
    ///
    /// # Errors
    /// When the heads do not divide a token, or features are longer than any network's.
    pub fn seeded(options: &TokenOptions, dim: usize, seed: u64) -> Result<Self, Error> {
        let source = PathBuf::from("seeded");
        if dim > LONGEST {
            let reason = format!("they have {dim} values each, and seeded networks take {LONGEST} at most");
            return Err(Error::Aggregation { reason });
        }
        let network =
            TokenLocal::seeded(options, dim, seed).map_err(|problem| Error::AggregationWeights {
                path: source.clone(),
                source: problem,
            })?;
        let name = format!("seeded token{} {dim} {seed}", network.options());
        Ok(Self {
            network,
            source,
            weights_sha256: sightline_card::sha256_hex(name.as_bytes()),
            seed: Some(seed),
        })
    }

    /// The network's name with the sizes that the weights decided, such as `token-l8`.
    pub fn architecture(&self) -> String {
        format!("token{}", self.network.options())
    }

    /// Writes the descriptor of every picture of `file` as a descriptor set to `output`, one row a picture; `watch` is told how many
    /// are done. Runs on `threads` threads (0: one a core). Gives how many pictures had no features (their rows are zero).
    ///
    /// # Errors
    /// When the features have another length than those of the network, a picture has more than fit into memory, or the file
    /// system refuses.
    pub fn write_set(
        &self,
        file: &FeatureFile,
        output: &Path,
        row_type: RowType,
        threads: usize,
        watch: &mut dyn FnMut(usize),
    ) -> Result<usize, Error> {
        self.check(file)?;
        let mut plan = RtenExecutor::new(&self.network.record()?, threads_or_cores(threads))?;
        let set = AggregatedSet {
            output,
            row_type,
            dim: Self::DIM,
            together: 1,
        };
        let identity = |whitening| AggregationIdentity::Token {
            architecture: self.architecture(),
            weights: self.weights_sha256.clone(),
            seed: self.seed,
            whitening,
        };
        let describe = |pictures: std::ops::Range<usize>| {
            let rows = pictures.map(|picture| {
                let features = file.picture(picture).to_features().descriptors;
                describe(&mut plan, &features, file.dim()).map_err(|reason| Error::AggregationOf {
                    picture: file.names().get(picture).cloned().unwrap_or_default(),
                    reason,
                })
            });
            rows.collect()
        };
        set.write(file, identity, describe, watch)
    }

    /// Whether the network takes these features.
    fn check(&self, file: &FeatureFile) -> Result<(), Error> {
        let wanted = self.network.local_dim();
        let refused = |reason: String| Err(Error::Aggregation { reason });
        if file.dim() != wanted {
            return refused(format!(
                "those of {} have {} values each, and {} was made for features of {wanted}; give it features of the network that it \
                 was trained with",
                file.source().display(),
                file.dim(),
                self.source.display(),
            ));
        }
        let heads = self.network.options().heads.max(1);
        let most = (SIMILARITIES / heads).isqrt();
        match (0..file.len()).find(|picture| file.range(*picture).len() > most) {
            None => Ok(()),
            Some(picture) => refused(format!(
                "`{}` in {} has {} of them, and every one is compared with every other: more than {most} do not fit into memory; \
                 extract the strongest only with `local extract --features 1000`",
                file.names().get(picture).map_or("", String::as_str),
                file.source().display(),
                file.range(picture).len(),
            )),
        }
    }
}

/// The descriptor of one picture from its features in rows of `dim` values; zeros where there are none.
fn describe(plan: &mut RtenExecutor, features: &[f32], dim: usize) -> Result<Vec<f32>, String> {
    let rows = features.len() / dim.max(1);
    if rows == 0 {
        return Ok(vec![0.0; TokenAggregation::DIM]);
    }
    // The plan takes a map: each value of all features, one after the other.
    let values = (0..dim).flat_map(|value| features.iter().skip(value).step_by(dim).copied());
    let map = Tensor::new(&[1, dim, rows, 1], values.collect()).map_err(|error| error.to_string())?;
    let outputs = plan.run(&map).map_err(|error| error.to_string())?;
    let row = outputs.into_iter().next().map(|(_, output)| output.data);
    match row {
        Some(row) if row.iter().all(|value| value.is_finite()) => Ok(row),
        _ => Err("what came out is no number".to_owned()),
    }
}
