//! Real picture files through a real recipe and a small network.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use sightline_descriptor::ScalePooling;
use sightline_extract::{Network, Options, Picture, Prepare, Recipes, describe_pictures};
use sightline_image::Recipe;
use sightline_plan::{Operation, Plan, RtenExecutor};

/// A portable pixmap whose values depend on place and seed.
fn pixmap(width: usize, height: usize, seed: usize) -> Vec<u8> {
    let mut file = format!("P6 {width} {height} 255\n").into_bytes();
    file.extend((0..3 * width * height).map(|i| ((i * 31 + i / 97 * 13 + seed * 57) % 256) as u8));
    file
}

fn recipe() -> Recipe {
    let mut recipe = Recipe::named("cirtorch").unwrap();
    recipe.set_longer_side(32).unwrap();
    recipe
}

#[test]
fn a_folder_of_all_sorts() {
    let folder = tempfile::tempdir().unwrap();
    let whole = pixmap(60, 40, 1);
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("good.ppm", whole.clone()),
        ("misnamed.jpg", whole.clone()),
        ("one_pixel.ppm", pixmap(1, 1, 2)),
        ("empty.jpg", Vec::new()),
        ("text.png", b"This is no picture.".to_vec()),
        ("truncated.ppm", whole[..whole.len() / 2].to_vec()),
        ("bomb.ppm", b"P6 100000 100000 255\n\x00".to_vec()),
        ("large.ppm", pixmap(1200, 900, 3)),
    ];
    let pictures: Vec<Picture> = files
        .iter()
        .map(|(name, content)| {
            fs::write(folder.path().join(name), content).unwrap();
            Picture::new(*name, folder.path().join(name))
        })
        .collect();
    let (mut plan, image) = Plan::new(3);
    let positive = plan.step(Operation::Relu, &[image]);
    let mean = plan.step(Operation::GlobalMean, &[positive]);
    plan.output("descriptor", mean);
    let mut executor = RtenExecutor::new(&plan, 2).unwrap();
    let recipes = Recipes::new(recipe(), vec![1.0, 0.5], 10_000_000);
    assert_eq!(recipes.pass_scales(), [1.0, 0.5]);
    let mut run = |options: &Options| {
        let pooling = ScalePooling::Cirtorch { msp: 1.0 };
        let mut network = Network::new(&mut executor, 3).with_scales(recipes.pass_scales(), pooling);
        describe_pictures(&pictures, &recipes, &mut network, options).unwrap()
    };
    let rows = run(&Options::default());
    for (good, (name, _)) in files.iter().enumerate() {
        let fails = [
            "one_pixel.ppm",
            "empty.jpg",
            "text.png",
            "truncated.ppm",
            "bomb.ppm",
        ]
        .contains(name);
        assert_eq!(rows[good].is_err(), fails, "{name}: {:?}", rows[good]);
        if let Err(reason) = &rows[good] {
            assert!(reason.ends_with('.') && reason.len() > 20, "{name}: {reason}");
        }
    }
    assert_eq!(rows[0], rows[1], "the content counts, not the name");
    let frugal = Options {
        workers: 1,
        batch: 1,
        memory: 1,
        ..Options::default()
    };
    assert_eq!(run(&frugal), rows);
}

#[test]
fn the_memory_of_a_picture_is_judged_by_its_header() {
    let recipes = Recipes::new(recipe(), vec![1.0], 10_000_000);
    assert!(recipes.memory(&pixmap(100, 50, 0)) >= 3 * 100 * 50);
    assert_eq!(recipes.memory(b"P6 100000 100000 255\n"), 0, "it will be refused");
    assert_eq!(recipes.memory(b"no picture"), 0);
}
