//! What `sightline model export` and `--model FILE.onnx` promise.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::onnx_file::Foreign;
use promise::{Place, SEEDED};
use sightline::descriptor::DescriptorSet;

fn rows(place: &Place, set: &str) -> (DescriptorSet, Vec<f32>) {
    let set = DescriptorSet::open(place.path(set)).unwrap();
    let rows = (0..set.len()).flat_map(|row| set.row(row)).collect();
    (set, rows)
}

/// Describes the drawn pictures with a model and yields their rows.
fn describe(place: &Place, set: &str, options: &str) -> Vec<f32> {
    place.run(&format!("extract png -o {set} {options}")).ends(0);
    rows(place, set).1
}

#[test]
fn an_exported_network_is_the_network_and_needs_no_options() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    let export = [
        "model", "export", "seeded", "--arch", SEEDED[3], "-o", "net.onnx", "--json",
    ];
    let said = place.run_args(&export).ends(0).json();
    assert_eq!(said["architecture"], SEEDED[3]);
    assert_eq!(said["checks"].as_array().unwrap().len(), 2);
    for check in said["checks"].as_array().unwrap() {
        assert!(check["largest_difference"].as_f64().unwrap() < 1e-5, "{check}");
    }
    assert!(!place.path("net.onnx.tmp").exists());

    place.run_seeded("extract png -o net.safetensors").ends(0);
    let (own, want) = rows(&place, "net.safetensors");
    let got = describe(&place, "onnx.safetensors", "--model net.onnx");
    assert_eq!(got, want, "the same bytes");
    let (set, _) = rows(&place, "onnx.safetensors");
    let (own, card) = (own.card().unwrap(), set.card().unwrap());
    let differing: Vec<String> = own.differences(card).into_iter().map(|one| one.field).collect();
    assert_eq!(differing, ["weights"], "only the file is another one");
    assert_eq!(card.identity.weights, said["sha256"].as_str().unwrap());
    assert_eq!(card.circumstances.exported_from, own.identity.weights);

    let inspected = place.run("model inspect net.onnx --json").ends(0).json();
    assert_eq!(inspected["outputs"][0]["name"], "descriptor");
    assert_eq!(inspected["metadata"]["sightline"]["architecture"], SEEDED[3]);
}

#[test]
fn an_export_for_one_size_says_so_and_wants_it() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    let export = "model export seeded --arch resnet18:layer1/gem -o net.onnx --input-size 48x48";
    place.run(export).ends(0).prints("48x48");
    place
        .run("extract png -o set.npy --model net.onnx")
        .ends(3)
        .complains("48x48 pixels only")
        .complains("--square 48");
    place
        .run("extract png -o set.npy --model net.onnx --square 48 --scales 1,0.7")
        .ends(3)
        .complains("Leave --scales out");
    let whole = "--model seeded --arch resnet18:layer1/gem --square 48";
    let want = describe(&place, "want.safetensors", whole);
    assert_eq!(
        describe(&place, "set.safetensors", "--model net.onnx --square 48"),
        want
    );
    let wrong = "model export seeded -o net.onnx --input-size 48";
    place.run(wrong).ends(2).complains("HEIGHTxWIDTH");
}

#[test]
fn a_foreign_backbone_gives_descriptors_by_its_map_or_its_tokens() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    place.write("foreign.onnx", Foreign::default().bytes());
    let with = |set: &str, options: &str| {
        describe(&place, set, &format!("--model foreign.onnx --size 64 {options}"))
    };
    let spoc = with("spoc.safetensors", "--model-output map --map-pooling spoc");
    let mean = with(
        "mean.safetensors",
        "--model-output tokens --token-pooling mean --special-tokens 0",
    );
    assert_eq!(spoc, mean, "the mean over tokens is the mean over the map");
    let gem = with("gem.safetensors", "--model-output map");
    let tokens = with(
        "tokens.safetensors",
        "--model-output tokens --token-pooling gem --special-tokens 0",
    );
    assert_eq!(gem, tokens, "and so is the generalised mean");
    assert_ne!(gem, spoc);
    for row in gem.chunks(4) {
        let norm: f32 = row.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{row:?}");
    }
    let card = |set: &str| rows(&place, set).0.card().unwrap().identity.architecture.clone();
    assert_eq!(card("gem.safetensors"), "onnx:map/gem-p3");
    assert_eq!(card("mean.safetensors"), "onnx:tokens/mean-special0");
    // What was pooled otherwise does not mix.
    place
        .run("search --features gem.safetensors png/scene01_easy2.png --model foreign.onnx --model-output map --map-pooling mac")
        .ends(3)
        .complains("architecture");
    // The same bytes for any batch size and number of threads.
    let alone = with(
        "alone.safetensors",
        "--model-output tokens --token-pooling mean --special-tokens 0 --batch 1 --threads 1",
    );
    assert_eq!(alone, mean);
}

