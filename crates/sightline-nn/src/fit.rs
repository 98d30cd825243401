//! When a file and an architecture do not belong together: which architectures would fit the file.

use crate::Architecture;
use crate::head::Head;
use crate::parameters::Wanted;
use crate::pooling::PoolingKind;
use crate::trunk::{Naming, Trunk};
use crate::weights::{Weights, without_prefix};
use std::collections::BTreeSet;

/// At most this many architectures are named to the user: the weights of two of CGD's descriptors fit as many.
const NAMED: usize = 6;

/// An architecture that the weights fit.
struct Fit {
    architecture: Architecture,
    /// Tensors that it uses, and those of them that its trunk uses.
    used: usize,
    by_trunk: usize,
}

/// Names of the architectures whose parameters the weights hold, those that use the most tensors first.
///
/// Of one trunk and head only the deepest stage that fits is named, and of heads that fit alike only GeM (a file
/// that holds a power was trained with it; poolings without parameters fit every file).
pub(crate) fn fitting(weights: &Weights<'_>) -> Vec<String> {
    let mut fits = Vec::new();
    for naming in Naming::ALL {
        let heads: Vec<Head> = Head::known()
            .into_iter()
            .filter(|head| head.naming() == naming)
            .collect();
        for whole in Trunk::all() {
            // Keras' trunks have one naming, which stands for all.
            if naming != Naming::Torchvision && matches!(whole, Trunk::Keras(_)) {
                continue;
            }
            let Some((trunk, by_trunk)) = deepest(whole, naming, weights) else {
                continue;
            };
            let architectures = heads.iter().map(|head| Architecture::new(trunk, head.clone()));
            fits.extend(architectures.flatten().filter_map(|architecture| {
                let used = used_tensors(&architecture, weights)?;
                Some(Fit {
                    architecture,
                    used,
                    by_trunk,
                })
            }));
        }
    }
    // The first stages of a deep network also fit another depth; the trunk that uses most of the file counts.
    let most = fits.iter().map(|fit| fit.by_trunk).max().unwrap_or(0);
    fits.retain(|fit| fit.by_trunk == most);
    let mut named: Vec<(usize, String)> = fits
        .iter()
        .filter(|fit| !is_like_gem(fit, &fits))
        .map(|fit| (fit.used, fit.architecture.to_string()))
        .collect();
    named.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    named.into_iter().take(NAMED).map(|(_, name)| name).collect()
}

/// The trunk up to its deepest stage that the weights hold, and how many tensors that uses.
fn deepest(whole: Trunk, naming: Naming, weights: &Weights<'_>) -> Option<(Trunk, usize)> {
    let wanted = |trunk: Trunk| trunk.parameters(naming);
    let held = |wanted: &Wanted| weights.shape(&wanted.name) == Some(&wanted.shape);
    // The parameters of a stage come after those of the stages before it.
    let there = wanted(whole).iter().take_while(|wanted| held(wanted)).count();
    if there == 0 {
        return None;
    }
    let ends = whole.stages().into_iter().rev();
    ends.map(|trunk| (trunk, wanted(trunk).len()))
        .find(|(_, count)| *count <= there)
}

/// Whether the head only differs from a GeM that fits too by a pooling that needs no parameters.
fn is_like_gem(fit: &Fit, fits: &[Fit]) -> bool {
    let has = |name: &str| {
        let mut others = fits.iter().map(|other| other.architecture.head().to_string());
        others.any(|other| other == name)
    };
    let head = fit.architecture.head();
    if fit.used == fit.by_trunk && *head != Head::Pooled(PoolingKind::GEM) && has("gem") {
        return true;
    }
    let name = head.to_string();
    ["rmac", "mac", "spoc", "max", "avg"].iter().any(|word| {
        let gem = name.replacen(word, "gem", 1);
        gem != name && has(&gem)
    })
}

/// How many of the tensors the architecture uses, if it can be built from them.
fn used_tensors(architecture: &Architecture, weights: &Weights<'_>) -> Option<usize> {
    let architecture = architecture.clone().sized_by(weights);
    let mut used = 0;
    for wanted in architecture.parameters() {
        match weights.shape(&wanted.name) {
            Some(shape) if shape == wanted.shape => used += 1,
            None if wanted.optional => {}
            _ => return None,
        }
    }
    Some(used)
}

/// The tensors that the architecture does not use: those of later stages and the classifier of its own trunk
/// (left out on purpose), and those that it does not know.
pub(crate) fn unused(architecture: &Architecture, weights: &Weights<'_>) -> (Vec<String>, Vec<String>) {
    let names = |architecture: &Architecture| -> BTreeSet<String> {
        let wanted = architecture.parameters();
        wanted.into_iter().map(|wanted| wanted.name).collect()
    };
    let own = names(architecture);
    let whole = Architecture::new(architecture.trunk().whole(), architecture.head().clone());
    let whole = whole.map(|whole| names(&whole)).unwrap_or_default();
    let (mut beyond, mut unknown) = (Vec::new(), Vec::new());
    for name in weights.names() {
        // Tensors are found behind the prefix of CVNet's files too; the counter of a batch norm belongs to the batch norm.
        let forms = [name, without_prefix(name)];
        let held = |names: &BTreeSet<String>| {
            forms.iter().any(|form| {
                let norm = form.strip_suffix("num_batches_tracked");
                let owner = norm.map(|norm| format!("{norm}running_mean"));
                names.contains(*form) || owner.is_some_and(|owner| names.contains(&owner))
            })
        };
        if held(&own) {
            continue;
        }
        if held(&whole)
            || matches!(name, "fc.weight" | "fc.bias")
            || name.starts_with("classifier.")
            || name.starts_with("classifier_block")
            || forms.iter().any(|form| architecture.head().does_without(form))
        {
            beyond.push(name.to_owned());
        } else {
            unknown.push(name.to_owned());
        }
    }
    (beyond, unknown)
}
