//! `sightline local token`: one descriptor a picture out of its local features, by Token's network.

use super::aggregated;
use crate::args::TokenArgs;
use crate::output::{Outcome, keep_inputs, print, print_json};
use crate::progress::Screen;
use serde::Serialize;
use sightline::TokenAggregation;
use sightline::descriptor::RowType;
use sightline::local::FeatureFile;
use std::path::Path;

#[derive(Serialize)]
struct Summary {
    output: String,
    pictures: usize,
    /// Pictures without features, whose descriptors are zero.
    empty: usize,
    dim: usize,
    architecture: String,
}

pub(super) fn run(args: &TokenArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    keep_inputs(&args.output, [&args.features, &args.model])?;
    let file = FeatureFile::open(&args.features)?;
    let network = if args.model == Path::new("seeded") {
        screen.say("The seeded network has random weights: it has learned nothing.");
        TokenAggregation::seeded(&args.arch, file.dim(), 0)?
    } else {
        TokenAggregation::open(&args.model, &args.arch)?
    };
    let row_type = if args.half { RowType::F16 } else { RowType::F32 };
    let empty = aggregated::write(&file, screen, |watch| {
        network.write_set(&file, &args.output, row_type, threads, watch)
    })?;
    let summary = Summary {
        output: args.output.display().to_string(),
        pictures: file.len(),
        empty,
        dim: TokenAggregation::DIM,
        architecture: network.architecture(),
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
