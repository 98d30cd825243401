//! The folder trees of other projects load as they are, and their files are read and written.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::pickle_file::{self, Part};
use promise::{Place, SEEDED};
use serde_json::{Value, json};

/// Pictures in `folder`, and a ground truth about them in each of the files: `ok` for classic names, else easy and hard.
fn tree(pictures: &str, truths: &[&str]) -> Place {
    let place = Place::new();
    place.draw_scenes(pictures, 2);
    let drawn = place.json("gnd.json");
    std::fs::remove_file(place.path("gnd.json")).unwrap();
    for file in truths {
        let mut truth = drawn.clone();
        if !file.contains("gnd_r") {
            for entry in truth["gnd"].as_array_mut().unwrap() {
                let lists = [&entry["easy"], &entry["hard"]].map(|list| list.as_array().unwrap().clone());
                *entry = json!({ "bbx": entry["bbx"], "ok": lists.concat(), "junk": [] });
            }
        }
        place.write(file, pickle_file::of_json(&truth));
    }
    place
}

/// The report of `dataset check NAME` is sound and says how many pictures were found.
#[track_caller]
fn is_sound(place: &Place, name: &str, more: &[&str], found: u64) -> Value {
    let mut args = vec!["dataset", "check", name, "--json"];
    args.extend(more);
    let report = place.run_args(&args).ends(0).json();
    assert_eq!(report["totals"]["found"], found, "{name}: {report}");
    report
}

/// An evaluation's mAP.
#[track_caller]
fn map(place: &Place, dataset: &str, more: &[&str]) -> f64 {
    let mut args = vec!["eval", "--json", "-", "--dataset", dataset];
    args.extend(more);
    place.run_args(&args).ends(0).json()["metrics"]["mAP"]
        .as_f64()
        .unwrap()
}

#[test]
fn dirtorchs_tree_is_evaluated_under_db_root() {
    let place = tree(
        "db/oxford5k/jpg",
        &["db/oxford5k/gnd_oxford5k.pkl", "db/oxford5k/gnd_roxford5k.pkl"],
    );
    for name in ["Oxford5K", "ROxford5K()", "oxford5k", "roxford5k"] {
        is_sound(&place, name, &["--data-root", "db"], 12);
    }
    let mut command = place.std_command();
    command
        .env("DB_ROOT", place.path("db"))
        .args(["eval", "--dataset", "ROxford5K", "--json", "-"]);
    let output = command.args(SEEDED).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["queries"].as_array().unwrap().len(), 2);

    // --data-root comes before the variables, and SIGHTLINE_DATA before DB_ROOT; what it lacks is looked for in the next.
    let check = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command = place.std_command();
        variables.iter().for_each(|(name, folder)| {
            command.env(name, place.path(folder));
        });
        command
            .args(["dataset", "check", "roxford5k"])
            .args(more)
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(check(&[("SIGHTLINE_DATA", "nowhere"), ("DB_ROOT", "db")], &[]));
    assert!(check(&[("SIGHTLINE_DATA", "db"), ("DB_ROOT", "nowhere")], &[]));
    assert!(!check(&[("DB_ROOT", "db")], &["--data-root", "nowhere"]));

    place.write(
        "db/landmarks/annotations/annotation_clean_train.txt",
        "a/1.png tower\nb/2.png bridge\n",
    );
    place.write("db/landmarks18/lists/index.txt", "i/1.png\n");
    let picture = place.read("db/oxford5k/jpg/scene01_query.png");
    for name in ["landmarks/a/1.png", "landmarks/b/2.png", "landmarks18/i/1.png"] {
        place.write(&format!("db/{name}"), &picture);
    }
    let report = is_sound(&place, "Landmarks_clean", &["--data-root", "db"], 2);
    assert_eq!(report["kind"], "labels");
    is_sound(&place, "Landmarks18_index", &["--data-root", "db"], 1);
}

