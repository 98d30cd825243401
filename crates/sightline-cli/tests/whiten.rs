//! What `sightline whiten` and `--whiten` promise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, checkpoint_file, shared};
use serde_json::Value;
use sightline::checkpoint::{Tensor, safetensors};
use sightline::descriptor::{DescriptorSet, WhiteningFile};

/// Drawn scenes, described: `db.safetensors` (30 rows of 64 values) and `q.safetensors`.
fn described() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    place
}

fn eval(place: &Place, sets: [&str; 2], more: &str) -> Value {
    let [db, q] = sets;
    let line = format!(
        "eval --dataset gnd.json --features {db}.safetensors --query-features {q}.safetensors --json - {more}"
    );
    place.run(&line).ends(0).json()
}

#[test]
fn a_learned_whitening_is_applied_by_every_command_alike() {
    let place = described();
    place
        .run("whiten learn db.safetensors -o w.safetensors --dims 20")
        .ends(0)
        .prints("pca: 20 of 64 axes from 30 descriptors: w.safetensors");
    for (plain, white) in [("db", "wdb"), ("q", "wq")] {
        place
            .run(&format!(
                "whiten apply {plain}.safetensors -w w.safetensors -o {white}.safetensors --whitenp 0.25 --whitenv 12"
            ))
            .ends(0)
            .prints("12 values");
    }
    let set = DescriptorSet::open(place.path("wdb.safetensors")).unwrap();
    assert_eq!((set.len(), set.dim()), (30, 12));
    for row in 0..set.len() {
        let norm: f32 = set.row(row).iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }
    let by_sets = eval(&place, ["wdb", "wq"], "");
    let at_once = eval(&place, ["db", "q"], "--whiten w.safetensors --whitenv 12");
    let by_model = place
        .run_seeded("eval --dataset gnd.json --images pictures --json - --whiten w.safetensors --whitenv 12")
        .ends(0)
        .json();
    assert_eq!(by_sets["queries"], at_once["queries"]);
    assert_eq!(by_sets["queries"], by_model["queries"]);
    let identity = &by_sets["card"]["identity"];
    assert_eq!(identity["dim"], 12);
    assert_eq!(identity["whitening"]["name"], "pca");
    assert_eq!(identity["whitening"]["power"], 0.25);
    assert_eq!(identity["whitening"]["dims"], 12);
    assert_eq!(identity, &at_once["card"]["identity"]);
    assert_eq!(identity, &by_model["card"]["identity"]);
    assert_ne!(by_sets["queries"], eval(&place, ["db", "q"], "")["queries"]);
}

#[test]
fn the_file_says_what_it_was_learned_from() {
    let place = described();
    let learn = |output: &str, more: &str| {
        place
            .run(&format!(
                "whiten learn db.safetensors -o {output} --dims 20 --json {more}"
            ))
            .ends(0)
            .json()
    };
    let said = learn("a.safetensors", "");
    assert_eq!((&said["method"], &said["rank"]), (&"pca".into(), &29.into()));
    assert_eq!(said["set"]["rows"], 30);
    assert_eq!(said["set"]["identity"]["architecture"], "resnet18:layer1/gem");
    // Without --dims all axes there are are kept, and it is said that they are few.
    place
        .run("whiten learn db.safetensors -o all.safetensors")
        .ends(0)
        .complains("30 descriptors of 64 values spread over 29 axes only, which were kept");
    learn("b.safetensors", "--threads 1");
    assert_eq!(place.read("a.safetensors"), place.read("b.safetensors"));
    let learned = WhiteningFile::open(place.path("a.safetensors"))
        .unwrap()
        .learned
        .unwrap();
    assert_eq!(learned.set.sha256, said["set"]["sha256"]);
    // Descriptors that were made otherwise are remarked upon.
    place
        .run_seeded("extract pictures -o other.safetensors --size 48")
        .ends(0);
    place
        .run("whiten apply other.safetensors -w a.safetensors -o out.safetensors")
        .ends(0)
        .complains("learned from descriptors that were made otherwise: recipe.resize");
}

