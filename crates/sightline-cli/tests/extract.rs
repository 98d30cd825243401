//! What `sightline extract` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, SEEDED, Said, names, png_file};
use std::path::Path;

fn extract(place: &Place, output: &str, more: &str) -> Said {
    place.run_seeded(&format!("extract pictures -o {output} {more}"))
}

fn drawn() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 4);
    place
}

#[test]
fn every_picture_of_a_folder_gets_a_row_with_its_name() {
    let place = Place::new();
    let mut drawn = place.draw_scenes("pictures/inside", 2);
    let said = extract(&place, "set.safetensors", "--json").ends(0);
    let set = sightline::descriptor::DescriptorSet::open(place.path("set.safetensors")).unwrap();
    drawn.sort();
    let expected: Vec<String> = drawn.iter().map(|name| format!("inside/{name}")).collect();
    assert_eq!(set.names(), expected);
    assert_eq!(set.dim(), 64);
    for row in 0..set.len() {
        let norm: f32 = set.row(row).iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-5, "row {row} has the squared norm {norm}");
    }
    let summary = said.json();
    assert_eq!(summary["described"], 12);
    assert_eq!(summary["dim"], 64);
    assert_eq!(summary["skipped"], serde_json::json!([]));
    assert_eq!(summary["card"]["identity"]["architecture"], "resnet18:layer1/gem");
    assert!(!place.path("set.safetensors.part").exists());
    assert!(!place.path("set.safetensors.skipped.json").exists());
}

#[test]
fn several_scales_of_how_are_added_and_not_averaged() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    let run = |output: &str, more: &str| {
        let line = format!(
            "extract pictures --model seeded --arch resnet18:layer1/how-out8 -o {output} --json {more}"
        );
        let said = place.run(&line).ends(0).json();
        let set = sightline::descriptor::DescriptorSet::open(place.path(output)).unwrap();
        (said["card"]["identity"]["scales"].clone(), set.row(0).to_vec())
    };
    let (scales, added) = run("added.safetensors", "--scales 2,0.5");
    assert_eq!(scales["pooling"], "how");
    let (_, averaged) = run("averaged.safetensors", "--scales 2,0.5 --pooling delg");
    let norm: f32 = added.iter().map(|value| value * value).sum();
    assert!((norm - 1.0).abs() < 1e-5 && added.len() == 8, "{added:?}");
    // The larger scale has more places, so it weighs more than half.
    assert!(added.iter().zip(&averaged).any(|(a, b)| (a - b).abs() > 1e-5));
    let (scales, _) = run("one.safetensors", "");
    assert_eq!(scales["pooling"], "none");
}

#[test]
fn a_list_is_described_in_its_own_order() {
    let place = drawn();
    place.write(
        "list.txt",
        "pictures/scene02_easy1.jpg\npictures/scene01_query.png\n",
    );
    place.run_seeded("extract @list.txt -o set.safetensors").ends(0);
    let set = sightline::descriptor::DescriptorSet::open(place.path("set.safetensors")).unwrap();
    assert_eq!(
        set.names(),
        ["pictures/scene02_easy1.jpg", "pictures/scene01_query.png"]
    );
}

#[test]
fn threads_batches_and_memory_change_no_byte() {
    let place = drawn();
    extract(&place, "one.safetensors", "--threads 1 --batch 1").ends(0);
    let expected = place.read("one.safetensors");
    for (index, settings) in ["--threads 2 --batch 8", "--threads 5 --batch 3", "--memory 1"]
        .iter()
        .enumerate()
    {
        let output = format!("{index}.safetensors");
        extract(&place, &output, settings).ends(0);
        assert!(place.read(&output) == expected, "{settings} gives other bytes");
    }
}

#[test]
fn merged_shards_equal_the_whole_byte_for_byte() {
    let place = drawn();
    place.write("pictures/broken.jpg", "no picture");
    for ending in ["safetensors", "npy"] {
        extract(&place, &format!("whole.{ending}"), "").ends(1);
        for shard in 1..=3 {
            let said = extract(
                &place,
                &format!("part{shard}.{ending}"),
                &format!("--shard {shard}/3"),
            );
            assert!(said.code <= 1, "{}", said.err);
        }
        place
            .run(&format!(
                "extract merge part3.{ending} part1.{ending} part2.{ending} -o merged.{ending}"
            ))
            .ends(1)
            .complains("broken.jpg");
        assert!(place.read(&format!("whole.{ending}")) == place.read(&format!("merged.{ending}")));
        let skipped = |name: &str| names(&place.json(name)["skipped"], "name");
        assert_eq!(skipped(&format!("merged.{ending}.skipped.json")), ["broken.jpg"]);
    }
}

