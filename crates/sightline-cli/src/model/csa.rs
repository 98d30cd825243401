//! `sightline model export` of CSA's re-ranking network.

use super::export::{Exported, written};
use crate::output::{Outcome, usage};
use sightline::CsaModel;
use sightline::checkpoint;
use sightline::checkpoint::recognise::{Project, recognise_file};
use sightline::nn::CsaSizes;
use std::path::Path;

/// What the network is called where networks have names; behind it perhaps `-h` and the number of heads.
const NAME: &str = "csa";
/// Candidates that a network for any number of them is checked on.
const CANDIDATES: [usize; 2] = [64, 100];
/// The most candidates that a file is made for, so that checking it needs no more memory than there is.
const MOST_CANDIDATES: usize = 8192;

/// The heads that such a name gives: none where it is `csa` alone. An error where it is another name altogether.
fn heads(name: &str) -> Option<Option<usize>> {
    if name == NAME {
        return Some(None);
    }
    let heads = name.strip_prefix(NAME)?.strip_prefix("-h")?.parse().ok()?;
    (heads > 0).then_some(Some(heads))
}

/// Whether `model export` is to write CSA's network: its name is given, or no name and a checkpoint of it. A file that cannot be
/// read is left to say so elsewhere.
pub(super) fn is_asked_for(file: &Path, arch: Option<&str>) -> bool {
    match arch {
        Some(name) => name == NAME || name.starts_with("csa-"),
        None if file.as_os_str() == "seeded" => false,
        None => checkpoint::read(file).is_ok_and(|file| recognise_file(&file).project == Project::Csa),
    }
}

/// What is typed behind `model export`.
pub(super) struct Wanted<'a> {
    pub(super) file: &'a Path,
    pub(super) arch: Option<&'a str>,
    /// Number of candidates; any without it.
    pub(super) k: Option<usize>,
    pub(super) output: &'a Path,
    pub(super) json: bool,
}

pub(super) fn export(wanted: &Wanted<'_>, threads: usize) -> anyhow::Result<Outcome> {
    let name = wanted.arch.unwrap_or(NAME);
    let Some(heads) = heads(name) else {
        return Err(usage(format!(
            "`{name}` names no network: CSA's is `csa`, or `csa-h` and its number of heads, such as `csa-h12`."
        )));
    };
    if wanted.k.is_some_and(|k| !(1..=MOST_CANDIDATES).contains(&k)) {
        return Err(usage(format!(
            "--k takes a whole number from 1 to {MOST_CANDIDATES}."
        )));
    }
    let model = match wanted.file.as_os_str() == "seeded" {
        true => {
            let published = CsaSizes::PUBLISHED;
            let heads = heads.unwrap_or(published.heads);
            CsaModel::seeded(CsaSizes { heads, ..published }, 0)?
        }
        false => CsaModel::open(wanted.file, heads)?,
    };
    let file = model.to_onnx(wanted.k)?;
    let candidates = wanted.k.map_or_else(|| CANDIDATES.to_vec(), |k| vec![k]);
    let checks = candidates
        .into_iter()
        .map(|k| model.check_export(file.clone(), k, threads))
        .collect::<Result<Vec<_>, _>>()?;
    let sizes = model.network.sizes();
    let exported = Exported {
        output: wanted.output.display().to_string(),
        architecture: format!("{NAME}-h{}", sizes.heads),
        dim: None,
        bytes: file.len(),
        input_size: wanted.k.map(|k| [k + 1, 1]),
        sha256: sightline::card::sha256_hex(&file),
        checks,
    };
    let takes = match wanted.k {
        Some(k) => format!("[N, {}, {}, 1] only: {k} candidates", sizes.anchors, k + 1),
        None => format!("[N, {}, T, 1]: any number of candidates, T - 1", sizes.anchors),
    };
    written(
        &exported,
        &file,
        ("affinities", &takes),
        wanted.output,
        wanted.json,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_in_the_name() {
        assert_eq!((heads("csa"), heads("csa-h12")), (Some(None), Some(Some(12))));
        for other in ["csa-12", "csah12", "csa-h0", "csa-hx", "resnet18/gem"] {
            assert_eq!(heads(other), None, "{other}");
        }
    }
}
