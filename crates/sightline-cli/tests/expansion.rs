//! What `--rerank aqe`, `--dba` and dirtorch's spellings promise, and `--pooling` over scales.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, names};
use serde_json::{Value, json};

/// Drawn scenes, described: `db.safetensors` and `q.safetensors`.
fn described() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    place
}

const EVAL: &str =
    "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json -";

fn eval(place: &Place, more: &str) -> Value {
    place.run(&format!("{EVAL} {more}")).ends(0).json()
}

#[test]
fn both_spellings_give_the_same_numbers_and_the_card_says_them() {
    let place = described();
    let plain = eval(&place, "");
    assert!(plain["card"].get("rerank").is_none());
    let ours = eval(&place, "--rerank aqe:k=4,alpha=2 --dba k=3,alpha=1");
    let theirs = eval(&place, "--aqe 4 2 --adba 3 1");
    assert_eq!(ours, theirs);
    assert_ne!(ours["queries"], plain["queries"]);
    assert_eq!(
        ours["card"]["rerank"]["stages"],
        json!([{ "method": "dba", "k": 3, "alpha": 1, "top": null }, { "method": "aqe", "k": 4, "alpha": 2 }])
    );
    assert_eq!(ours["card"]["rerank"]["junk"], "after");
    let only = eval(&place, "--dba k=3,alpha=1");
    assert_ne!(only["queries"], ours["queries"]);
    // No neighbours change nothing.
    assert_eq!(eval(&place, "--aqe 0 3"), plain);
    assert_eq!(eval(&place, "--aqe 4 2 --adba 3 1 --threads 1"), ours);
}

#[test]
fn wrong_settings_name_the_right_ones() {
    let place = described();
    let wrong = |more: &str| place.run(&format!("{EVAL} {more}")).ends(2);
    wrong("--rerank aqe:k=3,aplha=3").complains("did you mean alpha?");
    wrong("--rerank aeq:k=3,alpha=3").complains("did you mean aqe?");
    wrong("--rerank aqe:k=3").complains("needs k");
    wrong("--rerank aqe:k=3,k=4,alpha=1").complains("twice");
    wrong("--dba k=3,alpha=0.5").complains("whole number");
    wrong("--dba k=-1,alpha=1").complains("whole number");
    wrong("--aqe 3");
    wrong("--aqe 3 3 --rerank aqe:k=3,alpha=3").complains("--rerank");
    wrong("--aqe 3 1001").complains("alpha=1001");
    wrong("--dba k=3,alpha=4294967295").complains("alpha=4294967295");
    // Said before the model is looked for, so before anything is described.
    place
        .run("eval --dataset gnd.json --images pictures --model nowhere.pth --dba k=1,aplha=1")
        .ends(2)
        .complains("did you mean alpha?");
    place.write("ranks.txt", "scene01_easy1\n");
    place
        .run("eval --dataset gnd.json --ranks ranks.txt --aqe 3 3")
        .ends(2)
        .complains("--ranks are rankings");
    place
        .run(&format!("{EVAL} --aqe 31 3"))
        .ends(3)
        .complains("31 neighbours were asked for, and the database has 30 descriptors");
}

#[test]
fn distractors_take_part_in_the_expansion_of_queries() {
    let place = described();
    let plain = eval(&place, "--distractors q.safetensors");
    let expanded = eval(&place, "--distractors q.safetensors --aqe 5 1");
    assert_ne!(plain["queries"], expanded["queries"]);
    // The distractors are the queries: the nearest neighbour of each is itself, which changes no direction.
    let itself = eval(&place, "--distractors q.safetensors --aqe 1 0");
    assert_eq!(itself["queries"], plain["queries"]);
}

#[test]
fn a_labelled_folder_expands_what_queries_itself() {
    let place = Place::new();
    place.draw_scenes("pictures", 4);
    for scene in 1..=4 {
        std::fs::create_dir_all(place.path(&format!("labelled/{scene}"))).unwrap();
        for entry in std::fs::read_dir(place.path("pictures")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with(&format!("scene0{scene}_")) {
                std::fs::copy(
                    place.path(&format!("pictures/{name}")),
                    place.path(&format!("labelled/{scene}/{name}")),
                )
                .unwrap();
            }
        }
    }
    let eval = |more: &str| {
        place
            .run_seeded(&format!("eval --dataset labelled --json - {more}"))
            .ends(0)
            .json()
    };
    let (plain, expanded) = (eval(""), eval("--aqe 3 3 --adba 2 1"));
    assert_eq!(
        plain["queries"].as_array().unwrap().len(),
        expanded["queries"].as_array().unwrap().len()
    );
    assert_ne!(plain["metrics"], expanded["metrics"]);
}

#[test]
fn a_search_expands_its_query() {
    let place = described();
    let search = |more: &str| {
        place
            .run_seeded(&format!(
                "search --in pictures pictures/scene02_query.png --json -k 12 {more}"
            ))
            .ends(0)
            .json()
    };
    let (plain, expanded) = (search(""), search("--rerank aqe:k=3,alpha=1"));
    assert_ne!(plain["answers"], expanded["answers"]);
    assert!(names(&expanded["answers"], "name")[0].starts_with("scene02_"));
    assert_eq!(expanded["card"]["rerank"]["stages"][0]["k"], 3);
    // Where each answer stood before, and after.
    let first = &expanded["answers"][0]["stages"];
    assert_eq!(first[0]["method"], "search");
    assert_eq!(
        (&first[1]["method"], &first[1]["rank"]),
        (&json!("aqe"), &json!(1))
    );
    assert_eq!(first[1]["score"], expanded["answers"][0]["score"]);
    assert!(plain["answers"][0].get("stages").is_none());
    let augmented = search("--dba k=2,alpha=1");
    assert_ne!(augmented["answers"], plain["answers"]);
    // The cache holds plain descriptors still.
    assert_eq!(search("")["answers"], plain["answers"]);
}

#[test]
fn pooling_over_scales_is_chosen() {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    let eval = |more: &str| {
        place.run_seeded(&format!(
            "eval --dataset gnd.json --images pictures --json - --scales 1,0.7 {more}"
        ))
    };
    let scales = |more: &str| eval(more).ends(0).json()["card"]["identity"]["scales"].clone();
    let of =
        |pooling: &str, power: Value| json!({ "values": [1.0, 0.7], "pooling": pooling, "power": power });
    assert_eq!(scales("--pooling mean"), of("dirtorch-mean", Value::Null));
    assert_eq!(scales("--pooling gem"), of("dirtorch-gem", json!(3.0)));
    assert_eq!(scales("--pooling gem --gemp 2"), of("dirtorch-gem", json!(2.0)));
    assert_eq!(
        scales("--pooling superglobal-max"),
        of("superglobal-max", Value::Null)
    );
    assert_eq!(
        scales("--pooling superglobal-power"),
        of("superglobal-power", json!(10.0))
    );
    assert_eq!(scales("--pooling token"), of("token", Value::Null));
    assert_eq!(scales("--pooling delg"), of("delg", Value::Null));
    assert_eq!(scales("")["pooling"], "cirtorch");
    eval("--gemp 2").ends(2).complains("--pooling gem");
    eval("--pooling gem --gemp 0").ends(2).complains("above 0");
    eval("--pooling superglobal-mx")
        .ends(2)
        .complains("'superglobal-max'");
}
