//! What re-ranking promises whatever the method: stages in order, a bounded shortlist, junk before or after.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use serde_json::Value;

const EVAL: &str =
    "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json -";

/// Drawn scenes, described: `db.safetensors` and `q.safetensors`.
fn described() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    place
}

fn eval(place: &Place, more: &str) -> Value {
    place.run(&format!("{EVAL} {more}")).ends(0).json()
}

#[test]
fn stages_run_in_order() {
    let place = described();
    let both = eval(&place, "--rerank dba:k=2,alpha=1,top=12 --rerank aqe:k=3,alpha=1");
    let stages = &both["card"]["rerank"]["stages"];
    assert_eq!(
        (&stages[0]["method"], &stages[1]["method"]),
        (&"dba".into(), &"aqe".into())
    );
    let turned = eval(&place, "--rerank aqe:k=3,alpha=1 --rerank dba:k=2,alpha=1,top=12");
    assert_ne!(both["queries"], turned["queries"]);
    assert_eq!(
        eval(
            &place,
            "--rerank dba:k=2,alpha=1,top=12 --rerank aqe:k=3,alpha=1 --threads 1"
        )["queries"],
        both["queries"]
    );
}

#[test]
fn first_answers_that_are_all_of_them_are_the_whole_database() {
    let place = described();
    let whole = eval(&place, "--dba k=2,alpha=1");
    let first = eval(&place, "--rerank dba:k=2,alpha=1,top=30");
    assert_eq!(whole["queries"], first["queries"]);
    assert_eq!(first["card"]["rerank"]["shortlist"], 30);
    assert_ne!(whole["queries"], eval(&place, "")["queries"]);
    let short = eval(&place, "--rerank dba:k=2,alpha=1,top=30 --shortlist 3");
    assert_eq!(short["card"]["rerank"]["shortlist"], 3);
}

#[test]
fn what_is_behind_the_first_answers_stays_where_it_was() {
    let place = described();
    let (plain, one) = (eval(&place, ""), eval(&place, "--rerank dba:k=2,alpha=1,top=1"));
    assert_eq!(plain["queries"], one["queries"]);
    let distractors = "--distractors q.safetensors";
    let (plain, one) = (
        eval(&place, distractors),
        eval(&place, &format!("{distractors} --rerank dba:k=2,alpha=1,top=1")),
    );
    assert_eq!(plain["queries"], one["queries"]);
    assert_eq!(one["distractors"], 6);
}

#[test]
fn junk_may_leave_beforehand() {
    let place = described();
    // Every query's nearest image is junk, and others are easy or hard.
    let mut truth: Value = serde_json::from_str(&place.text("gnd.json")).unwrap();
    for query in truth["gnd"].as_array_mut().unwrap() {
        let first = query["easy"].as_array_mut().unwrap().remove(0);
        query["junk"].as_array_mut().unwrap().push(first);
    }
    place.write("junk.json", truth.to_string());
    let eval = |more: &str| {
        let line = format!("{EVAL} {more}").replace("gnd.json", "junk.json");
        place.run(&line).ends(0).json()
    };
    let plain = eval("");
    // One answer has no other order, so that nothing changes but what the card says.
    for when in ["before", "after"] {
        let one = eval(&format!("--rerank dba:k=2,alpha=1,top=1 --rerank-junk {when}"));
        assert_eq!(one["metrics"], plain["metrics"], "{when}");
        assert_eq!(one["queries"], plain["queries"], "{when}");
        assert_eq!(one["card"]["rerank"]["junk"], when);
    }
    // Junk takes no places of a short list that it has left.
    let two = |when| eval(&format!("--rerank dba:k=4,alpha=0,top=4 --rerank-junk {when}"));
    assert_ne!(two("before")["queries"], two("after")["queries"]);
}

#[test]
fn wrong_stages_are_named_before_anything_is_described() {
    let place = described();
    let wrong = |more: &str| {
        place
            .run(&format!(
                "eval --dataset gnd.json --images pictures --model nowhere.pth {more}"
            ))
            .ends(2)
    };
    wrong("--rerank spatail").complains("did you mean spatial?");
    wrong("--rerank dba:k=2,alpha=1,tpo=3").complains("did you mean top?");
    wrong("--rerank dba:k=2,alpha=1,top=0").complains("a whole number from 1");
    wrong("--rerank aqe").complains("aqe needs k");
    wrong("--rerank spatial").complains("--rerank-features");
    wrong("--rerank aqe:k=2,alpha=1 --shortlist 0").complains("--shortlist");
}

#[test]
fn rankings_of_two_models_become_one() {
    let place = described();
    place.extract_sides("npy", "--size 64");
    let fused = |more: &str| {
        eval(
            &place,
            &format!("--rerank fusion:features=db.npy,query-features=q.npy,{more}"),
        )
    };
    let other = place
        .run("eval --dataset gnd.json --features db.npy --query-features q.npy --json -")
        .ends(0)
        .json();
    let plain = eval(&place, "");
    assert_ne!(other["queries"], plain["queries"]);
    assert_eq!(fused("weights=1,0")["queries"], plain["queries"]);
    assert_eq!(fused("weights=0,1")["queries"], other["queries"]);
    assert_eq!(fused("weights=0,1,form=rank")["queries"], other["queries"]);
    assert_ne!(fused("form=rank,k=10")["queries"], plain["queries"]);
    let wrong = |more: &str, code| place.run(&format!("{EVAL} --rerank fusion{more}")).ends(code);
    wrong("", 2).complains("fusion needs features");
    wrong(":features=db.npy", 3).complains("query-features=");
    wrong(":features=q.npy,query-features=q.npy", 3).complains("has no descriptor of");
    wrong(":features=db.npy,query-features=q.npy,weights=1", 2).complains("2 numbers");
}

#[test]
fn every_method_runs_on_every_kind_of_source() {
    let place = described();
    for method in [
        "k-reciprocal:k1=5,k2=3",
        "k-reciprocal:k1=4,k2=1,lambda=0.1,top=12",
        "diffusion:kd=5",
        "diffusion:kd=5,kq=3,form=paper",
        "diffusion:kd=5,kq=3,form=online",
        "diffusion:kd=4,kq=2,form=online,top=15",
        "superglobal:m=20,k=2",
    ] {
        let of = |more: &str| eval(&place, &format!("--rerank {method} {more}"));
        let found = of("");
        let map = found["metrics"]["mAP"].as_f64().unwrap();
        assert!(map > 0.2, "{method}: {map}");
        assert_eq!(found["queries"], of("--threads 1")["queries"], "{method}");
        of("--distractors q.safetensors");
        of("--rerank-junk before");
        let answers = place
            .run_seeded(&format!(
                "search --features db.safetensors pictures/scene02_query.png --json -k 5 --rerank {method}"
            ))
            .ends(0)
            .json();
        let answers = answers["answers"].as_array().unwrap();
        assert_eq!(answers.len(), 5, "{method}");
        assert!(answers[0]["stages"].as_array().unwrap().len() == 2, "{method}");
    }
}
