//! What `sightline reproduce` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use serde_json::{Value, json};

/// A row over drawn scenes and a network with random weights.
fn row(name: &str) -> Value {
    json!({
        "name": name, "project": "none", "paper": "none", "model": "seeded", "file": "seeded",
        "architecture": "resnet18:layer1/gem", "dataset": "roxford5k", "protocol": "cirtorch", "recipe": "cirtorch",
        "size": 96, "scales": [1.0, 0.5], "percent": true,
        "published": [{ "metric": "mAP-medium", "value": "50.0" }, { "metric": "mAP-nothing", "value": "1" }],
        "source": "a test"
    })
}

/// Scenes as `roxford5k` below `root`, and rows in `table.json`.
fn drawn(rows: &[Value]) -> Place {
    let place = Place::new();
    place.draw_scenes("root/roxford5k/jpg", 5);
    place.write("root/roxford5k/gnd_roxford5k.json", place.read("gnd.json"));
    place.write(
        "table.json",
        json!({ "format_version": 1, "rows": rows }).to_string(),
    );
    place
}

#[test]
fn a_row_is_evaluated_and_compared() {
    let place = drawn(&[row("small")]);
    let output = place
        .run("reproduce small --table table.json --data-root root --json -")
        .ends(0)
        .json();
    let line = "eval --dataset roxford5k --data-root root --recipe cirtorch --size 96 --scales 1,0.5 --protocol cirtorch";
    let same = place.run_seeded(&format!("{line} --json -")).ends(0).json();
    let map = same["metrics"]["mAP-medium"].as_f64().unwrap();
    assert_eq!(output["figures"][0]["published"], 50.0);
    assert_eq!(output["figures"][0]["got"], 100.0 * map);
    assert_eq!(output["figures"][0]["difference"], 100.0 * map - 50.0);
    assert!(output["figures"][1]["got"].is_null());
    assert_eq!(output["evaluation"]["queries"], same["queries"]);
    assert_eq!(output["card"]["identity"], same["card"]["identity"]);
    assert_eq!(output["missing"], json!([]));
    // The command that it names gives the same.
    let command = output["command"]
        .as_str()
        .unwrap()
        .strip_prefix("sightline ")
        .unwrap();
    let again = place.run(&format!("{command} --json -")).ends(0).json();
    assert_eq!(again["metrics"], same["metrics"]);
    place
        .run("reproduce SMALL --table table.json --data-root root --json out.json")
        .ends(0)
        .prints("published")
        .prints(&format!("{:.3}", 100.0 * map))
        .prints("undefined")
        .prints("source: a test");
    assert_eq!(place.json("out.json")["row"]["name"], "small");
}

#[test]
fn distractors_of_a_row_are_asked_for_and_used() {
    let mut with = row("among");
    with["distractors"] = json!("crowd");
    let place = drawn(&[row("small"), with]);
    let said = place
        .run("reproduce among --table table.json --data-root root")
        .ends(3)
        .prints("looked for: root/crowd/seeded.safetensors")
        .prints("sightline dataset pull crowd --data-root root");
    let extract = said
        .out
        .lines()
        .find_map(|line| line.trim().strip_prefix("get it: sightline extract "))
        .unwrap();
    assert!(
        extract.starts_with(
            "root/crowd/crowd.txt --images root/crowd/jpg -o root/crowd/seeded.safetensors --half"
        )
    );
    // The command works once the pictures are there.
    let names = place.draw_scenes("root/crowd/jpg", 2);
    place.write("root/crowd/crowd.txt", names.join("\n"));
    place.run(&format!("extract {extract}")).ends(0);
    let among = place
        .run("reproduce among --table table.json --data-root root --json -")
        .ends(0)
        .json();
    let alone = place
        .run("reproduce small --table table.json --data-root root --json -")
        .ends(0)
        .json();
    let got = |output: &Value| output["figures"][0]["got"].as_f64().unwrap();
    assert!(got(&among) < got(&alone));
    assert!(
        among["command"]
            .as_str()
            .unwrap()
            .contains("--distractors root/crowd/seeded.safetensors")
    );
}

