//! What `sightline search` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, Said, names};

const QUERY: &str = "pictures/scene02_query.png";

fn drawn() -> Place {
    let place = Place::new();
    let drawn = place.draw_scenes("pictures", 4);
    assert!(drawn.contains(&"scene02_query.png".to_owned()));
    place
}

fn search(place: &Place, more: &str) -> Said {
    place.run_seeded(&format!("search --in pictures {more}"))
}

#[test]
fn the_same_scene_answers_first() {
    let place = drawn();
    let said = search(&place, &format!("{QUERY} -k 3 --exclude-self --json")).ends(0);
    let answer = said.json();
    let found = names(&answer["answers"], "name");
    assert_eq!(found.len(), 3);
    assert!(found[0].starts_with("scene02_"), "{found:?}");
    assert!(!found.contains(&"scene02_query.png".to_owned()));
    let scores: Vec<f64> = answer["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    for (index, one) in answer["answers"].as_array().unwrap().iter().enumerate() {
        assert_eq!(one["rank"], index + 1);
        assert!(place.path(one["path"].as_str().unwrap()).is_file());
    }
}

#[test]
fn the_query_itself_answers_first_unless_excluded() {
    let place = drawn();
    let said = search(&place, &format!("{QUERY} -k 1")).ends(0);
    assert_eq!(said.out.lines().count(), 1);
    said.prints("  1  1.0000  pictures/scene02_query.png");
    let said = search(&place, &format!("{QUERY} -k 100 --exclude-self")).ends(0);
    assert_eq!(said.out.lines().count(), 23);
    assert!(!said.out.contains("scene02_query"));
}

#[test]
fn a_second_search_describes_nothing() {
    let place = drawn();
    let first = search(&place, QUERY).ends(0).complains("24 described now");
    let second = search(&place, QUERY).ends(0).complains("0 described now");
    assert!(second.err.contains("24 from the cache"), "{}", second.err);
    assert_eq!(first.out, second.out);
}

#[test]
fn only_what_changed_is_described_again() {
    let place = drawn();
    search(&place, QUERY).ends(0);

    let other = place.read("pictures/scene03_query.png");
    place.write("pictures/added.png", &other);
    search(&place, QUERY).ends(0).complains(" 1 described now");

    place.write("pictures/added.png", place.read("pictures/scene04_query.png"));
    search(&place, QUERY)
        .ends(0)
        .complains("24 from the cache")
        .complains(" 1 described now");

    std::fs::remove_file(place.path("pictures/added.png")).unwrap();
    search(&place, QUERY)
        .ends(0)
        .complains(" 0 described now")
        .complains(" 1 gone");

    let touched = std::fs::File::options()
        .write(true)
        .open(place.path(QUERY))
        .unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
    touched.set_modified(later).unwrap();
    search(&place, QUERY).ends(0).complains(" 1 described now");
}

#[test]
fn other_settings_have_a_cache_of_their_own() {
    let place = drawn();
    search(&place, QUERY).ends(0).complains("24 described now");
    search(&place, &format!("{QUERY} --size 48"))
        .ends(0)
        .complains("24 described now");
    search(&place, QUERY).ends(0).complains(" 0 described now");
}

#[test]
fn unreadable_pictures_of_the_folder_are_listed_every_time() {
    let place = drawn();
    place.write("pictures/broken.jpg", "no picture");
    for _ in 0..2 {
        let said = search(&place, &format!("{QUERY} --json"))
            .ends(1)
            .complains("broken.jpg");
        assert_eq!(names(&said.json()["skipped"], "name"), ["broken.jpg"]);
    }
}

#[test]
fn a_box_looks_at_that_part_only() {
    let place = drawn();
    let whole = search(&place, &format!("{QUERY} --json")).ends(0).json();
    let part = search(&place, &format!("{QUERY} --box 10,20,40,30 --json"))
        .ends(0)
        .json();
    assert_eq!(part["box"], serde_json::json!([10.0, 20.0, 40.0, 30.0]));
    assert!(whole["box"].is_null());
    assert_ne!(whole["answers"][0]["score"], part["answers"][0]["score"]);
    let all = search(&place, &format!("{QUERY} --box 0,0,96,72 --json"))
        .ends(0)
        .json();
    assert_eq!(all["answers"], whole["answers"]);
}

#[test]
fn a_set_is_searched_as_its_card_says() {
    let place = drawn();
    place
        .run_seeded("extract pictures -o set.safetensors --size 64")
        .ends(0);
    let by_set = place
        .run_seeded(&format!("search --features set.safetensors {QUERY} --json"))
        .ends(0)
        .json();
    let by_folder = search(&place, &format!("{QUERY} --size 64 --json"))
        .ends(0)
        .json();
    assert_eq!(
        names(&by_set["answers"], "name"),
        names(&by_folder["answers"], "name")
    );
    let said = place
        .run_seeded(&format!(
            "search --features set.safetensors {QUERY} --exclude-self"
        ))
        .ends(0);
    assert!(!said.out.contains("scene02_query"), "{}", said.out);
}

#[test]
fn a_set_of_another_model_is_refused() {
    let place = drawn();
    place.run_seeded("extract pictures -o set.safetensors").ends(0);
    place
        .run(&format!(
            "search --features set.safetensors {QUERY} --model seeded --arch resnet18:layer1/mac"
        ))
        .ends(3)
        .complains("architecture")
        .complains("resnet18:layer1/mac");
    place
        .run_seeded(&format!("search --features set.safetensors {QUERY} --size 32"))
        .ends(3)
        .complains("recipe");
}

#[test]
fn a_query_that_cannot_be_read_is_an_error() {
    let place = drawn();
    place.write("broken.jpg", "no picture");
    search(&place, "broken.jpg").ends(3).complains("broken.jpg");
    search(&place, "nowhere.jpg").ends(3).complains("nowhere.jpg");
}
