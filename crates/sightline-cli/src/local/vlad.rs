//! `sightline local vlad`: one descriptor a picture out of its local features.

use super::aggregated;
use crate::args::VladArgs;
use crate::output::{Outcome, keep_inputs, print, print_json};
use crate::progress::Screen;
use serde::Serialize;
use sightline::descriptor::RowType;
use sightline::local::{Codebook, FeatureFile, write_vlad_set};

#[derive(Serialize)]
struct Summary {
    output: String,
    pictures: usize,
    /// Pictures without features, whose descriptors are zero.
    empty: usize,
    dim: usize,
    words: usize,
    normalisation: &'static str,
}

pub(super) fn run(args: &VladArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    keep_inputs(&args.output, [&args.features, &args.codebook])?;
    let (file, codebook) = (
        FeatureFile::open(&args.features)?,
        Codebook::open(&args.codebook)?,
    );
    let row_type = if args.half { RowType::F16 } else { RowType::F32 };
    let empty = aggregated::write(&file, screen, |watch| {
        write_vlad_set(&file, &codebook, args.normalise, &args.output, row_type, watch)
    })?;
    let summary = Summary {
        output: args.output.display().to_string(),
        pictures: file.len(),
        empty,
        dim: codebook.centroids().len(),
        words: codebook.words(),
        normalisation: args.normalise.name(),
    };
    if args.json {
        print_json(&summary)?;
    } else {
        print(&format!(
            "{} descriptors of {} values: {}",
            summary.pictures, summary.dim, summary.output
        ))?;
    }
    Ok(Outcome::Done)
}
