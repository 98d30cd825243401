//! What `sightline eval --local` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;

/// A network with local features that costs nothing.
const HOW: &str = "--model seeded --arch resnet18:layer1/how-out16";
const SETTINGS: &str = "--scales 1,0.5 --local-features 200";

/// Scenes, their local features and a codebook of 60 words.
fn extracted() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 4);
    for (side, output) in [("database", "db"), ("queries", "q")] {
        place
            .run(&format!(
                "local extract gnd.json --images pictures --side {side} -o {output} {HOW} --scales 1,0.5 --features 200"
            ))
            .ends(0);
    }
    place.run("local codebook train db -o words --words 60").ends(0);
    place
}

fn eval(place: &Place, more: &str) -> serde_json::Value {
    place
        .run(&format!(
            "eval --dataset gnd.json --codebook words --json - {more}"
        ))
        .ends(0)
        .json()
}

#[test]
fn asmk_finds_drawn_scenes_from_files_and_from_the_model() {
    let place = extracted();
    for method in ["asmk", "asmk-star"] {
        let files = eval(
            &place,
            &format!("--features db --query-features q --local {method}"),
        );
        let map = files["metrics"]["mAP"].as_f64().unwrap();
        assert!(map > 0.5, "{method}: {map}");
        assert_eq!(files["card"]["local"]["method"], method);
        assert_eq!(files["card"]["local"]["query_assignment"], 5);
        assert_eq!(files["card"]["identity"]["local"]["features"], 200);
        let model = eval(
            &place,
            &format!("--images pictures {HOW} {SETTINGS} --local {method}"),
        );
        assert_eq!(model["metrics"], files["metrics"]);
        assert_eq!(model["card"]["identity"], files["card"]["identity"]);
    }
}

#[test]
fn settings_of_asmk_change_the_ranking_and_are_told() {
    let place = extracted();
    let with = |more: &str| {
        let more = format!("--features db --query-features q --local asmk {more}");
        let found = eval(&place, &more);
        (found["queries"].clone(), found["card"]["local"].clone())
    };
    let (_, plain) = with("");
    assert_eq!((&plain["alpha"], &plain["idf"]), (&3.0.into(), &false.into()));
    let (_, other) = with("--alpha 1 --threshold 0.25 --idf --query-assign 2");
    assert_eq!(
        (&other["alpha"], &other["threshold"]),
        (&1.0.into(), &0.25.into())
    );
    assert_eq!(
        (&other["idf"], &other["query_assignment"]),
        (&true.into(), &2.into())
    );
}

#[test]
fn vlad_is_evaluated_as_the_set_that_local_vlad_writes() {
    let place = extracted();
    for side in ["db", "q"] {
        place
            .run(&format!(
                "local vlad {side} -o {side}.safetensors --codebook words"
            ))
            .ends(0);
    }
    let sets = place
        .run("eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json -")
        .ends(0)
        .json();
    let local = eval(&place, "--features db --query-features q --local vlad");
    assert_eq!(local["metrics"], sets["metrics"]);
    assert!(sets["metrics"]["mAP"].as_f64().unwrap() > 0.5);
}

#[test]
fn a_report_shows_the_answers_and_what_made_them() {
    let place = extracted();
    eval(
        &place,
        "--features db --query-features q --local asmk-star --images pictures --report page.html",
    );
    let page = place.text("page.html");
    assert!(page.contains("asmk-star") && page.contains("data:image/jpeg"));
}

#[test]
fn wrong_usage_is_told() {
    let place = extracted();
    for (line, wanted) in [
        ("--features db --query-features q --local asmk", "--codebook"),
        ("--features db --local asmk --codebook words", "--query-features"),
        (
            "--features db --query-features q --local asmk --codebook words --rerank aqe:k=3,alpha=3",
            "only descriptors",
        ),
        ("--features db --query-features q --alpha 2", "--local"),
        ("--query-features q", "--model"),
    ] {
        let said = place.run(&format!("eval --dataset gnd.json {line}")).ends(2);
        assert!(said.err.contains(wanted), "{line}: {}", said.err);
    }
}

#[test]
fn the_first_answers_are_verified() {
    let place = extracted();
    let asmk = "--features db --query-features q --local asmk-star";
    let verified = eval(
        &place,
        &format!("{asmk} --rerank spatial:top=5,model=similarity,threshold=8"),
    );
    let card = &verified["card"]["rerank"]["stages"][0];
    assert_eq!((&card["top"], &card["model"]), (&5.into(), &"similarity".into()));
    assert!(verified["metrics"]["mAP"].as_f64().unwrap() > 0.5);
    // Verifying one answer changes nothing.
    let first = eval(&place, &format!("{asmk} --rerank spatial:top=1"));
    assert_eq!(first["metrics"], eval(&place, asmk)["metrics"]);

    // Rankings of descriptors and of other programs are verified by features of their own.
    place.extract_sides("npy", "");
    let sets = "eval --dataset gnd.json --features db.npy --query-features q.npy";
    let features = "--rerank-features db --rerank-query-features q";
    place
        .run(&format!("{sets} {features} --rerank spatial:top=5 --json -"))
        .ends(0);
    let said = place.run(&format!("{sets} --rerank spatial")).ends(2);
    assert!(said.err.contains("--rerank-features"), "{}", said.err);
    let said = place
        .run(&format!("{sets} {features} --rerank aqe:k=1,alpha=1"))
        .ends(2);
    assert!(said.err.contains("belongs to"), "{}", said.err);
}
