//! What `sightline local` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, Said};
use sightline::local::FeatureFile;

/// A network with local features that costs nothing.
const HOW: &str = "--model seeded --arch resnet18:layer1/how-out8";

fn extract(place: &Place, output: &str, more: &str) -> Said {
    place.run(&format!("local extract pictures -o {output} {HOW} {more}"))
}

fn drawn() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    place
}

#[test]
fn every_picture_gets_its_strongest_features() {
    let place = drawn();
    let said = extract(&place, "db.safetensors", "--features 30 --scales 2,1,0.5 --json").ends(0);
    let file = FeatureFile::open(place.path("db.safetensors")).unwrap();
    file.verify().unwrap();
    assert_eq!((file.len(), file.dim(), file.features()), (12, 8, 12 * 30));
    for picture in 0..file.len() {
        let features = file.picture(picture);
        assert_eq!(features.size, [72, 96]);
        assert!(features.strengths.is_sorted_by(|a, b| a >= b));
        assert_eq!(features.strengths[0], 1.0);
        for [x, y] in features.places {
            assert!((-1.0..96.0).contains(x) && (-1.0..72.0).contains(y), "{x} {y}");
        }
    }
    let summary = said.json();
    assert_eq!(summary["features"], 360);
    assert_eq!(summary["card"]["identity"]["local"]["features"], 30);
    assert_eq!(summary["card"]["identity"]["scales"]["values"][0], 2.0);
    assert!(!place.path("db.safetensors.part").exists());

    let info = place
        .run("local info db.safetensors --verify --json")
        .ends(0)
        .json();
    assert_eq!((&info["features"], &info["dim"]), (&360.into(), &8.into()));
    assert_eq!(info["verified"], true);
}

#[test]
fn all_features_of_one_scale_are_kept_where_that_is_asked() {
    let place = drawn();
    // A cell every four pixels.
    extract(&place, "db.safetensors", "--features 0 --scales 1").ends(0);
    let file = FeatureFile::open(place.path("db.safetensors")).unwrap();
    assert_eq!(file.range(0).len(), 24 * 18);
    let mut places: Vec<[u32; 2]> = file
        .picture(0)
        .places
        .iter()
        .map(|p| p.map(|v| v as u32))
        .collect();
    places.sort_unstable();
    assert_eq!(places[..2], [[0, 0], [0, 4]]);
    assert_eq!(places.last(), Some(&[92, 68]));
}

#[test]
fn shards_threads_and_batches_change_no_byte_and_what_fails_is_listed() {
    let place = drawn();
    place.write("pictures/broken.jpg", "no picture");
    extract(&place, "whole", "--features 20 --half --threads 1 --batch 1").ends(1);
    for shard in 1..=3 {
        let said = extract(
            &place,
            &format!("part{shard}"),
            &format!("--features 20 --half --shard {shard}/3"),
        );
        assert!(said.code < 2, "{}", said.err);
    }
    place
        .run("local extract merge part2 part3 part1 -o part3")
        .ends(2)
        .complains("part3 is read, and would be replaced");
    place
        .run("local extract merge part2 part3 part1 -o merged")
        .ends(1);
    assert!(place.read("merged") == place.read("whole"));
    assert!(place.text("merged.skipped.json").contains("broken.jpg"));
}

#[test]
fn a_whitening_is_learned_from_features_and_applied_to_them() {
    let place = drawn();
    extract(&place, "raw", "--scales 1 --features 50").ends(0);
    for method in ["pca", "how"] {
        place
            .run(&format!("whiten learn raw -o white --dims 4 --method {method}"))
            .ends(0);
        let said = extract(&place, "db", "--scales 1 --features 50 --whiten white").ends(0);
        assert!(!said.err.contains("made otherwise"), "{}", said.err);
        let file = FeatureFile::open(place.path("db")).unwrap();
        assert_eq!(file.dim(), 4);
        // Those it was learned from have mean 0 and variance 1 along every axis.
        let view: Vec<f32> = (0..file.len())
            .flat_map(|i| file.picture(i).to_features().descriptors)
            .collect();
        for axis in 0..4 {
            let values = || view.iter().skip(axis).step_by(4).map(|v| f64::from(*v));
            let count = values().count() as f64;
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / count;
            assert!(
                mean.abs() < 1e-3 && (variance - 1.0).abs() < 0.01,
                "{mean} {variance}"
            );
        }
    }
}

#[test]
fn what_has_no_local_features_is_refused() {
    let place = drawn();
    let said = place
        .run("local extract pictures -o db --model seeded --arch resnet18:layer1/gem")
        .ends(3);
    assert!(said.err.contains("has no local features"), "{}", said.err);
    place.write("plain", "no file of local features");
    let said = place.run("local info plain").ends(3);
    assert!(
        said.err.contains("cannot be used as a file of local features"),
        "{}",
        said.err
    );
    extract(&place, "db", "--scales 1 --features 5").ends(0);
    let said = place.run("whiten apply db -w nothing -o x.npy");
    assert_ne!(said.code, 0);
    let said = place
        .run("eval --dataset gnd.json --features db --query-features db")
        .ends(3);
    assert!(said.err.contains("local features"), "{}", said.err);
    let said = extract(&place, "db", "--gemp 3").ends(2);
    assert!(said.err.contains("are not pooled"), "{}", said.err);
}
