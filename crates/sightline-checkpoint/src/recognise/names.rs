//! The names of a state dict: prefixes that are taken off, and the trunk that they show.

use crate::tensor::Tensor;
use crate::value::Value;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

/// The tensors of a state dict, without the `module.` of data-parallel training.
///
/// The prefix is 7 characters at the start, as dirtorch's `load_checkpoint` removes it; NetVLAD's networks have it
/// after `encoder.` and `pool.`.
pub(super) fn state_dict(state: &Value) -> Vec<(String, Tensor)> {
    let entries = state.as_items().unwrap_or_default();
    entries
        .iter()
        .filter_map(|(name, value)| Some((plain(name.as_str()?), value.as_tensor()?.clone())))
        .collect()
}

fn plain(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("module.") {
        return rest.to_owned();
    }
    for part in ["encoder.", "pool."] {
        if let Some(rest) = name
            .strip_prefix(part)
            .and_then(|rest| rest.strip_prefix("module."))
        {
            return format!("{part}{rest}");
        }
    }
    name.to_owned()
}

/// Tensors that are looked for, bytes of one path and of all paths: a file may name one tensor by very many paths.
const TENSORS: usize = 100_000;
const PATH: usize = 512;
const PATHS: usize = 16 << 20;

/// The tensors anywhere in the dictionaries and lists of a file, under their paths, within the bounds above.
pub(super) fn all_tensors(value: &Value) -> Vec<(String, Tensor)> {
    let mut found = Vec::new();
    collect(value, "", &mut found, &mut 0);
    found
}

fn collect(value: &Value, path: &str, found: &mut Vec<(String, Tensor)>, spent: &mut usize) {
    if found.len() >= TENSORS || *spent >= PATHS {
        return;
    }
    let below = |key: &str| {
        let name = if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        };
        Some(name).filter(|name| name.len() <= PATH)
    };
    if let Some(tensor) = value.as_tensor() {
        *spent += path.len();
        found.push((path.to_owned(), tensor.clone()));
    } else if let Some(items) = value.as_items() {
        for (key, value) in items {
            let name = match key {
                Value::Text(text) if text.len() <= PATH => below(text),
                Value::Int(number) => below(&number.to_string()),
                _ => None,
            };
            if let Some(name) = name {
                collect(value, &name, found, spent);
            }
        }
    } else if let Some(items) = value.as_list() {
        for (index, value) in items.iter().enumerate() {
            if let Some(name) = below(&index.to_string()) {
                collect(value, &name, found, spent);
            }
        }
    }
}

/// A ResNet up to one of its stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trunk {
    pub(super) depth: usize,
    pub(super) stages: usize,
}

impl fmt::Display for Trunk {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stages {
            4 => write!(out, "resnet{}", self.depth),
            stages => write!(out, "resnet{}:layer{stages}", self.depth),
        }
    }
}

/// All names of a state dict.
pub(super) struct Names<'a> {
    names: HashSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(state: &'a [(String, Tensor)]) -> Self {
        Self {
            names: state.iter().map(|(name, _)| name.as_str()).collect(),
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn any(&self, test: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| test(name))
    }

    pub(super) fn starts(&self, prefix: &str) -> bool {
        self.any(|name| name.starts_with(prefix))
    }

    /// The ResNet whose blocks are all there, whatever the project calls its layers.
    pub(super) fn trunk(&self) -> Option<Trunk> {
        let layouts: [(&str, usize, &str); 6] = [
            // The name of a layer before its number, the number of the first, what stands before a block's number.
            ("layer", 1, "."),
            ("features.", 4, "."),
            ("backbone.block", 2, "."),
            ("globalmodel.s", 1, ".b"),
            ("encoder_q.s", 1, ".b"),
            ("s", 1, ".b"),
        ];
        layouts
            .iter()
            .find_map(|(layer, first, block)| self.trunk_of(layer, *first, block))
    }

    fn trunk_of(&self, layer: &str, first: usize, block: &str) -> Option<Trunk> {
        let mut blocks: [BTreeSet<usize>; 4] = Default::default();
        let mut bottleneck = false;
        for name in &self.names {
            let found = name.strip_prefix(layer).and_then(|rest| {
                let (number, rest) = rest.split_once('.')?;
                let stage = number.parse::<usize>().ok()?.checked_sub(first)?;
                let rest = match block {
                    "." => rest,
                    _ => rest.strip_prefix('b')?,
                };
                let (block, rest) = rest.split_once('.')?;
                Some((stage, block.parse::<usize>().ok()?, rest))
            });
            if let Some((stage, number, rest)) = found
                && let Some(set) = blocks.get_mut(stage)
            {
                set.insert(number);
                bottleneck |= rest.starts_with("conv3.") || rest.starts_with("f.c.");
            }
        }
        let counts: Vec<usize> = blocks
            .iter()
            .map(BTreeSet::len)
            .take_while(|count| *count > 0)
            .collect();
        let known: &[(usize, [usize; 4])] = if bottleneck {
            &[(50, [3, 4, 6, 3]), (101, [3, 4, 23, 3]), (152, [3, 8, 36, 3])]
        } else {
            &[(18, [2, 2, 2, 2]), (34, [3, 4, 6, 3])]
        };
        let mut fits = known
            .iter()
            .filter(|(_, stages)| !counts.is_empty() && stages.starts_with(&counts));
        match (fits.next(), fits.next()) {
            (Some((depth, _)), None) => Some(Trunk {
                depth: *depth,
                stages: counts.len(),
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[String]) -> Names<'_> {
        Names {
            names: list.iter().map(String::as_str).collect(),
        }
    }

    fn blocks(stages: &[usize], name: impl Fn(usize, usize) -> String) -> Vec<String> {
        stages
            .iter()
            .enumerate()
            .flat_map(|(stage, count)| (0..*count).map(move |block| (stage, block)))
            .map(|(stage, block)| name(stage, block))
            .collect()
    }

    #[test]
    fn trunks_are_counted() {
        let list = blocks(&[2, 2, 2], |stage, block| {
            format!("layer{}.{block}.conv1.weight", stage + 1)
        });
        assert_eq!(names(&list).trunk().unwrap().to_string(), "resnet18:layer3");
        let list = blocks(&[3, 4, 23, 3], |stage, block| {
            format!("features.{}.{block}.conv3.weight", stage + 4)
        });
        assert_eq!(names(&list).trunk().unwrap().to_string(), "resnet101");
        let list = blocks(&[3, 4, 6, 3], |stage, block| {
            format!("globalmodel.s{}.b{}.f.c.weight", stage + 1, block + 1)
        });
        assert_eq!(names(&list).trunk().unwrap().to_string(), "resnet50");
        // The first two stages of 50 and 101 are the same.
        let list = blocks(&[3, 4], |stage, block| {
            format!("layer{}.{block}.conv3.weight", stage + 1)
        });
        assert_eq!(names(&list).trunk(), None);
    }
}
