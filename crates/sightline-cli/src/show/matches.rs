//! `sightline show matches`: two pictures and what they have in common.

use super::Form;
use crate::args::{ShowMatchesArgs, VerificationArgs};
use crate::output::{Outcome, print, print_json, usage, write_whole};
use crate::progress::Screen;
use crate::{model_choice, whitening_choice};
use serde::Serialize;
use sightline::local::LocalFeatures;
use sightline::local::spatial::{Matching, RobustSettings, Verification, Verified};
use sightline::show::{MatchesDrawing, ShownPicture};
use std::path::Path;

#[derive(Serialize)]
struct Answer {
    first: Side,
    second: Side,
    matches: usize,
    /// How many agree.
    inliers: usize,
    /// None where no map was found.
    model: Option<Map>,
    /// The matches that agree, by ascending feature of the first picture.
    pairs: Vec<Pair>,
    card: serde_json::Value,
}

#[derive(Serialize)]
struct Side {
    picture: String,
    /// Width and height of the prepared picture, in whose pixels all places are.
    size: [usize; 2],
    features: usize,
}

#[derive(Serialize)]
struct Map {
    kind: &'static str,
    /// From the first picture to the second, three rows of homogeneous coordinates.
    matrix: [[f64; 3]; 3],
}

#[derive(Serialize)]
struct Pair {
    first: [f32; 2],
    second: [f32; 2],
    distance: f64,
    ratio: f64,
}

pub(crate) fn run(args: &ShowMatchesArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let form = args.output.as_deref().map(Form::of).transpose()?;
    if form.is_none() && args.outliers {
        return Err(usage("--outliers draws, and nothing is drawn without -o FILE"));
    }
    let verification = verification(&args.verification)?;
    model_choice::check(&args.model, &args.recipe)?;
    let model = model_choice::model(&args.model, screen)?;
    let features = (args.features > 0).then_some(args.features);
    let mut describer = model_choice::local_describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        features,
        args.whiten_l2,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let first = describer.describe_file(&args.first, None)?;
    let second = describer.describe_file(&args.second, None)?;
    let verified = verification.verify(&first, &second)?;

    if let (Some(output), Some(form)) = (&args.output, form) {
        let shown = |path: &Path| ShownPicture::prepared(path, describer.recipe(), args.recipe.max_pixels);
        let pictures = [shown(&args.first)?, shown(&args.second)?];
        let mut drawing = MatchesDrawing::new(pictures, [&first, &second], &verified);
        if !args.outliers {
            drawing.outliers.clear();
        }
        let bytes = match form {
            Form::Png => drawing.to_png()?,
            Form::Html => drawing.to_html()?.into_bytes(),
        };
        write_whole(output, &bytes)?;
    }
    if args.json {
        let card = describer.card().to_value();
        print_json(&answer(args, &verification, [&first, &second], &verified, card))?;
    } else {
        let agreeing = match verified.score() {
            0 => format!("agree on no {}", verification.model.kind.name()),
            count => format!("{count} of them agree on one {}", verification.model.kind.name()),
        };
        print(&format!(
            "{} and {} features, {} matches, {agreeing}",
            first.len(),
            second.len(),
            verified.matches.len()
        ))?;
    }
    Ok(Outcome::Done)
}

/// What was asked of the matches.
fn verification(args: &VerificationArgs) -> anyhow::Result<Verification> {
    for (name, value) in [
        ("--ratio", args.ratio),
        ("--max-distance", args.max_distance),
        ("--threshold", Some(args.threshold)),
    ] {
        if value.is_some_and(|value| !value.is_finite() || value <= 0.0) {
            return Err(usage(format!("{name} takes a number above 0")));
        }
    }
    Ok(Verification {
        matching: Matching {
            mutual: !args.one_way,
            ratio: args.ratio,
            max_distance: args.max_distance,
        },
        model: RobustSettings {
            threshold: args.threshold,
            max_samples: args.max_samples as usize,
            seed: args.seed,
            ..RobustSettings::of(args.model_kind)
        },
    })
}

fn answer(
    args: &ShowMatchesArgs,
    verification: &Verification,
    [first, second]: [&LocalFeatures; 2],
    verified: &Verified,
    card: serde_json::Value,
) -> Answer {
    let side = |path: &Path, features: &LocalFeatures| Side {
        picture: path.display().to_string(),
        size: [features.size[1], features.size[0]],
        features: features.len(),
    };
    let pairs: Vec<Pair> = verified
        .inliers()
        .map(|found| Pair {
            first: first.places[found.first as usize],
            second: second.places[found.second as usize],
            distance: found.distance,
            ratio: found.ratio,
        })
        .collect();
    Answer {
        first: side(&args.first, first),
        second: side(&args.second, second),
        matches: verified.matches.len(),
        inliers: pairs.len(),
        model: verified.fit.as_ref().map(|fit| {
            let [a, b, c, d, e, f, g, h, i] = fit.model.matrix;
            Map {
                kind: verification.model.kind.name(),
                matrix: [[a, b, c], [d, e, f], [g, h, i]],
            }
        }),
        pairs,
        card,
    }
}