#[test]
fn every_method_learns() {
    let place = described();
    place.write(
        "pairs.tsv",
        (1..=6)
            .map(|scene| format!("scene0{scene}_easy1\tscene0{scene}_easy2.png\n"))
            .collect::<String>(),
    );
    let names = DescriptorSet::open(place.path("db.safetensors"))
        .unwrap()
        .names()
        .to_vec();
    assert!(
        names.iter().any(|name| name.starts_with("scene01_easy1")),
        "{names:?}"
    );
    for more in [
        "--method pca --dims 8",
        "--method cirtorch-pca --dims 8",
        "--method cirtorch --pairs pairs.tsv --dims 8",
        "--method how --shrinkage 0.5 --dims 8",
    ] {
        place
            .run(&format!("whiten learn db.safetensors -o w.safetensors {more}"))
            .ends(0)
            .prints("8 of 64 axes");
        let found = eval(&place, ["db", "q"], "--whiten w.safetensors");
        assert_eq!(found["card"]["identity"]["dim"], 8, "{more}");
        assert!(found["metrics"]["mAP"].as_f64().unwrap() > 0.2, "{more}");
    }
}

#[test]
fn what_cannot_be_learned_says_why() {
    let place = described();
    let learn = |more: &str| place.run(&format!("whiten learn db.safetensors -o w.safetensors {more}"));
    learn("--dims 30").ends(3).complains("--dims 29");
    learn("--method cirtorch-pca --dims 30")
        .ends(3)
        .complains("--dims 29");
    learn("--method cirtorch").ends(2).complains("--pairs");
    learn("--pairs pairs.tsv").ends(2).complains("--method cirtorch");
    learn("--shrinkage 0.5").ends(2).complains("--method how");
    learn("--method how --shrinkage 2").ends(3).complains("from 0");
    learn("--method cirtroch").ends(2).complains("'cirtorch'");
    place.write("pairs.tsv", "scene01_easy1\tnobody\n");
    learn("--method cirtorch --pairs pairs.tsv")
        .ends(3)
        .complains("`nobody`");
    assert!(!place.path("w.safetensors").exists());
    // HOW's floor keeps it finite, and the command says what that means.
    learn("--method how").ends(0).complains("29 axes only");
}

#[test]
fn a_wrong_whitening_says_which_there_are() {
    let place = described();
    place
        .run("whiten learn db.safetensors -o w.safetensors --dims 8")
        .ends(0);
    let eval = "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors";
    place
        .run(&format!("{eval} --whiten v.safetensors"))
        .ends(3)
        .complains("`v.safetensors`");
    place
        .run(&format!("{eval} --whiten db.safetensors"))
        .ends(3)
        .complains("holds no whitening");
    place
        .run(&format!("{eval} --whiten w.safetensors#pac"))
        .ends(3)
        .complains("did you mean pca?");
    // Twice is once too often, and other lengths do not fit.
    place
        .run("whiten apply db.safetensors -w w.safetensors -o once.safetensors")
        .ends(0);
    place
        .run("whiten apply once.safetensors -w w.safetensors -o twice.safetensors")
        .ends(3)
        .complains("8");
    assert!(!place.path("twice.safetensors").exists());
}

#[test]
fn settings_that_mean_nothing_are_wrong_usage() {
    let place = Place::new();
    for command in [
        "whiten apply db.safetensors -w w.safetensors -o white.safetensors",
        "eval --dataset gnd.json --features db.safetensors --whiten w.safetensors",
        "search --in pictures q.jpg --model seeded --whiten w.safetensors",
    ] {
        for wrong in [
            "--whitenp NaN",
            "--whitenp inf",
            "--whitenm 0",
            "--whitenm inf",
            "--whitenv 0",
        ] {
            let option = &wrong[..9];
            place.run(&format!("{command} {wrong}")).ends(2).complains(option);
        }
    }
}

#[test]
fn a_search_whitens_query_and_set() {
    let place = described();
    place
        .run("whiten learn db.safetensors -o w.safetensors --dims 8")
        .ends(0);
    place
        .run("whiten apply db.safetensors -w w.safetensors -o white.safetensors --whitenp 0.3")
        .ends(0);
    let search =
        |more: &str| place.run_seeded(&format!("search pictures/scene02_query.png --json -k 5 {more}"));
    let plain = search("--features db.safetensors --whiten w.safetensors --whitenp 0.3")
        .ends(0)
        .json();
    // The card of a whitened set says how; only the file must be named.
    let white = search("--features white.safetensors --whiten w.safetensors")
        .ends(0)
        .json();
    assert_eq!(plain["answers"], white["answers"]);
    assert_eq!(plain["card"]["identity"], white["card"]["identity"]);
    // So it is where the options of the set are said again, and where the set has no card.
    let same =
        search("--features db.safetensors --whiten w.safetensors --whitenp 0.3 --recipe photos --scales 1")
            .ends(0)
            .json();
    assert_eq!(plain["answers"], same["answers"]);
    place
        .run_seeded("extract gnd.json --images pictures --side database -o db.npy")
        .ends(0);
    std::fs::remove_file(place.path("db.card.json")).unwrap();
    let cardless = search("--features db.npy --whiten w.safetensors --whitenp 0.3")
        .ends(0)
        .complains("db.npy has no card")
        .json();
    assert_eq!(plain["answers"], cardless["answers"]);
    search("--features white.safetensors")
        .ends(3)
        .complains("--whiten FILE");
    let folder = search("--in pictures --whiten w.safetensors").ends(0).json();
    assert_eq!(folder["card"]["identity"]["dim"], 8);
}

