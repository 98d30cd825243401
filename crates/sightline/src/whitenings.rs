//! Finding the whitening that was meant: one that a model holds, or a file.

use crate::Error;
use sightline_card::{Card, Circumstances, Difference, Identity, Scales};
use sightline_checkpoint::recognise::WhiteningParams;
use sightline_descriptor::{LearnedFrom, Whitening, WhiteningError, WhiteningFile, WhiteningSettings};
use std::path::Path;

/// Name and settings of the whitening of a card, so that more is whitened as it was.
pub(crate) fn whitening_like(identity: &Identity) -> Option<(String, WhiteningSettings)> {
    let whitening = identity.whitening.as_ref()?;
    let default = WhiteningSettings::default();
    let settings = WhiteningSettings {
        power: whitening.power.unwrap_or(default.power),
        dims: whitening.dims,
        multiplier: whitening.multiplier.unwrap_or(default.multiplier),
        l2: whitening.l2,
    };
    Some((whitening.name.clone(), settings))
}

/// A whitening that was found.
#[derive(Clone, Debug)]
pub struct FoundWhitening {
    /// Ready to be applied.
    pub whitening: Whitening,
    /// What it was learned from, where its file says it.
    pub learned: Option<LearnedFrom>,
}

impl FoundWhitening {
    /// Checks that it is one for descriptors of `dim` values.
    ///
    /// # Errors
    /// When it is for others.
    pub fn fits(&self, dim: usize) -> Result<(), WhiteningError> {
        let want = self.whitening.input_dim();
        if want == dim {
            return Ok(());
        }
        Err(WhiteningError::Dimension {
            name: self.whitening.identity().name.clone(),
            want,
            got: dim,
        })
    }

    /// In which fields the descriptors that it was learned from were made otherwise than those of `identity`; empty where nobody
    /// knows.
    #[must_use]
    pub fn learned_otherwise(&self, identity: &Identity) -> Vec<Difference> {
        let from = self
            .learned
            .as_ref()
            .and_then(|learned| learned.set.identity.as_ref());
        let Some(from) = from else {
            return Vec::new();
        };
        // What comes after the network is not what is compared.
        let plain = |identity: &Identity| {
            let identity = Identity {
                whitening: None,
                dim: self.whitening.input_dim(),
                local: None,
                // Local features are whitened one by one, at whichever scale each was found.
                scales: match &identity.local {
                    Some(_) => Scales::single(),
                    None => identity.scales.clone(),
                },
                ..identity.clone()
            };
            Card::new(identity, Circumstances::default())
        };
        plain(from).differences(&plain(identity))
    }
}

/// Finds the whitening called `wanted`: a name among `held` (those of a model), else a file of whitenings, or `FILE#NAME` where
/// a file has several.
///
/// # Errors
/// When there is neither (the error says which there are and which is nearest), or the file is none or has several.
pub fn find_whitening(
    held: &[(String, WhiteningParams)],
    wanted: &str,
    how: &WhiteningSettings,
) -> Result<FoundWhitening, Error> {
    if let Some((name, params)) = held.iter().find(|(name, _)| name == wanted) {
        return Ok(FoundWhitening {
            whitening: Whitening::from_params(name, params, how)?,
            learned: None,
        });
    }
    let (path, part) = match wanted.rsplit_once('#') {
        Some((path, part)) if !Path::new(wanted).is_file() => (path, Some(part)),
        _ => (wanted, None),
    };
    if !Path::new(path).is_file() {
        return Err(Error::NoWhitening {
            name: wanted.to_owned(),
            holds: listed(held),
            suggestion: sightline_dataset::suggestion(wanted, held.iter().map(|(name, _)| name.as_str())),
        });
    }
    let file = WhiteningFile::open(path)?;
    let chosen = match (part, &file.whitenings[..]) {
        (Some(part), all) => all.iter().find(|(name, _)| name == part),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some((name, params)) = chosen else {
        let of_file = file.whitenings.iter().map(|(name, _)| name.as_str());
        return Err(Error::WhichWhitening {
            path: path.into(),
            holds: listed(&file.whitenings),
            suggestion: sightline_dataset::suggestion(part.unwrap_or_default(), of_file),
        });
    };
    Ok(FoundWhitening {
        whitening: Whitening::from_params(name, params, how)?,
        learned: file.learned,
    })
}

fn listed(held: &[(String, WhiteningParams)]) -> String {
    let names: Vec<&str> = held.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