#[test]
fn cirtorchs_tree_is_evaluated_and_its_training_set_found() {
    let place = tree(
        "data/test/oxford5k/jpg",
        &[
            "data/test/oxford5k/gnd_oxford5k.pkl",
            "data/test/roxford5k/gnd_roxford5k.pkl",
        ],
    );
    // The link that cirtorch makes is not needed: the classic set's pictures are looked at, too.
    for root in ["data", ".", "data/test"] {
        for name in ["oxford5k", "roxford5k", "ROxford5K"] {
            is_sound(&place, name, &["--data-root", root], 12);
        }
    }
    let seeded = [&["--data-root", "data"][..], &SEEDED].concat();
    assert!(map(&place, "roxford5k", &seeded) > 0.0);

    let cids = [
        "0000000000000000000000000000abcd",
        "0000000000000000000000000000ef01",
    ];
    let part = json!({ "cids": cids, "cluster": [7, 3], "qidxs": [0], "pidxs": [1] });
    let folder = "data/train/retrieval-SfM-120k";
    let pairs = pickle_file::of_json(&json!({ "train": part, "val": part }));
    place.write(&format!("{folder}/retrieval-SfM-120k.pkl"), pairs);
    let whiten = pickle_file::of_json(&json!({ "cids": cids, "qidxs": [0], "pidxs": [1] }));
    place.write(&format!("{folder}/retrieval-SfM-120k-whiten.pkl"), &whiten);
    place.write(
        "data/train/retrieval-SfM-30k/retrieval-SfM-30k-whiten.pkl",
        &whiten,
    );
    let picture = place.read("data/test/oxford5k/jpg/scene01_query.png");
    for path in ["cd/ab/00", "01/ef/00"].iter().zip(cids) {
        place.write(&format!("{folder}/ims/{}/{}", path.0, path.1), &picture);
    }
    for (name, kind) in [
        ("retrieval-SfM-120k", "labels"),
        ("retrieval-sfm-120k-val", "labels"),
        ("retrieval-SfM-120k-whiten", "none"),
        ("retrieval-SfM-30k-whiten", "none"),
    ] {
        assert_eq!(is_sound(&place, name, &["--data-root", "data"], 2)["kind"], kind);
    }
    place
        .run_seeded("extract retrieval-SfM-120k-whiten --data-root data -o whiten.npy")
        .ends(0);
}

#[test]
fn tokens_tree_is_evaluated_and_its_splits_found() {
    for pictures in ["data/test", "data/Roxf-Rparis"] {
        let truth = format!("{pictures}/roxford5k/gnd_roxford5k.pkl");
        let place = tree(&format!("{pictures}/roxford5k/jpg"), &[&truth]);
        for root in ["data", "."] {
            is_sound(&place, "roxford5k", &["--data-root", root], 12);
        }
    }
    let place = tree("data/test/rparis6k/jpg", &["data/test/rparis6k/gnd_rparis6k.pkl"]);
    let seeded = [&["--data-root", "data"][..], &SEEDED].concat();
    assert!(map(&place, "rparis6k", &seeded) > 0.0);

    let picture = place.read("data/test/rparis6k/jpg/scene01_query.png");
    place.write("data/Google-landmark-v2/train/0/a/b/0ab1.jpg", &picture);
    place.write("data/Google-landmark-v2/train/0/a/c/0ac2.jpg", &picture);
    place.write(
        "data/Google-landmark-v2/train.csv",
        "id,url,landmark_id\n0ab1,http://a,7\n0ac2,http://b,9\n",
    );
    place.write(
        "data/Google-landmark-v2/train_clean.csv",
        "landmark_id,images\n7,0ab1\n9,0ac2\n",
    );
    let split = json!({
        "total_class": 2,
        "image_paths": ["/gone/train/0/a/b/0ab1.jpg", "/gone/train/0/a/c/0ac2.jpg"],
        "file_ids": ["0ab1", "0ac2"],
        "labels": [0, 1],
    });
    // The README keeps the splits with the pictures, the code writes them into the data folder.
    place.write(
        "data/Google-landmark-v2/GLDv2-clean-train-split.pkl",
        pickle_file::of_json(&split),
    );
    place.write("data/GLDv2-clean-val-split.pkl", pickle_file::of_json(&split));
    for name in [
        "gldv2-train",
        "gldv2-clean",
        "gldv2-clean-train",
        "gldv2-clean-val",
    ] {
        let report = is_sound(&place, name, &["--data-root", "data"], 2);
        assert_eq!(report["totals"]["classes"], 2, "{name}");
    }
}

#[test]
fn sets_of_metric_learning_are_found_where_they_are_unpacked() {
    let place = Place::new();
    place.draw_scenes("drawn", 1);
    let picture = place.read("drawn/scene01_query.png");
    for file in [
        "CUB_200_2011/images/101.A/a.png",
        "CUB_200_2011/images/102.B/b.png",
    ] {
        place.write(&format!("data/{file}"), &picture);
    }
    place.write(
        "data/CUB_200_2011/images.txt",
        "1 101.A/a.png\n2 102.B/b.png\n3 1.C/c.png\n",
    );
    place.write("data/CUB_200_2011/image_class_labels.txt", "1 101\n2 102\n3 1\n");
    place.write(
        "data/CUB_200_2011/bounding_boxes.txt",
        "1 0 0 9 9\n2 0 0 9 9\n3 0 0 9 9\n",
    );
    place.write("data/Stanford_Online_Products/chair_final/x_0.png", &picture);
    let list = "image_id class_id super_class_id path\n1 7 1 chair_final/x_0.png\n";
    place.write("data/Stanford_Online_Products/Ebay_test.txt", list);
    assert_eq!(
        is_sound(&place, "cub200", &["--data-root", "data"], 2)["totals"]["classes"],
        2
    );
    is_sound(&place, "SOP", &["--data-root", "data"], 1);
}

