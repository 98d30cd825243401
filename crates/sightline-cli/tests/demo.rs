//! What `sightline demo` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;

/// Asserts that a page needs nothing but itself.
fn stands_alone(page: &str) {
    for outside in [
        "http:",
        "https:",
        "src=\"/",
        "<script src",
        "<link",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(outside), "the page reaches out: {outside}");
    }
    assert!(page.contains("src=\"data:image/jpeg;base64,"));
}

#[test]
fn drawn_scenes_are_searched_evaluated_and_shown() {
    let place = Place::new();
    place
        .run("demo --scenes 3 -o page.html")
        .ends(0)
        .prints("mAP-easy")
        .complains("random weights");
    let page = place.text("page.html");
    stands_alone(&page);
    for text in [
        ". right</b>",
        ". wrong</b>",
        "Average precision",
        "scene03_query",
        "never trained",
        "mAP-hard",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    assert!(!place.path("page.html.tmp").exists());
}

#[test]
fn drawn_scenes_can_be_kept_and_used() {
    let place = Place::new();
    place.run("demo --scenes 2 --keep kept").ends(0);
    assert!(place.path("report.html").is_file());
    place
        .run("dataset check kept/gnd_scenes.json --images kept/png")
        .ends(0)
        .prints("missing: 0");
}

#[test]
fn the_same_seed_gives_the_same_page() {
    let place = Place::new();
    place.run("demo --scenes 2 --seed 3 -o a.html").ends(0);
    place
        .run("demo --scenes 2 --seed 3 -o b.html --threads 1")
        .ends(0);
    place.run("demo --scenes 2 --seed 4 -o c.html").ends(0);
    assert!(place.read("a.html") == place.read("b.html"));
    assert!(place.read("a.html") != place.read("c.html"));
}

#[test]
fn own_pictures_are_shown_without_verdicts() {
    let place = Place::new();
    place.draw_scenes("mine", 2);
    place
        .run("demo mine -o page.html")
        .ends(0)
        .prints("12 pictures described");
    let page = place.text("page.html");
    stands_alone(&page);
    assert!(page.contains("scene02_query.png"));
    assert!(!page.contains("1. right") && !page.contains("1. wrong"));
    assert!(!page.contains("class=\"figures\"") && !page.contains("Average precision"));
}

#[test]
fn a_broken_picture_among_ones_own_is_listed() {
    let place = Place::new();
    place.draw_scenes("mine", 1);
    place.write("mine/<b>broken&.jpg", "no picture");
    place
        .run("demo mine -o page.html")
        .ends(1)
        .complains("broken&.jpg");
    let page = place.text("page.html");
    assert!(!page.contains("<b>broken"), "names must be escaped");
}
