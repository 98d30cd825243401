//! `sightline local info`: what is in a file of local features.

use crate::args::LocalInfoArgs;
use crate::output::{Outcome, print, print_json};
use serde::Serialize;
use sightline::descriptor::RowType;
use sightline::local::FeatureFile;

#[derive(Serialize)]
struct Info {
    file: String,
    pictures: usize,
    features: usize,
    /// The fewest and the most features of a picture.
    fewest: usize,
    most: usize,
    dim: usize,
    precision: &'static str,
    shard: Option<String>,
    /// Whether all of it was compared with its checksums.
    verified: bool,
    card: Option<serde_json::Value>,
}

pub(crate) fn run(args: &LocalInfoArgs) -> anyhow::Result<Outcome> {
    let file = FeatureFile::open(&args.file)?;
    if args.verify {
        file.verify()?;
    }
    let counts = || (0..file.len()).map(|picture| file.range(picture).len());
    let info = Info {
        file: args.file.display().to_string(),
        pictures: file.len(),
        features: file.features(),
        fewest: counts().min().unwrap_or(0),
        most: counts().max().unwrap_or(0),
        dim: file.dim(),
        precision: match file.row_type() {
            RowType::F32 => "float32",
            RowType::F16 => "float16",
        },
        shard: file.shard().map(|shard| shard.to_string()),
        verified: args.verify,
        card: file.card().map(|card| card.to_value()),
    };
    if args.json {
        print_json(&info)?;
        return Ok(Outcome::Done);
    }
    let mut text = format!(
        "{} features of {} pictures ({} to {} each), {} values each ({})\n",
        info.features, info.pictures, info.fewest, info.most, info.dim, info.precision
    );
    if let Some(shard) = &info.shard {
        text += &format!("shard: {shard}\n");
    }
    match file.card() {
        Some(card) => {
            let scales: Vec<String> = card.identity.scales.values.iter().map(f64::to_string).collect();
            text += &format!(
                "network: {}\nscales: {}\n",
                card.identity.architecture,
                scales.join(", ")
            );
            if let Some(whitening) = &card.identity.whitening {
                text += &format!("whitening: {}\n", whitening.name);
            }
        }
        None => text += "no card\n",
    }
    if info.verified {
        text += "everything is as it was written\n";
    }
    print(&text)?;
    Ok(Outcome::Done)
}
