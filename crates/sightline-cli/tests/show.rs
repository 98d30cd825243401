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

/// Drawn scenes in folders by what they show.
fn classes(place: &Place) -> Vec<String> {
    let names = place.draw_scenes("scenes", 3);
    for name in &names {
        let scene = place.read(&format!("scenes/{name}"));
        place.write(&format!("classes/{}/{name}", &name[..7]), &scene);
    }
    names
}

#[test]
fn answers_are_drawn_as_strips_worst_queries_first() {
    let place = Place::new();
    let names = classes(&place);
    let show = "show ranking --dataset classes";
    let asked = format!("{}/{}", &names[2][..7], names[2]);
    place
        .run_seeded(&format!("{show} --queries 2 --answers 3 -o strips.png"))
        .ends(0);
    let drawn = decode(&place.read("strips.png"), &DecodeOptions::default()).unwrap();
    // Two strips of a query and three answers.
    assert!(drawn.width > drawn.height && drawn.width < 4 * drawn.height);
    place
        .run_seeded(&format!("{show} --query {asked} --answers 4 -o strips.html"))
        .ends(0);
    let page = place.text("strips.html");
    assert_eq!(page.matches("<article").count(), 1);
    assert_eq!(page.matches("<img").count(), 1 + 4);
    assert!(page.contains(&asked) && page.contains("right"));
    place
        .run_seeded(&format!("{show} --query nothing.jpg -o strips.html"))
        .ends(2)
        .complains("there is no query `nothing.jpg`");
}

#[test]
fn a_data_set_is_shown_by_what_its_truth_lists() {
    let place = Place::new();
    let names = classes(&place);
    place
        .run("show data --dataset classes --queries 3 -o data.html")
        .ends(0);
    let page = place.text("data.html");
    assert_eq!(page.matches("<article").count(), 3);
    // Everything that the truth lists for a query is right; classes do not list the query itself.
    assert!(!page.contains("class=\"wrong\""));
    let each = names.iter().filter(|name| name[..7] == names[0][..7]).count() - 1;
    assert_eq!(page.matches("class=\"right\"").count(), 3 * each);
    place.run("show data --dataset classes -o data.png").ends(0);
    assert!(place.read("data.png").starts_with(b"\x89PNG"));
}

#[test]
fn attention_lies_over_the_picture() {
    let place = Place::new();
    let names = place.draw_scenes("pictures", 1);
    let picture = format!("pictures/{}", names[0]);
    let show = format!("show attention {picture} --model seeded --size 64");
    place
        .run(&format!(
            "{show} --arch resnet18:layer3/token-d64-h4 -o tokens.html"
        ))
        .ends(0);
    let page = place.text("tokens.html");
    // The picture, four tokens, and the map itself.
    assert_eq!(page.matches("<img").count(), 6);
    assert!(page.contains("token 4"));
    place
        .run(&format!("{show} --arch resnet18/solar --at 20,10 -o looks.png"))
        .ends(0);
    assert!(place.read("looks.png").starts_with(b"\x89PNG"));
    place
        .run(&format!("{show} --arch resnet18/gem -o map.jpg"))
        .ends(2)
        .complains("does not end in .png");
}
