//! Describes pictures with Token at its three scales and prints how alike they are.
//!
//! ```text
//! cargo run --release -p sightline --example token -- R101-Token.pth A.jpg B.jpg C.jpg
//! ```
//! Without a checkpoint (`.pth`, `.pt`, `.safetensors`) the network has seeded weights: it shows how, and knows nothing.

#![allow(clippy::print_stdout)]

use sightline::descriptor::ScalePooling;
use sightline::image::recipe::Recipe;
use sightline::{Describer, Model, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let is_checkpoint = |path: &String| {
        let endings = [".pth", ".pt", ".safetensors"];
        endings.iter().any(|ending| path.ends_with(ending))
    };
    let (checkpoints, pictures): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(is_checkpoint);
    let model = match checkpoints.first() {
        Some(path) => Model::open(path, None)?,
        None => Model::seeded("resnet50/token", 1)?,
    };
    let settings = Settings {
        recipe: Some(Recipe::named("token")?),
        scales: vec![1.0, 2_f64.sqrt(), 0.5_f64.sqrt()],
        pooling: Some(ScalePooling::Token),
        ..Settings::default()
    };
    let mut describer = Describer::new(&model, settings)?;
    let mut descriptors = Vec::new();
    for picture in &pictures {
        descriptors.push(describer.describe_file(picture, None)?.row(0));
    }
    for (name, a) in pictures.iter().zip(&descriptors) {
        for b in &descriptors {
            let similarity: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            print!("{similarity:7.4} ");
        }
        println!(" {name}");
    }
    Ok(())
}