#[test]
fn weights_may_lie_beside_the_file_but_not_elsewhere() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    place.write("whole.onnx", Foreign::default().bytes());
    let split = |external: &'static str| {
        let foreign = Foreign {
            external: Some(external),
            ..Foreign::default()
        };
        foreign.bytes()
    };
    place.write("split.onnx", split("split.data"));
    let options = |model: &str| format!("--model {model}.onnx --model-output map");
    place
        .run(&format!("extract png -o set.npy {}", options("split")))
        .ends(3)
        .complains("split.data cannot be read");
    place.write("split.data", Foreign::kernel_bytes());
    let want = describe(&place, "whole.safetensors", &options("whole"));
    assert_eq!(describe(&place, "split.safetensors", &options("split")), want);
    // The hash covers the weights.
    let hash = |set: &str| rows(&place, set).0.card().unwrap().identity.weights.clone();
    let before = hash("split.safetensors");
    let mut other = Foreign::kernel_bytes();
    other[0] ^= 1;
    place.write("split.data", other);
    describe(&place, "other.safetensors", &options("split"));
    assert_ne!(hash("other.safetensors"), before);
    place.write("outside.onnx", split("../split.data"));
    place
        .run(&format!("extract png -o set.npy {}", options("outside")))
        .ends(3)
        .complains("Only files in the model's own folder are read");
}

#[test]
fn what_cannot_be_used_is_refused_with_the_remedy() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    place.write("foreign.onnx", Foreign::default().bytes());
    let run = |options: &str| place.run(&format!("extract png -o set.npy --model {options}"));
    run("foreign.onnx")
        .ends(3)
        .complains("map [1, 4, ?, ?], tokens [1, ?, 4]")
        .complains("--model-output");
    run("foreign.onnx --model-output tokns")
        .ends(3)
        .complains("no output `tokns`");
    run("foreign.onnx --arch resnet18/gem")
        .ends(2)
        .complains("leave --arch out");
    run("foreign.onnx --model-output map --map-pooling max")
        .ends(2)
        .complains("gem, mac, spoc");
    run("foreign.onnx --model-output tokens --token-pooling mean --special-tokens 5000")
        .ends(1)
        .complains("5000 are said to be no patches");
    run("foreign.onnx --model-output map --device cuda")
        .ends(3)
        .complains("cannot run on `cuda`");
    run("seeded --token-pooling mean")
        .ends(2)
        .complains("for ONNX files");
    let unknown = Foreign {
        operator: "Twirl",
        ..Foreign::default()
    };
    place.write("unknown.onnx", unknown.bytes());
    run("unknown.onnx --model-output tokens")
        .ends(3)
        .complains("Twirl")
        .complains("--device ort");
    let whole = Foreign::default().bytes();
    place.write("cut.onnx", &whole[..whole.len() - 7]);
    run("cut.onnx")
        .ends(3)
        .complains("no ONNX file, or a damaged one");
    place.write("empty.onnx", b"");
    run("empty.onnx").ends(3).complains("no ONNX file");
    run("absent.onnx").ends(3).complains("absent.onnx cannot be read");
    place.write(
        "fixed.onnx",
        Foreign {
            size: Some(32),
            outputs: &["map"],
            ..Foreign::default()
        }
        .bytes(),
    );
    run("fixed.onnx").ends(3).complains("Add --square 32");
    run("fixed.onnx --square 32").ends(0);
}

#[cfg(not(feature = "ort"))]
#[test]
fn a_build_without_onnx_runtime_says_so() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    place
        .run_seeded("extract png -o set.npy --device ort")
        .ends(3)
        .complains("cargo feature `ort`");
}

#[cfg(feature = "ort")]
#[test]
fn a_missing_onnx_runtime_is_an_error_with_the_remedy() {
    let place = Place::new();
    place.draw_scenes("png", 1);
    let mut command = place.std_command();
    command
        .env("ORT_DYLIB_PATH", "absent/libonnxruntime.so")
        .args(["extract", "png", "-o", "set.npy", "--device", "ort"])
        .args(SEEDED);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("absent/libonnxruntime.so") && said.contains("ORT_DYLIB_PATH"),
        "{said}"
    );
}