#[test]
fn an_incomplete_set_of_shards_is_refused() {
    let place = drawn();
    extract(&place, "part1.safetensors", "--shard 1/2").ends(0);
    place
        .run("extract merge part1.safetensors -o merged.safetensors")
        .ends(3)
        .complains("2");
    assert!(!place.path("merged.safetensors").exists());
    extract(&place, "other.safetensors", "--shard 2/2 --size 48").ends(0);
    place
        .run("extract merge part1.safetensors other.safetensors -o merged.safetensors")
        .ends(3)
        .complains("recipe");
}

#[test]
fn half_precision_halves_the_rows() {
    let place = drawn();
    extract(&place, "whole.npy", "").ends(0);
    extract(&place, "half.npy", "--half").ends(0);
    let (whole, half) = (place.read("whole.npy").len(), place.read("half.npy").len());
    assert_eq!(whole - half, 24 * 64 * 2);
}

/// Pictures that are fine though they look odd, and pictures that are not.
fn odd_folder(place: &Place) {
    place.draw_scenes("pictures", 1);
    let jpeg = place.read("pictures/scene01_easy1.jpg");
    let png = place.read("pictures/scene01_query.png");
    place.write("pictures/misnamed.jpg", &png);
    place.write("pictures/one_pixel.png", png_file::png(1, 1, 8, 0, &[0, 90]));
    place.write("pictures/sixteen.png", png_file::sixteen_bit(60, 40));
    place.write("pictures/broken.jpg", "this is no picture at all");
    place.write("pictures/empty.png", "");
    place.write("pictures/truncated.jpg", &jpeg[..jpeg.len() / 2]);
    place.write("pictures/bomb.png", png_file::png(60_000, 60_000, 8, 2, &[0]));
}

const BAD: [&str; 4] = ["bomb.png", "broken.jpg", "empty.png", "truncated.jpg"];

#[test]
fn what_is_readable_is_described_and_the_rest_is_listed_with_its_reason() {
    let place = Place::new();
    odd_folder(&place);
    let said = extract(&place, "set.safetensors", "--json").ends(1);
    let set = sightline::descriptor::DescriptorSet::open(place.path("set.safetensors")).unwrap();
    assert_eq!(set.len(), 9);
    for good in ["misnamed.jpg", "one_pixel.png", "sixteen.png"] {
        let row = set.names().iter().position(|name| name == good).unwrap();
        assert!(set.row(row).iter().all(|value| value.is_finite()), "{good}");
    }
    let listed = place.json("set.safetensors.skipped.json");
    assert_eq!(names(&listed["skipped"], "name"), BAD);
    assert_eq!(said.json()["skipped"], listed["skipped"]);
    for (name, reason) in BAD.iter().zip(names(&listed["skipped"], "reason")) {
        assert!(reason.len() > 10, "{name}: {reason}");
        assert!(said.err.contains(&reason), "{name}: stderr lacks {reason}");
    }
    let said = said.complains("set.safetensors.skipped.json");
    assert!(
        said.err.contains("60000") || said.err.contains("3600000000"),
        "{}",
        said.err
    );
}

#[test]
fn truncated_pictures_are_read_where_that_is_asked_for() {
    let place = Place::new();
    odd_folder(&place);
    extract(&place, "set.safetensors", "--truncated tolerate").ends(1);
    let listed = place.json("set.safetensors.skipped.json");
    assert_eq!(names(&listed["skipped"], "name"), BAD[..3]);
}

#[test]
fn a_list_of_skipped_pictures_goes_once_nothing_is_skipped() {
    let place = Place::new();
    odd_folder(&place);
    extract(&place, "set.safetensors", "").ends(1);
    for name in BAD {
        std::fs::remove_file(place.path(&format!("pictures/{name}"))).unwrap();
    }
    extract(&place, "set.safetensors", "").ends(0);
    assert!(!place.path("set.safetensors.skipped.json").exists());
}

#[test]
fn pictures_with_more_pixels_than_allowed_are_listed() {
    let place = Place::new();
    odd_folder(&place);
    extract(&place, "set.safetensors", "--max-pixels 2400").ends(1);
    let set = sightline::descriptor::DescriptorSet::open(place.path("set.safetensors")).unwrap();
    assert_eq!(set.names(), ["one_pixel.png", "sixteen.png"]);
    extract(&place, "set.safetensors", "--max-pixels 2399").ends(1);
    let set = sightline::descriptor::DescriptorSet::open(place.path("set.safetensors")).unwrap();
    assert_eq!(set.names(), ["one_pixel.png"]);
}

