//! What `sightline eval --compare` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, names};
use serde_json::Value;

/// Drawn scenes, described: `db.safetensors` and `q.safetensors`.
fn described() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    place
}

const SETS: &str = "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors";

/// The average precision of every query.
fn aps(evaluation: &Value) -> Vec<f64> {
    let queries = evaluation["queries"].as_array().unwrap();
    queries
        .iter()
        .map(|query| query["ap"].as_f64().unwrap())
        .collect()
}

#[test]
fn methods_stand_beside_each_other_as_they_stand_alone() {
    let place = described();
    let compare = format!("{SETS} --compare none aqe:k=4,alpha=2 dba:k=3,alpha=1+aqe:k=4,alpha=2 --json -");
    let said = place.run(&compare).ends(0).json();
    let methods = said["methods"].as_array().unwrap();
    let alone = |more: &str| place.run(&format!("{SETS} {more} --json -")).ends(0).json();
    let single = [
        alone(""),
        alone("--rerank aqe:k=4,alpha=2"),
        alone("--rerank dba:k=3,alpha=1 --rerank aqe:k=4,alpha=2"),
    ];
    let rows = said["comparison"]["rows"].as_array().unwrap();
    for ((method, row), single) in methods.iter().zip(rows).zip(&single) {
        for key in ["metrics", "queries", "card"] {
            assert_eq!(method[key], single[key], "{key}");
        }
        assert_eq!(row["mean"], single["metrics"]["mAP"]);
        assert_eq!(row["interval"]["low"], single["confidence_interval"]["low"]);
    }
    assert_eq!(
        names(&said["comparison"]["rows"], "name")[2],
        "dba:k=3,alpha=1+aqe:k=4,alpha=2"
    );
    assert!(rows[0]["against_first"].is_null());
    let (before, after) = (aps(&methods[0]), aps(&methods[1]));
    let against = &rows[1]["against_first"];
    let count = |better: &dyn Fn(f64, f64) -> bool| {
        let pairs = before.iter().zip(&after);
        pairs.filter(|(before, after)| better(**before, **after)).count() as u64
    };
    assert_eq!(against["wins"], count(&|before, after| after > before + 1e-9));
    assert_eq!(against["losses"], count(&|before, after| after < before - 1e-9));
    let p = against["p"].as_f64().unwrap();
    // All ways to give signs to at most six differences were counted.
    assert!(against["exact"].as_bool().unwrap() && (p * 64.0).fract() == 0.0 && p > 0.0);
    assert!(against["p_holm"].as_f64().unwrap() >= p);
    let setups = names(&said["comparison"]["setups"], "metric");
    assert_eq!(setups, ["mAP-easy", "mAP-medium", "mAP-hard"]);
    // The same bytes again, for any number of threads.
    assert_eq!(place.run(&format!("{compare} --threads 1")).ends(0).json(), said);
    place
        .run(&format!("{SETS} --compare none aqe:k=4,alpha=2"))
        .ends(0)
        .prints("mAP-hard over 6 queries")
        .prints("sign-flip test");
}

#[test]
fn what_fails_is_listed_and_the_others_go_on() {
    let place = described();
    let compare = |entries: &str| place.run(&format!("{SETS} --compare {entries} --json out.json"));
    place.write("broken.npy", "no array");
    compare("mix:scores=broken.npy none aqe:k=2,alpha=1 aqe:k=2,aplha=1 aqe:k=2,alpha=1+aeq:k=2")
        .ends(1)
        .complains("mix:scores=broken.npy could not be evaluated")
        .complains("did you mean alpha?")
        .complains("did you mean aqe?")
        .complains("the others are compared with none");
    let said = place.json("out.json");
    let failed = [
        "mix:scores=broken.npy",
        "aqe:k=2,aplha=1",
        "aqe:k=2,alpha=1+aeq:k=2",
    ];
    assert_eq!(names(&said["failed"], "name"), failed);
    assert!(names(&said["failed"], "reason")[0].contains("broken.npy"));
    assert_eq!(names(&said["methods"], "name"), ["none", "aqe:k=2,alpha=1"]);
    // Scores for other queries are found when they are used.
    place.write("other.npy", npy());
    compare("none mix:scores=other.npy").ends(1);
    assert_eq!(
        names(&place.json("out.json")["failed"], "name"),
        ["mix:scores=other.npy"]
    );
    compare("mix:scores=other.npy")
        .ends(3)
        .complains("None of the methods");
    compare("aqe:k=2,aplha=1")
        .ends(2)
        .complains("did you mean alpha?");
    compare("none --rerank aqe:k=2,alpha=1").ends(2);
    compare("none aqe:k=2,alpha=1 --report page.html --report-query nobody").ends(2);
    place
        .run("show ranking --dataset gnd.json --features db.safetensors --compare none aqe:k=2,alpha=1 -o out.png")
        .ends(2)
        .complains("--compare belongs to");
}

/// Scores of one query and one image.
fn npy() -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let header = format!(
        "{:<117}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }"
    );
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(1_f32.to_le_bytes());
    bytes
}
