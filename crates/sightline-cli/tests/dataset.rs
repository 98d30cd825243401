//! What `sightline dataset check` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, shared};
use serde_json::json;

#[test]
fn a_sound_data_set_has_its_totals() {
    let place = Place::new();
    place.draw_scenes("pictures", 3);
    let said = place
        .run("dataset check gnd.json --images pictures --json")
        .ends(0);
    let report = said.json();
    assert_eq!(report["kind"], "revisited");
    let totals = &report["totals"];
    for (key, value) in [
        ("images", 15),
        ("queries", 3),
        ("easy", 9),
        ("hard", 6),
        ("junk", 0),
        ("found", 18),
    ] {
        assert_eq!(totals[key], value, "{key} in {totals}");
    }
    assert_eq!(totals["first_image"], "scene01_easy1");
    assert_eq!(totals["first_bbx"], json!([0.0, 0.0, 96.0, 72.0]));
    for list in ["missing", "ambiguous", "broken", "unreadable"] {
        assert_eq!(report[list], json!([]));
    }
    place
        .run("dataset check gnd.json")
        .ends(0)
        .prints("queries")
        .prints("missing: 0");
}

#[test]
fn a_missing_picture_is_named() {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    std::fs::remove_file(place.path("pictures/scene01_easy1.jpg")).unwrap();
    let said = place
        .run("dataset check gnd.json --images pictures --json")
        .ends(1);
    assert_eq!(said.json()["missing"], json!(["scene01_easy1"]));
    place
        .run("dataset check gnd.json --images pictures")
        .ends(1)
        .prints("missing: 1\n  scene01_easy1");
}

#[test]
fn an_index_beyond_the_list_is_broken() {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    let mut truth = place.json("gnd.json");
    truth["gnd"][1]["easy"][0] = json!(99);
    place.write("gnd.json", truth.to_string());
    let said = place.run("dataset check gnd.json --json").ends(1);
    let broken = said.json()["broken"].clone();
    assert_eq!(broken.as_array().unwrap().len(), 1);
    let sentence = broken[0].as_str().unwrap();
    assert!(
        sentence.contains("99") && sentence.contains("scene02_query"),
        "{sentence}"
    );
}

#[test]
fn a_name_that_fits_two_pictures_names_both() {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    let picture = place.read("pictures/scene02_easy1.jpg");
    place.write("pictures/other/scene02_easy1.jpg", &picture);
    std::fs::create_dir_all(place.path("pictures/more")).unwrap();
    std::fs::rename(
        place.path("pictures/scene02_easy1.jpg"),
        place.path("pictures/more/scene02_easy1.jpg"),
    )
    .unwrap();
    let said = place
        .run("dataset check gnd.json --images pictures --json")
        .ends(1);
    let ambiguous = said.json()["ambiguous"].to_string();
    for part in ["more", "other", "scene02_easy1"] {
        assert!(ambiguous.contains(part), "{ambiguous}");
    }
}

#[test]
fn an_unreadable_picture_is_named() {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    place.write("pictures/scene01_easy1.jpg", "no picture");
    let said = place
        .run("dataset check gnd.json --images pictures --json")
        .ends(1);
    let unreadable = said.json()["unreadable"].to_string();
    assert!(unreadable.contains("scene01_easy1.jpg"), "{unreadable}");
}

#[test]
fn what_is_no_data_set_is_refused() {
    let place = Place::new();
    place.write("broken.json", "{\"imlist\": [");
    place
        .run("dataset check broken.json")
        .ends(3)
        .complains("broken.json");
    place
        .run("dataset check nowhere.pkl")
        .ends(3)
        .complains("nowhere.pkl");
    place
        .run("dataset check roxfrod5k")
        .ends(3)
        .complains("did you mean roxford5k");
}

#[test]
fn the_revisited_ground_truths_have_their_totals() {
    let Some(folder) = shared("groundtruth") else {
        return;
    };
    let place = Place::new();
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("totals.json")).unwrap()).unwrap();
    for name in ["roxford5k", "rparis6k"] {
        let file = folder.join(format!("gnd_{name}.pkl"));
        let said = place
            .run_args(&["dataset", "check", file.to_str().unwrap(), "--json"])
            .ends(0);
        let report = said.json();
        for (key, value) in expected[name].as_object().unwrap() {
            assert_eq!(&report["totals"][key], value, "{name}: {key}");
        }
    }
}
