//! What `sightline local codebook` and `sightline local vlad` promise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, Said};
use sightline::card::AggregationIdentity;
use sightline::descriptor::DescriptorSet;
use sightline::local::Codebook;

/// A file of local features of both sides of `gnd.json`: `db` and `q`.
fn extracted() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    for side in ["database", "queries"] {
        place
            .run(&format!(
                "local extract gnd.json --images pictures --side {side} -o {} --model seeded --arch resnet18:layer1/how-out8 \
                 --scales 2,1 --features 60",
                &side[..1]
            ))
            .ends(0);
    }
    place
}

fn train(place: &Place, more: &str) -> Said {
    place.run(&format!("local codebook train d -o c.safetensors {more}"))
}

#[test]
fn a_codebook_is_trained_alike_by_any_number_of_threads_and_says_how() {
    let place = extracted();
    for form in ["faiss", "minibatch --batch 100"] {
        for start in ["random", "plus-plus"] {
            let how = format!("--words 16 --iterations 5 --form {form} --start {start}");
            let said = train(&place, &format!("{how} --threads 1 --json")).ends(0).json();
            let bytes = place.read("c.safetensors");
            train(&place, &format!("{how} --threads 3"))
                .ends(0)
                .prints("16 words of 8 values");
            assert!(place.read("c.safetensors") == bytes, "{how}");
            assert_eq!(said["history"].as_array().unwrap().len(), 5);
            assert_eq!(said["trained"]["start"], start);
            let codebook = Codebook::open(place.path("c.safetensors")).unwrap();
            assert_eq!((codebook.words(), codebook.dim()), (16, 8));
            let info = place
                .run("local codebook info c.safetensors --json")
                .ends(0)
                .json();
            assert_eq!(info["sha256"], codebook.sha256());
            assert_eq!(info["trained"], said["trained"]);
            assert_eq!(
                info["trained"]["identity"]["architecture"],
                "resnet18:layer1/how-out8"
            );
            assert!(!place.path("c.safetensors.state").exists());
        }
    }
    place
        .run("local codebook info c.safetensors")
        .ends(0)
        .prints("trained: minibatch, start plus-plus, 5 iterations, seed 1234");
}

#[test]
fn features_are_chosen_and_too_few_refused() {
    let place = extracted();
    let vectors = |more: &str| {
        let said = train(&place, &format!("--words 4 --json {more}")).ends(0).json();
        said["trained"]["vectors"].as_u64().unwrap()
    };
    assert_eq!(vectors(""), 10 * 60);
    assert_eq!(vectors("--images 3 --per-image 20"), 60);
    let one = vectors("--scale1-only");
    assert!(one > 0 && one < 600, "{one}");
    train(&place, "--words 1k")
        .ends(3)
        .complains("1024 words cannot be trained on 600 vectors");
    train(&place, "--words 100")
        .ends(0)
        .complains("39 for each word are advised");
    train(&place, "--words none")
        .ends(2)
        .complains("no number of words");
    train(&place, "--words 4 --batch 10")
        .ends(2)
        .complains("--form minibatch");
    place
        .run("local codebook train gnd.json -o x.safetensors --words 4")
        .ends(3)
        .complains("cannot be used as a file of local features");
    place
        .run("local codebook info d")
        .ends(3)
        .complains("cannot be used as a codebook");
}

#[test]
fn a_training_goes_on_from_the_state_of_an_interrupted_one() {
    let place = extracted();
    train(&place, "--words 16 --iterations 800").ends(0);
    let whole = place.read("c.safetensors");
    let line = "local codebook train d -o x.safetensors --words 16 --iterations 800";
    // Killed once its state has gone on, long before its last iteration: the first state is that of no iteration.
    let mut child = place
        .std_command()
        .args(line.split(' '))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let state = || std::fs::read(place.path("x.safetensors.state")).ok();
    let mut first = None;
    while first.is_none() || state() == first {
        first = first.or_else(state);
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("x.safetensors").exists());
    place
        .run(&format!("{line} --seed 5 --resume"))
        .ends(3)
        .complains("begun with other settings");
    place
        .run(&format!("{line} --resume"))
        .ends(0)
        .complains("iterations were already done");
    assert!(place.read("x.safetensors") == whole);
    assert!(!place.path("x.safetensors.state").exists());
}

#[test]
fn vlad_makes_a_set_that_is_evaluated_and_whitened() {
    let place = extracted();
    train(&place, "--words 4").ends(0);
    for (features, output) in [("d", "db"), ("q", "q1")] {
        let said = place
            .run(&format!(
                "local vlad {features} --codebook c.safetensors -o {output}.safetensors --json"
            ))
            .ends(0)
            .json();
        assert_eq!(
            (&said["dim"], &said["words"], &said["empty"]),
            (&32.into(), &4.into(), &0.into())
        );
    }
    let set = DescriptorSet::open(place.path("db.safetensors")).unwrap();
    let local = set.card().unwrap().identity.local.clone().unwrap();
    let Some(AggregationIdentity::Vlad { normalisation, .. }) = local.aggregation else {
        panic!("{local:?}");
    };
    assert_eq!(normalisation, "intra_l2");
    let norm: f32 = set.row(0).iter().map(|value| value * value).sum();
    assert!((norm - 1.0).abs() < 1e-5);
    let eval = "eval --dataset gnd.json --features db.safetensors --query-features q1.safetensors --json";
    let figures = place.run(&format!("{eval} a.json")).ends(0);
    assert!(figures.err.is_empty() || !figures.err.contains("not made alike"));
    assert!(place.json("a.json")["metrics"]["mAP"].as_f64().unwrap() > 0.0);

    // Another codebook or normalisation does not mix.
    place
        .run("local vlad q --codebook c.safetensors -o q1.safetensors --normalise ssr_l2")
        .ends(0);
    place
        .run(&format!("{eval} a.json"))
        .ends(3)
        .complains("local.aggregation.normalisation");
    place
        .run("local vlad q --codebook c.safetensors -o q1.safetensors --normalise intra")
        .ends(2)
        .complains("ssr_intra_l2");

    place
        .run("whiten learn db.safetensors -o w.safetensors --dims 3")
        .ends(0);
    place
        .run("whiten apply db.safetensors -w w.safetensors -o white.safetensors")
        .ends(0);
    assert_eq!(
        DescriptorSet::open(place.path("white.safetensors"))
            .unwrap()
            .dim(),
        3
    );
}