#[test]
fn missing_files_are_listed_with_the_way_to_get_them() {
    let place = Place::new();
    let output = place
        .run("reproduce gl18-tl-resnet101-gem-w-rparis6k --data-root data --json -")
        .ends(3)
        .complains("not evaluated")
        .json();
    let text = output["missing"].to_string();
    for part in [
        "data/networks/gl18-tl-resnet101-gem-w-a4d43db.pth",
        "sightline model pull gl18-tl-resnet101-gem-w --data-root data",
        "sightline dataset pull rparis6k --data-root data",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(output["figures"][0]["got"].is_null());
    assert!(
        output["command"]
            .as_str()
            .unwrap()
            .contains("--scales 1,1.4142135623730951,0.7071067811865476")
    );
    place
        .run("reproduce resnet101-ap-gem-rparis6k --data-root data --models weights")
        .ends(3)
        .prints("looked for: weights/Resnet101-AP-GeM.pt, data/networks/Resnet101-AP-GeM.pt")
        .prints("--whiten Landmarks_clean --whitenp 0.25")
        .prints("command: sightline eval --dataset rparis6k");
}

#[test]
fn weights_that_were_pulled_are_found_with_a_folder_of_weights_too() {
    let place = Place::new();
    place.write("data/networks/Resnet101-AP-GeM.pt", b"weights");
    place
        .run("reproduce resnet101-ap-gem-rparis6k --data-root data --models weights")
        .ends(3)
        .complains("1 thing is missing")
        .prints("--model data/networks/Resnet101-AP-GeM.pt");
}

#[test]
fn pictures_of_the_distractors_are_asked_for() {
    let place = Place::new();
    let rows = place.run("reproduce --json -").ends(0).json();
    let among = rows["rows"].as_array().unwrap().iter();
    let row = among
        .clone()
        .find(|row| row["distractors"] == "revisitop1m")
        .unwrap();
    place
        .run(&format!(
            "reproduce {} --data-root data",
            row["name"].as_str().unwrap()
        ))
        .ends(3)
        .prints("get it: sightline dataset pull revisitop1m revisitop1m:jpg --data-root data");
    place
        .run("dataset pull revisitop1m revisitop1m:jpg --data-root data --dry-run")
        .ends(0)
        .prints("101 files");
}

#[test]
fn all_data_roots_are_looked_into() {
    let place = drawn(&[row("small")]);
    let mut command = place.std_command();
    command
        .env("SIGHTLINE_DATA", place.path("empty"))
        .env("DB_ROOT", place.path("root"))
        .args(["reproduce", "small", "--table", "table.json", "--json", "-"]);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!output["command"].as_str().unwrap().contains("--data-root"));
    assert_eq!(output["missing"], json!([]));
}

#[test]
fn rows_are_listed_and_wrong_names_get_the_nearest() {
    let place = Place::new();
    place
        .run("reproduce")
        .ends(0)
        .prints("mAP-easy 0.911001, mAP-medium 0.80115, mAP-hard 0.604583")
        .prints("mAP-easy 0.907568, mAP-medium 0.803098, mAP-hard 0.608556")
        .prints("revisitop1m");
    let all = place.run("reproduce --json -").ends(0).json();
    assert!(all["rows"].as_array().unwrap().len() > 40);
    place
        .run("reproduce resnet101-ap-gem-rparis6")
        .ends(2)
        .complains("did you mean resnet101-ap-gem-rparis6k?");
}

#[test]
fn a_table_that_contradicts_itself_is_refused() {
    let mut wrong = row("wrong");
    wrong["published"][0]["value"] = json!("many");
    for (rows, reason) in [
        (vec![row("twice"), row("twice")], "twice"),
        (vec![wrong], "no number"),
    ] {
        let place = drawn(&rows);
        place
            .run("reproduce --table table.json")
            .ends(3)
            .complains("table.json")
            .complains(reason);
    }
}