#[test]
fn pictures_of_a_ground_truth_that_are_missing_are_listed() {
    let place = drawn();
    std::fs::remove_file(place.path("pictures/scene02_easy1.jpg")).unwrap();
    place
        .run_seeded("extract gnd.json --images pictures -o set.safetensors")
        .ends(1)
        .complains("scene02_easy1");
    let listed = place.json("set.safetensors.skipped.json");
    assert_eq!(names(&listed["skipped"], "name"), ["scene02_easy1"]);
}

/// Begins an extraction and kills it (SIGKILL) once `when` says so; whether it was still at work.
#[cfg(unix)]
fn kill(place: &Place, output: &str, when: &mut dyn FnMut() -> bool) -> bool {
    let mut child = place
        .std_command()
        .args(["extract", "pictures", "-o", output, "--batch", "1"])
        .args(SEEDED)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !when() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

/// Kills an extraction once its journal holds a row.
#[cfg(unix)]
fn kill_half_way(place: &Place, output: &str) {
    let journal = place.path(&format!("{output}.part/rows.journal"));
    let has_rows = |path: &Path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
    assert!(
        kill(place, output, &mut || has_rows(&journal)),
        "the extraction ended before it could be killed"
    );
}

#[cfg(unix)]
#[test]
fn killed_at_any_moment_and_resumed_the_file_is_the_same() {
    let place = Place::new();
    place.draw_scenes("pictures", 12);
    let begin = std::time::Instant::now();
    extract(&place, "whole.safetensors", "--batch 1").ends(0);
    let whole = begin.elapsed();
    let expected = place.read("whole.safetensors");
    let mut killed = 0;
    for round in 0..2 {
        let output = format!("killed{round}.safetensors");
        for part in 1..=4 {
            // Somewhere in that fifth of a run's time, at a moment that differs from run to run.
            let jitter = f64::from(begin.elapsed().subsec_nanos() % 1000) / 1000.0;
            let until = whole.mul_f64((f64::from(part) - jitter) / 5.0);
            let start = std::time::Instant::now();
            killed += usize::from(kill(&place, &output, &mut || start.elapsed() >= until));
            if let Ok(bytes) = std::fs::read(place.path(&output)) {
                assert!(bytes == expected, "a set that is there is whole");
            }
        }
        extract(&place, &output, "--batch 4").ends(0);
        assert!(place.read(&output) == expected, "round {round} gives other bytes");
        assert!(!place.path(&format!("{output}.part")).exists());
    }
    assert!(killed > 0, "no run was killed in time");
}

#[cfg(unix)]
#[test]
fn finished_pictures_are_not_described_again() {
    let place = Place::new();
    place.draw_scenes("pictures", 12);
    kill_half_way(&place, "set.safetensors");
    let said = extract(&place, "set.safetensors", "--json").ends(0);
    assert!(said.json()["resumed"].as_u64().unwrap() > 0, "{}", said.out);
    assert_eq!(said.json()["described"], 72);
    said.complains("already described by an earlier run");
}

#[cfg(unix)]
#[test]
fn what_a_run_with_other_settings_left_is_not_continued() {
    let place = Place::new();
    place.draw_scenes("pictures", 12);
    kill_half_way(&place, "set.safetensors");
    extract(&place, "set.safetensors", "--size 48")
        .ends(3)
        .complains("--restart")
        .complains("recipe");
    let said = extract(&place, "set.safetensors", "--size 48 --restart --json").ends(0);
    assert_eq!(said.json()["resumed"], 0);
}

#[test]
fn nothing_to_describe_is_an_error() {
    let place = Place::new();
    std::fs::create_dir(place.path("pictures")).unwrap();
    extract(&place, "set.safetensors", "")
        .ends(3)
        .complains("pictures");
    place
        .run_seeded("extract nowhere -o set.safetensors")
        .ends(3)
        .complains("nowhere");
    assert!(!place.path("set.safetensors").exists());
}

#[test]
fn quiet_says_nothing_where_all_is_well() {
    let place = drawn();
    let said = extract(&place, "set.safetensors", "--quiet").ends(0);
    assert_eq!((said.out.as_str(), said.err.as_str()), ("", ""));
}

#[test]
fn pictures_too_small_for_the_network_are_listed_with_the_least_size() {
    let place = Place::new();
    place.draw_scenes("pictures", 1);
    for device in ["cpu", "burn"] {
        place
            .run(&format!(
                "extract pictures -o db.npy --model seeded --arch resnet18:layer1/gem-rgem --scales 1,0.1 --device {device} \
                 --restart"
            ))
            .ends(1);
        let skipped = place.text("db.npy.skipped.json");
        assert!(
            skipped
                .contains("resnet18:layer1/gem-rgem needs pictures of at least 9 x 9 pixels at every scale"),
            "{device}: {skipped}"
        );
    }
}
