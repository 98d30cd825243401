//! `sightline dataset`: what a ground truth holds, whether its pictures are there, and published sets.

use crate::args::DatasetCommand;
use crate::extract::printable;
use crate::output::{Outcome, print, print_json};
use crate::pictures;
use crate::progress::Screen;
use crate::pull;
use sightline::dataset::pull::Kind;
use sightline::dataset::{CheckReport, PictureIndex, check};
use sightline::image::decode::probe;
use std::fmt::Write as _;
use std::path::Path;

/// How much of a picture file is read for its header.
const HEADER: u64 = 1 << 20;
/// Findings of one kind that are printed; JSON has all of them.
const PRINTED: usize = 20;

pub(crate) fn run(command: &DatasetCommand, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        DatasetCommand::Check {
            dataset,
            images,
            data_root,
            json,
        } => check_set(dataset, images.as_deref(), data_root.as_deref(), *json),
        DatasetCommand::List(args) => pull::list(Kind::Datasets, args),
        DatasetCommand::Pull(args) => pull::run(Kind::Datasets, args, screen),
    }
}

fn check_set(
    dataset: &str,
    images: Option<&Path>,
    data_root: Option<&Path>,
    json: bool,
) -> anyhow::Result<Outcome> {
    let dataset = pictures::open_unchecked(dataset, data_root, images)?;
    let index = dataset.root.as_deref().map(PictureIndex::scan).transpose()?;
    let report = check(&dataset, index.as_ref(), &size_of);
    if json {
        print_json(&report)?;
    } else {
        print(&table(&report)?)?;
    }
    Ok(if report.is_sound() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// The report as lines of text.
fn table(report: &CheckReport) -> anyhow::Result<String> {
    let mut text = format!("{}: {}\n", report.name, report.kind);
    // The totals have other keys for every kind of ground truth; JSON knows which.
    if let serde_json::Value::Object(totals) = serde_json::to_value(&report.totals)? {
        for (name, value) in totals.iter().filter(|(_, value)| !value.is_null()) {
            let value = value.as_str().map_or_else(|| value.to_string(), printable);
            let _ = writeln!(text, "  {:<24} {value}", name.replace('_', " "));
        }
    }
    let unreadable: Vec<String> = report
        .unreadable
        .iter()
        .map(|one| format!("{}: {}", one.path.display(), one.reason))
        .collect();
    for (kind, findings) in [
        ("missing", &report.missing),
        ("ambiguous", &report.ambiguous),
        ("broken", &report.broken),
        ("unreadable", &unreadable),
    ] {
        let _ = writeln!(text, "{kind}: {}", findings.len());
        for finding in findings.iter().take(PRINTED) {
            let _ = writeln!(text, "  {}", printable(finding));
        }
        if findings.len() > PRINTED {
            let _ = writeln!(
                text,
                "  ... and {} more (--json lists all)",
                findings.len() - PRINTED
            );
        }
    }
    Ok(text)
}

/// Width and height that a picture's header says.
fn size_of(path: &Path) -> Result<(u32, u32), String> {
    use std::io::Read as _;
    let mut header = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(HEADER)
        .read_to_end(&mut header)
        .map_err(|error| error.to_string())?;
    probe(&header)
        .map(|probe| (probe.width, probe.height))
        .map_err(|error| error.to_string())
}
