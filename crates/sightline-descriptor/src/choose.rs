//! Which tensor of a file with several holds the rows.

use crate::error::SetError;
use sightline_checkpoint::{Dtype, Tensor};
use std::path::Path;

/// Which tensor of a file holds the rows: the one asked for, else the one with the usual name, else the only one of
/// floats with two axes.
pub(crate) fn choose<'a>(
    path: &Path,
    tensors: &'a [(String, Tensor)],
    wanted: Option<&str>,
    usual: &str,
) -> Result<(&'a str, &'a Tensor), SetError> {
    let candidates: Vec<&(String, Tensor)> = tensors
        .iter()
        .filter(|(_, tensor)| {
            let floats = matches!(tensor.dtype(), Dtype::F16 | Dtype::Bf16 | Dtype::F32 | Dtype::F64);
            floats && tensor.shape().len() == 2
        })
        .collect();
    let listed = || match candidates.len() {
        0 => "none".to_owned(),
        count => {
            let mut names: Vec<String> = candidates.iter().take(20).map(|(name, _)| name.clone()).collect();
            if count > 20 {
                names.push(format!("and {} more", count - 20));
            }
            names.join(", ")
        }
    };
    let named = |wanted: &str| tensors.iter().find(|(name, _)| name == wanted);
    let chosen = match (wanted, named(wanted.unwrap_or(usual))) {
        (_, Some(chosen)) => chosen,
        (Some(wanted), None) => {
            let (path, wanted) = (path.to_path_buf(), wanted.to_owned());
            return Err(SetError::NoSuchTensor {
                path,
                wanted,
                tensors: listed(),
            });
        }
        (None, None) => match candidates[..] {
            [] => {
                return Err(SetError::damaged(
                    path,
                    "it has no tensor of floats with two axes [rows, values]",
                ));
            }
            [only] => only,
            [first, ..] => {
                let (path, first) = (path.to_path_buf(), first.0.clone());
                return Err(SetError::Ambiguous {
                    path,
                    tensors: listed(),
                    first,
                });
            }
        },
    };
    Ok((&chosen.0, &chosen.1))
}
