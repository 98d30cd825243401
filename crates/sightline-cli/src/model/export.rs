//! `sightline model export`: a network as an ONNX file, checked by running it.

use crate::args::ModelArgs;
use crate::model_choice;
use crate::output::{Outcome, print, print_json, write_whole};
use crate::progress::Screen;
use serde::Serialize;
use sightline::ExportCheck;
use std::fmt::Write as _;
use std::path::Path;

/// Height and width of the pictures that a network for any size is checked on.
const SIZES: [[usize; 2]; 2] = [[224, 224], [192, 256]];

#[derive(Serialize)]
pub(super) struct Exported {
    pub(super) output: String,
    pub(super) architecture: String,
    /// Length of its descriptors, where it makes some.
    pub(super) dim: Option<usize>,
    pub(super) bytes: usize,
    /// Height and width; null: any.
    pub(super) input_size: Option<[usize; 2]>,
    pub(super) sha256: String,
    pub(super) checks: Vec<ExportCheck>,
}

pub(crate) fn onnx(
    network: &ModelArgs,
    output: &Path,
    size: Option<[usize; 2]>,
    json: bool,
    threads: usize,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    let model = model_choice::model(network, screen)?;
    let size = size.or(model.picture_size());
    let file = model.to_onnx(size)?;
    let sizes = size.map_or_else(|| SIZES.to_vec(), |size| vec![size]);
    let checks = sizes
        .into_iter()
        .map(|size| model.check_export(file.clone(), size, threads))
        .collect::<Result<Vec<_>, _>>()?;
    let exported = Exported {
        output: output.display().to_string(),
        architecture: model.architecture(),
        dim: model.dim(),
        bytes: file.len(),
        input_size: size,
        sha256: sightline::card::sha256_hex(&file),
        checks,
    };
    let takes = match size {
        Some([height, width]) => format!("{height}x{width} (height x width) only"),
        None => "any height and width".to_owned(),
    };
    written(&exported, &file, ("pictures", &takes), output, json)
}

/// Writes a file whose checks hold, and prints what is known of it; `takes` is what its input is, and which.
pub(super) fn written(
    exported: &Exported,
    file: &[u8],
    takes: (&str, &str),
    output: &Path,
    json: bool,
) -> anyhow::Result<Outcome> {
    if let Some(check) = exported.checks.iter().find(|check| !check.agrees()) {
        anyhow::bail!(
            "{} was not written: {}. That is more than rounding; please report it.",
            output.display(),
            sentence(check)
        );
    }
    write_whole(output, file)?;
    if json {
        print_json(exported)?;
    } else {
        print(&table(exported, takes))?;
    }
    Ok(Outcome::Done)
}

fn table(exported: &Exported, (input, which): (&str, &str)) -> String {
    let mut text = format!(
        "file          {}, {} bytes, sha256 {}\narchitecture  {}\n",
        exported.output, exported.bytes, exported.sha256, exported.architecture
    );
    let _ = writeln!(text, "{input:13} {which}");
    for check in &exported.checks {
        let _ = writeln!(text, "checked       {}", sentence(check));
    }
    text
}

fn sentence(check: &ExportCheck) -> String {
    format!(
        "{}x{}: {} differs from the network in Burn by at most {:.2e} (largest value {:.2e}), cosine {:.9}",
        check.picture[0],
        check.picture[1],
        check.runtime,
        check.largest_difference,
        check.largest_value,
        check.cosine
    )
}
