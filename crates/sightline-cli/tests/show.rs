//! What `sightline show` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use sightline::image::decode::{DecodeOptions, decode};

/// A network with local features that costs nothing; many cells, since the pictures are small.
const HOW: &str = "--model seeded --arch resnet18:layer1/how-unreduced --scales 1 --features 0";

#[test]
fn a_picture_agrees_with_itself_and_the_drawing_shows_it() {
    let place = Place::new();
    let names = place.draw_scenes("pictures", 1);
    let (first, second) = (format!("pictures/{}", names[0]), format!("pictures/{}", names[0]));
    let said = place
        .run(&format!(
            "show matches {first} {second} {HOW} --outliers -o matches.png --json"
        ))
        .ends(0);
    let answer = said.json();
    let (features, inliers) = (
        answer["first"]["features"].as_u64().unwrap(),
        answer["inliers"].as_u64().unwrap(),
    );
    assert_eq!(features, 24 * 18);
    assert!(inliers > features / 2, "{inliers} of {features}");
    assert_eq!(answer["pairs"].as_array().unwrap().len() as u64, inliers);
    assert_eq!(answer["model"]["kind"], "homography");
    assert!((answer["model"]["matrix"][0][0].as_f64().unwrap() - 1.0).abs() < 1e-6);
    assert_eq!(
        answer["card"]["identity"]["architecture"],
        "resnet18:layer1/how-unreduced"
    );
    let drawn = decode(&place.read("matches.png"), &DecodeOptions::default()).unwrap();
    assert!(drawn.width > 2 * drawn.height);

    place
        .run(&format!(
            "show matches {first} {second} {HOW} --model-kind similarity -o matches.html"
        ))
        .ends(0)
        .prints(&format!("{inliers} of them agree on one similarity"));
    let page = place.text("matches.html");
    assert_eq!(page.matches("class=\"pair\"").count() as u64, inliers);
    assert!(!page.contains("http"));
}

#[test]
fn wrong_options_are_found_before_any_file_is_looked_at() {
    let place = Place::new();
    let wrong = |options: &str, sentence: &str| {
        place
            .run(&format!("show matches a.jpg b.jpg {HOW} {options}"))
            .ends(2)
            .complains(sentence);
    };
    wrong("-o matches.gif", "does not end in .png");
    wrong("--model-kind homografy", "did you mean homography?");
    wrong("--ratio 0", "--ratio takes a number above 0");
    wrong("--outliers", "nothing is drawn without -o");
    place
        .run(&format!("show matches a.jpg b.jpg {HOW}"))
        .ends(3)
        .complains("a.jpg");
}
