//! What two photographs have in common: local features, matches that agree on a homography, drawn as a picture.
//!
//! ```sh
//! cargo run --release --example match -- trunk.pth resnet18:layer3/how-unreduced first.jpg second.jpg matches.png
//! ```

use sightline::local::spatial::Verification;
use sightline::show::{MatchesDrawing, ShownPicture};
use sightline::{LocalDescriber, LocalSettings, Model};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, architecture, first, second, output] = &arguments[..] else {
        return Err("This takes WEIGHTS ARCHITECTURE FIRST SECOND OUTPUT.png".into());
    };
    let model = Model::open(weights, Some(architecture))?;
    let settings = LocalSettings::default();
    let max_pixels = settings.max_pixels;
    let mut describer = LocalDescriber::new(&model, settings)?;
    let features = [
        describer.describe_file(first, None)?,
        describer.describe_file(second, None)?,
    ];

    let verified = Verification::default().verify(&features[0], &features[1])?;

    let picture = |path: &str| ShownPicture::prepared(Path::new(path), describer.recipe(), max_pixels);
    let pictures = [picture(first)?, picture(second)?];
    let mut drawing = MatchesDrawing::new(pictures, [&features[0], &features[1]], &verified);
    drawing.outliers.clear();
    std::fs::write(output, drawing.to_png()?)?;
    Ok(())
}