#[test]
fn csas_descriptors_are_evaluated_in_its_tree() {
    let place = tree("elsewhere", &["data/annotations/roxford5k/gnd_roxford5k.pkl"]);
    // Ten images and two queries: the first query is near the first five, the other near the rest.
    let db: Vec<f32> = (0..10)
        .flat_map(|i| if i < 5 { [1.0, 0.0] } else { [0.0, 1.0] })
        .collect();
    let features = pickle_file::of_dict(&[
        ("db", Part::Rows(2, &db)),
        ("query", Part::Rows(2, &[1.0, 0.0, 0.0, 1.0])),
    ]);
    place.write("data/test/roxford5k/net.pkl", &features);
    let in_tree = ["--data-root", "data", "--features", "data/test/roxford5k/net.pkl"];
    assert_eq!(map(&place, "roxford5k", &in_tree), 1.0);
    let other_way = pickle_file::of_dict(&[
        ("db", Part::Rows(2, &db)),
        ("query", Part::Rows(2, &[0.0, 1.0, 1.0, 0.0])),
    ]);
    place.write("other.pkl", &other_way);
    assert!(
        map(
            &place,
            "roxford5k",
            &["--data-root", "data", "--features", "other.pkl"]
        ) < 0.5
    );
    let chosen = [
        "--data-root",
        "data",
        "--features",
        "other.pkl#db",
        "--query-features",
        "data/test/roxford5k/net.pkl#query",
    ];
    assert_eq!(map(&place, "roxford5k", &chosen), 1.0);

    // Its distractors are a bare array.
    place.write("data/r1m/net.pkl", pickle_file::of_rows(2, &[0.0, 0.5, 0.5, 0.0]));
    let more = [&in_tree[..], &["--distractors", "data/r1m/net.pkl"]].concat();
    assert_eq!(map(&place, "roxford5k", &more), 1.0);

    place.write("short.pkl", &features[..features.len() / 2]);
    place
        .run("eval --dataset roxford5k --data-root data --features short.pkl")
        .ends(3)
        .complains("short.pkl");
    place.write("code.pkl", b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.");
    place
        .run("eval --dataset roxford5k --data-root data --features code.pkl")
        .ends(3)
        .complains("os.system");
}

#[test]
fn both_sides_are_written_as_dirtorch_names_them() {
    let place = tree("db/oxford5k/jpg", &["db/oxford5k/gnd_roxford5k.pkl"]);
    place
        .run_seeded("extract ROxford5K --data-root db --side both -o out.npy")
        .ends(0);
    for (file, rows) in [("out.dbdescs.npy", 10), ("out.qdescs.npy", 2)] {
        let bytes = place.read(file);
        let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
        assert!(
            header.contains("'<f4'") && header.contains(&format!("({rows}, 64)")),
            "{header}"
        );
    }
    let direct = map(
        &place,
        "roxford5k",
        &[&["--data-root", "db"][..], &SEEDED].concat(),
    );
    let with = |features: &str| {
        map(
            &place,
            "roxford5k",
            &["--data-root", "db", "--features", features],
        )
    };
    assert_eq!(with("out.npy"), direct);
    assert_eq!(with("out.dbdescs.npy"), direct);
    // What dirtorch itself leaves: no names, no card, other names of the files.
    for (from, to) in [
        ("out.dbdescs", "feats/feats.bdescs"),
        ("out.qdescs", "feats/feats.qdescs"),
    ] {
        place.write(&format!("{to}.npy"), place.read(&format!("{from}.npy")));
    }
    assert_eq!(with("feats"), direct);

    // Images that query themselves are one file.
    place.write("labels.txt", "scene01_query.png a\nscene02_query.png a\n");
    let expression = "ImageListLabels('labels.txt', 'db/oxford5k/jpg')";
    let args = ["extract", expression, "--side", "both", "-o", "one.npy"];
    place.run_args(&[&args[..], &SEEDED].concat()).ends(0);
    assert!(place.path("one.npy").is_file() && !place.path("one.qdescs.npy").exists());
}

#[test]
fn every_expression_is_taken_by_every_command() {
    let place = Place::new();
    place.draw_scenes("pics", 2);
    place.write(
        "db.txt",
        "scene01_easy1.jpg a\nscene02_easy1.jpg b\nscene01_easy2.png a\nscene02_easy2.png b\n",
    );
    place.write("q.txt", "scene01_query.png a\nscene02_query.png b\n");
    place.write("clusters.json", r#"{"scene01_easy1.jpg": "a", "scene01_easy2.png": "a", "scene02_easy1.jpg": 3, "scene02_easy2.png": null}"#);
    place.write("list.txt", "scene01_easy1.jpg\nscene02_easy1.jpg\n");
    let truth = place.json("gnd.json");
    place.write("gnd_scenes.pkl", pickle_file::of_json(&truth));
    for (expression, images, is_truth) in [
        ("ImageList('list.txt', 'pics')", 2, false),
        ("ImageList(\"list.txt\", root=\"pics\")", 2, false),
        (
            "ImageList(img_list_path=None, root='pics', imgs=['scene01_easy1.jpg'])",
            1,
            false,
        ),
        ("ImageListLabels('db.txt', 'pics')", 4, true),
        (
            "ImageListLabels(root='pics', img_list_path='clusters.json')",
            4,
            true,
        ),
        ("ImageListLabelsQ('db.txt', 'q.txt', root='pics')", 4, true),
        (
            "ImageListRelevants('gnd_scenes.pkl', '.', 'pics', '.png')",
            10,
            true,
        ),
        (
            "ImageListRelevants('gnd_scenes.pkl', root=DB_ROOT + '/.', img_dir='pics')",
            10,
            true,
        ),
        ("ImageClusters('clusters.json', 'pics')", 3, true),
        (
            "NullCluster('clusters.json', os.path.join(DB_ROOT, 'pics'))",
            1,
            false,
        ),
    ] {
        let said = place.run_args(&["dataset", "check", expression, "--data-root", ".", "--json"]);
        let report = said.json();
        assert_eq!(report["totals"]["images"], images, "{expression}");
        assert_eq!(report["missing"], json!([]), "{expression}");
        let extract = [
            "extract",
            expression,
            "--data-root",
            ".",
            "-o",
            "set.npy",
            "--restart",
        ];
        place.run_args(&[&extract[..], &SEEDED].concat()).ends(0);
        if is_truth {
            let eval = [
                "eval",
                "--dataset",
                expression,
                "--data-root",
                ".",
                "--protocol",
                "dirtorch",
            ];
            place
                .run_args(&[&eval[..], &SEEDED].concat())
                .ends(0)
                .prints("mAP");
        }
    }
    for (wrong, meant) in [
        ("ImageListLabel('db.txt')", "did you mean ImageListLabels"),
        ("ImageList('list.txt', rot='pics')", "did you mean root"),
        ("RParis6k'", "did you mean"),
        ("ImageList(open('list.txt').read())", "character"),
    ] {
        place
            .run_args(&["dataset", "check", wrong])
            .ends(3)
            .complains(meant);
    }
}

#[test]
fn transform_texts_are_passes_as_in_dirtorch() {
    let place = Place::new();
    place.draw_scenes("pics", 1);
    let rows = |name: &str, texts: &[&str], more: &[&str]| {
        let mut args = vec!["extract", "pics", "-o", name];
        texts.iter().for_each(|text| args.extend(["--trfs", text]));
        place.run_args(&[&args[..], more, &SEEDED].concat()).ends(0);
        place.read(name)
    };
    // An empty text is the picture as it is, which is also what dirtorch's recipe does.
    let empty = rows("empty.npy", &[""], &[]);
    assert_eq!(empty, rows("none.npy", &[], &["--recipe", "dirtorch"]));
    // Given twice, or as several texts: two passes.
    let twice = rows("twice.npy", &["", "Scale(48)"], &[]);
    assert_ne!(twice, empty);
    let several = ["extract", "pics", "-o", "several.npy", "--trfs", "", "Scale(48)"];
    place.run_args(&[&several[..], &SEEDED].concat()).ends(0);
    assert_eq!(twice, place.read("several.npy"));
    let card = place.json("twice.card.json");
    assert_eq!(
        card["identity"]["recipe"]["transforms"].as_array().unwrap().len(),
        2,
        "{card}"
    );
    let wrong = [
        "extract", "nowhere", "-o", "x.npy", "--trfs", "Scale(48", "--model", "seeded",
    ];
    place.run_args(&wrong).ends(2).complains("Scale(48");
}

#[test]
fn wrong_options_are_found_before_anything_is_looked_for() {
    let place = Place::new();
    for line in [
        "extract nowhere -o x.npy --scales 0",
        "eval --dataset nowhere.pkl --scales 0",
        "search --in nowhere query.jpg --scales 0",
    ] {
        place.run_seeded(line).ends(2).complains("--scales 0");
    }
}
