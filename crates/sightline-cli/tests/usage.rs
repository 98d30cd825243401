//! What every command promises about wrong usage, help and completions.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    for line in [
        "",
        "no-such-command",
        "extract",
        "extract pictures",
        "extract pictures -o set.safetensors --no-such-option",
        "extract pictures -o set.safetensors --size many",
        "extract pictures -o set.safetensors --model seeded --shard 5/4",
        "extract pictures -o set.safetensors --model seeded --scales 0",
        "extract pictures -o set.safetensors --model seeded --size 3 --square 3",
        "search query.jpg",
        "search --in a --features b query.jpg",
        "search --in a query.jpg --model seeded -k 0",
        "search --in a query.jpg --model seeded --box 1,2,3",
        "search --in a query.jpg --model seeded --box 1,2,0,4",
        "eval --dataset gnd.json",
        "eval --features a",
        "demo --scenes 1",
        "model inspect",
    ] {
        let said = place.run(line).ends(2);
        assert!(said.out.is_empty() && !said.err.is_empty(), "{line}");
    }
}

#[test]
fn no_model_says_how_to_name_one() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place
        .run("extract pictures -o set.safetensors")
        .ends(2)
        .complains("--model FILE");
}

#[test]
fn a_wrong_name_comes_with_the_nearest_right_one() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    let extract = "extract pictures -o set.safetensors --model seeded";
    place
        .run(&format!("{extract} --recipe cirtroch"))
        .ends(2)
        .complains("did you mean cirtorch");
    place
        .run(&format!("{extract} --arch resnet18:layer1/gen"))
        .ends(2)
        .complains("Did you mean `resnet18:layer1/gem`");
    place
        .run("eval --dataset gnd.json --images pictures --model seeded --protocol cirtroch")
        .ends(2)
        .complains("a similar value exists: 'cirtorch'");
    place
        .run(&format!("{extract} --recpie cirtorch"))
        .ends(2)
        .complains("--recipe");
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    for command in [
        "",
        "demo",
        "extract",
        "search",
        "eval",
        "reproduce",
        "model inspect",
        "model convert",
        "dataset check",
        "whiten learn",
        "whiten apply",
        "completions",
        "man",
    ] {
        place
            .run(&format!("{command} --help"))
            .ends(0)
            .prints("sightline")
            .prints("Example");
    }
    place
        .run("--version")
        .ends(0)
        .prints(&format!("sightline {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_know_commands_and_options() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        place
            .run(&format!("completions {shell}"))
            .ends(0)
            .prints("extract")
            .prints("max-pixels");
    }
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let place = Place::new();
    place.run("man pages/man1").ends(0);
    for page in [
        "sightline",
        "sightline-extract",
        "sightline-search",
        "sightline-eval",
    ] {
        let text = place.text(&format!("pages/man1/{page}.1"));
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn an_unknown_device_is_refused() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    place
        .run_seeded("extract pictures -o set.safetensors --device abacus")
        .ends(3)
        .complains("abacus");
}
