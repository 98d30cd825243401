//! From the re-ranking options to the stages that put rankings in a better order.

use crate::args::{JunkChoice, RerankArgs};
use crate::output::usage;
use crate::progress::Screen;
use serde_json::{Value, json};
use sightline::dataset::suggestion;
use sightline::descriptor::{DescriptorSet, GraphFile};
use sightline::rerank::{Chain, Compares, Rankings, Reranked, SettingsError};
use sightline::search::KnnGraph;
use sightline::{METHODS, StageError, StageOptions, open_stage};
use std::path::Path;
use std::sync::Mutex;

/// The stages of a command, as they were typed.
pub(crate) fn typed(args: &RerankArgs) -> Vec<String> {
    let mut stages = Vec::new();
    if let Some(text) = &args.dba {
        stages.push(format!("dba:{text}"));
    }
    // No neighbours change nothing, as in dirtorch.
    let pair = |method: &str, values: &[u32]| match values {
        [k, alpha] if *k > 0 => Some(format!("{method}:k={k},alpha={alpha}")),
        _ => None,
    };
    stages.extend(pair("dba", &args.adba));
    stages.extend(pair("aqe", &args.aqe));
    stages.extend(args.rerank.iter().cloned());
    stages
}

/// The stages of an entry of `--compare`: `none`, or stages joined by `+`. A `+` within a setting stays: a stage begins where a
/// method is named, or a name with settings stands.
pub(crate) fn joined(entry: &str) -> Vec<String> {
    if entry.trim() == "none" {
        return Vec::new();
    }
    let begins = |text: &str| {
        let name = text.split([':', '+']).next().unwrap_or("").trim();
        let settings = text.trim_start()[name.len()..].starts_with(':');
        METHODS.contains(&name)
            || (settings && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
    };
    let mut stages: Vec<String> = Vec::new();
    let mut rest = entry;
    let mut from = 0;
    while let Some(at) = rest[from..].find('+') {
        let behind = &rest[from + at + 1..];
        if begins(behind) {
            stages.push(rest[..from + at].trim().to_owned());
            (rest, from) = (behind, 0);
        } else {
            from += at + 1;
        }
    }
    stages.push(rest.trim().to_owned());
    stages
}

/// Opens stages that stand behind `option`: what is wrong with them is wrong usage, and says what was meant.
pub(crate) fn chain(option: &str, stages: &[String], options: &StageOptions) -> anyhow::Result<Chain> {
    let open = |text: &String| open_stage(text, options).map_err(|error| explained(option, text, error));
    let stages = stages.iter().map(open).collect::<anyhow::Result<_>>()?;
    Ok(Chain { stages })
}

fn explained(option: &str, text: &str, error: StageError) -> anyhow::Error {
    let (wanted, known) = match &error {
        StageError::Unknown { method, known } => (method.as_str(), *known),
        StageError::Settings(SettingsError::UnknownKey { key, known, .. }) => (key.as_str(), *known),
        StageError::Settings(_) => ("", [].as_slice()),
        StageError::Open(_) => return error.into(),
    };
    let near = suggestion(wanted, known.iter().copied());
    usage(format!("{option} {text}: {error}{near}"))
}

/// Whether a stage compares that.
pub(crate) fn compares(chain: &Chain, what: Compares) -> bool {
    chain.stages.iter().any(|stage| stage.compares() == what)
}

/// Opens the graph of a set and what lies behind it; refuses one of other descriptors.
pub(crate) fn stored_graph(
    path: &Path,
    set: &DescriptorSet,
    behind: &[DescriptorSet],
) -> anyhow::Result<KnnGraph> {
    let file = GraphFile::open(path)?;
    let sets: Vec<&DescriptorSet> = std::iter::once(set).chain(behind).collect();
    file.check(path, &sets)?;
    Ok(file.graph)
}

/// Runs the stages, with progress; says what does not fit a small collection.
pub(crate) fn run<'a>(
    chain: &mut Chain,
    rankings: Rankings<'a>,
    screen: &Screen,
) -> anyhow::Result<Reranked<'a>> {
    for stage in &chain.stages {
        let images = rankings.images().unwrap_or(usize::MAX);
        for remark in stage.remarks(images) {
            screen.warn(&format!("{}: {remark}", stage.name()));
        }
    }
    let shown = Mutex::new(None);
    let progress = |method: &'static str, done: u64, all: u64| {
        let Ok(mut shown) = shown.lock() else {
            return;
        };
        let bar = match shown.take() {
            Some((name, bar)) if name == method => bar,
            _ => screen.bar(all, method),
        };
        bar.set_length(all);
        bar.set_position(done);
        *shown = Some((method, bar));
    };
    let reranked = chain.run(rankings, &progress);
    if let Ok(Some((_, bar))) = shown.into_inner() {
        bar.finish_and_clear();
    }
    Ok(reranked?)
}

/// What a card says of it.
pub(crate) fn card(chain: &Chain, shortlist: usize, junk: JunkChoice) -> Value {
    let stages = chain.stages.iter().map(|stage| {
        let mut value = json!({ "method": stage.name() });
        if let (Some(to), Some(from)) = (value.as_object_mut(), stage.settings().as_object()) {
            to.extend(from.clone());
        }
        value
    });
    json!({
        "stages": stages.collect::<Vec<_>>(),
        "shortlist": shortlist,
        "junk": junk.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_joined_by_a_plus() {
        assert!(joined("none").is_empty());
        assert_eq!(joined("aqe:k=3,alpha=3"), ["aqe:k=3,alpha=3"]);
        assert_eq!(
            joined("dba:k=2,alpha=0+aqe+spatial:top=9"),
            ["dba:k=2,alpha=0", "aqe", "spatial:top=9"]
        );
        // Names of files may hold a plus; wrong names are found where they stand.
        assert_eq!(joined("csa:weights=a+b.pth+aqe"), ["csa:weights=a+b.pth", "aqe"]);
        assert_eq!(joined("aqe:k=3+aeq:k=4"), ["aqe:k=3", "aeq:k=4"]);
        assert_eq!(joined("aqe + diffusion:kd=5"), ["aqe", "diffusion:kd=5"]);
        assert_eq!(joined("+"), ["+"]);
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let ours = RerankArgs {
            rerank: vec!["aqe:k=10,alpha=3".to_owned()],
            dba: Some("k=2,alpha=0".to_owned()),
            ..RerankArgs::default()
        };
        let theirs = RerankArgs {
            aqe: vec![10, 3],
            adba: vec![2, 0],
            ..RerankArgs::default()
        };
        assert_eq!(typed(&ours), typed(&theirs));
        assert_eq!(typed(&ours), ["dba:k=2,alpha=0", "aqe:k=10,alpha=3"]);
        let none = RerankArgs {
            aqe: vec![0, 3],
            ..RerankArgs::default()
        };
        assert!(typed(&none).is_empty());
    }
}
