//! When a file and an architecture do not belong together: which architectures would fit the file.

use crate::Architecture;
use crate::weights::Weights;
use std::collections::{BTreeMap, BTreeSet};

/// At most this many architectures are named to the user.
const NAMED: usize = 4;

/// Names of the architectures whose parameters the weights hold, those that use the most tensors first.
///
/// Of one trunk and head only the deepest stage that fits is named, and of poolings that fit alike only GeM (a
/// file that holds a power was trained with it; poolings without parameters fit every file).
pub(crate) fn fitting(weights: &Weights<'_>) -> Vec<String> {
    let mut best: BTreeMap<(usize, String), (usize, String)> = BTreeMap::new();
    for known in Architecture::known() {
        let head = known.name.split('/').nth(1).unwrap_or_default();
        let Some(used) = used_tensors(&known.architecture, weights) else {
            continue;
        };
        let key = (known.architecture.trunk.depth(), head.to_owned());
        let entry = best.entry(key).or_default();
        if used > entry.0 {
            *entry = (used, known.name);
        }
    }
    // The first stages of a deep network also fit another depth; the depth that uses most of the file counts.
    let most = |depth: usize| {
        let used = best.iter().filter(|((other, _), _)| *other == depth);
        used.map(|(_, (used, _))| *used).max().unwrap_or(0)
    };
    let overall = best.values().map(|(used, _)| *used).max().unwrap_or(0);
    let mut ranked: Vec<&(usize, String)> = best
        .iter()
        .filter(|((depth, _), _)| most(*depth) == overall)
        .filter(|((depth, head), _)| {
            !["rmac", "mac", "spoc", "max", "avg"].iter().any(|word| {
                let gem = head.replacen(word, "gem", 1);
                gem != *head && best.contains_key(&(*depth, gem))
            })
        })
        .map(|(_, found)| found)
        .collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked
        .into_iter()
        .take(NAMED)
        .map(|(_, name)| name.clone())
        .collect()
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
    let whole = names(&Architecture {
        trunk: architecture.trunk.whole(),
        head: architecture.head.clone(),
    });
    let (mut beyond, mut unknown) = (Vec::new(), Vec::new());
    for name in weights.names().filter(|name| !own.contains(*name)) {
        // The counter of a batch norm belongs to the batch norm.
        let owner = name
            .strip_suffix("num_batches_tracked")
            .map(|norm| format!("{norm}running_mean"));
        if owner.as_ref().is_some_and(|owner| own.contains(owner)) {
            continue;
        }
        if whole.contains(name)
            || owner.is_some_and(|owner| whole.contains(&owner))
            || matches!(name, "fc.weight" | "fc.bias")
        {
            beyond.push(name.to_owned());
        } else {
            unknown.push(name.to_owned());
        }
    }
    (beyond, unknown)
}