#[test]
fn whitenings_of_other_makers_are_read_and_a_converted_checkpoint_keeps_them() {
    let place = Place::new();
    let file = |case: &str| {
        let path = format!(
            "{}/../../tests/golden/formats/{case}.safetensors",
            env!("CARGO_MANIFEST_DIR")
        );
        let read = sightline::checkpoint::read(path).unwrap();
        read.value.get("in.file").unwrap().as_tensor().unwrap().to_bytes()
    };
    for (case, whitenings) in [
        ("dirtorch_checkpoint_published", "Landmarks_clean"),
        ("cirtorch_published", "/ss"),
    ] {
        place.write("model.pth", file(case));
        place
            .run("model convert model.pth -o out.safetensors")
            .ends(0)
            .prints("whitening");
        let inspect = |name: &str| place.run(&format!("model inspect {name} --json")).ends(0).json();
        let (before, after) = (inspect("model.pth"), inspect("out.safetensors"));
        assert_eq!(before["whitenings"], after["whitenings"], "{case}");
        assert_eq!(
            before["tensors"].as_array().unwrap().len(),
            after["tensors"].as_array().unwrap().len()
        );
        assert!(
            after["whitenings"].to_string().contains(whitenings),
            "{}",
            after["whitenings"]
        );
        let values = |name: &str| {
            let read = WhiteningFile::open(place.path(name)).unwrap().whitenings;
            read.iter()
                .map(|(name, one)| (name.clone(), one.matrix_f64().unwrap(), one.mean_f64().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(values("model.pth"), values("out.safetensors"), "{case}");
    }
    // cirtorch's {m, P} alone.
    place.write("lw.pkl", file("cirtorch_whitening_file"));
    let (_, params) = WhiteningFile::open(place.path("lw.pkl"))
        .unwrap()
        .whitenings
        .remove(0);
    let dim = params.input_dim();
    let rows: Vec<f32> = (0..3 * dim).map(|i| (i * i % 17) as f32).collect();
    let rows = Tensor::from_f32(vec![3, dim], &rows).unwrap();
    safetensors::write_safetensors(&place.path("set.safetensors"), &[("x", rows)], &[]).unwrap();
    place
        .run("whiten apply set.safetensors -w lw.pkl -o out.safetensors")
        .ends(0)
        .prints(&format!("3 descriptors of {} values", params.output_dim()));
    // A name that the model does not hold.
    place.write("weights.pth", checkpoint_file::resnet18_to_layer1(""));
    place.draw_scenes("pictures", 1);
    place
        .run("extract pictures -o set.safetensors --model weights.pth --arch resnet18:layer1/gem --whiten Landmarks_clean")
        .ends(3)
        .complains("the model holds none");
}

#[test]
fn the_kth_photographs_gain_from_expansion_and_a_mild_whitening() {
    let Some(kth) = shared("kth-buildings") else {
        return;
    };
    let place = Place::new();
    let reference = kth.join("reference_descriptors.safetensors");
    let side = |name: &str| format!("{}#{name}", reference.display());
    let (truth, db, q) = (kth.join("gnd_kth.pkl"), side("database"), side("queries"));
    let map = |more: &[&str]| -> f64 {
        let line = [
            "eval",
            "--dataset",
            truth.to_str().unwrap(),
            "--features",
            &db,
            "--query-features",
            &q,
        ];
        let said = place
            .run_args(&[&line[..], &["--json", "-"], more].concat())
            .ends(0)
            .json();
        said["metrics"]["mAP"].as_f64().unwrap()
    };
    let plain = map(&[]);
    assert!((plain - 0.9478).abs() < 0.0015, "{plain}");
    let expanded = map(&["--rerank", "aqe:k=3,alpha=3"]);
    assert!(expanded >= 0.955, "{expanded}");
    assert_eq!(expanded, map(&["--aqe", "3", "3"]));
    place
        .run_args(&["whiten", "learn", &db, "-o", "w.safetensors", "--dims", "128"])
        .ends(0);
    let whitened = map(&["--whiten", "w.safetensors"]);
    assert!(whitened > 0.9, "{whitened}");
}
