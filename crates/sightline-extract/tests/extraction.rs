//! Extraction with a simulated network: what comes out is the same whatever happens in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod simulated;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use sightline_descriptor::{DescriptorSet, RowType, ScalePooling, Shard, merge};
use sightline_extract::{
    ExtractError, Extraction, Network, Options, Picture, Prepare, Progress, Report, describe_pictures,
    read_skipped, skipped_path,
};
use sightline_image::ImageTensor;
use sightline_plan::{Executor, RunError, Runtime, Tensor};
use simulated::{Bytes, DIM, Sums, card, pictures};

fn options(workers: usize, batch: usize) -> Options {
    Options {
        workers,
        batch,
        ..Options::default()
    }
}

/// Runs an extraction and says how many pictures the network saw.
fn extract_with(
    pictures: &[Picture],
    output: &Path,
    options: Options,
    shard: Option<Shard>,
    restart: bool,
) -> Result<(Report, usize), ExtractError> {
    let mut sums = Sums::default();
    let card = card();
    let job = Extraction {
        pictures,
        output,
        card: &card,
        row_type: RowType::F32,
        shard,
        restart,
        options,
    };
    let mut last = Progress {
        done: 0,
        failed: 0,
        total: 0,
        resumed: 0,
    };
    let report = job.run(&Bytes, &mut Network::new(&mut sums, DIM), &mut |now| {
        assert!(now.done >= last.done && now.failed >= last.failed);
        last = now;
    })?;
    assert_eq!(last.done + last.failed, last.total);
    assert_eq!(
        (last.done, last.failed, last.resumed),
        (report.done, report.skipped.len(), report.resumed)
    );
    Ok((report, sums.pictures.into_inner()))
}

fn extract(pictures: &[Picture], output: &Path) -> (Report, usize) {
    extract_with(pictures, output, options(3, 4), None, false).unwrap()
}

#[test]
fn every_picture_is_described_or_listed() {
    let folder = tempfile::tempdir().unwrap();
    let list = pictures(&folder.path().join("in"), 60);
    let output = folder.path().join("set.safetensors");
    let (report, _) = extract(&list, &output);
    let set = DescriptorSet::open(&output).unwrap();
    assert_eq!(set.card(), Some(&card()));
    assert_eq!(report.done, set.len());
    assert_eq!(report.done + report.skipped.len(), 60);
    assert_eq!(read_skipped(&output).unwrap(), report.skipped);
    let reason = |name: &str| {
        report
            .skipped
            .iter()
            .find(|s| s.name == name)
            .unwrap()
            .reason
            .clone()
    };
    assert!(reason("0005.raw").contains("could not be opened"));
    assert_eq!(reason("0006.raw"), "It is bad.");
    assert_eq!(reason("0013.raw"), "The decoder panicked: the codec met 5.");
    assert!(reason("0048.raw").contains("255"));
    assert!(reason("0027.raw").contains("The network panicked: 254"));
    // In the order of the list, without those that failed; each row is what the picture gives alone.
    let failed: Vec<&str> = report.skipped.iter().map(|s| s.name.as_str()).collect();
    let good: Vec<&Picture> = list
        .iter()
        .filter(|p| !failed.contains(&p.name.as_str()))
        .collect();
    assert_eq!(
        set.names(),
        good.iter().map(|p| p.name.clone()).collect::<Vec<_>>()
    );
    for (i, picture) in good.iter().enumerate() {
        let mut sums = Sums::default();
        let alone = describe_pictures(
            &[(*picture).clone()],
            &Bytes,
            &mut Network::new(&mut sums, DIM),
            &Options::default(),
        );
        assert_eq!(alone.unwrap()[0].as_ref().unwrap(), &set.row(i));
    }
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "the pictures, the set, the skipped list: {left:?}");
    // A later run without failures leaves no list behind.
    extract(&list[..5], &output);
    assert!(!skipped_path(&output).exists());
}

#[test]
fn the_same_bytes_for_any_threads_batch_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let list = pictures(&folder.path().join("in"), 100);
    let want = folder.path().join("want.safetensors");
    extract(&list, &want);
    let want_skipped = fs::read(skipped_path(&want)).unwrap();
    let want = fs::read(want).unwrap();
    let output = folder.path().join("set.safetensors");
    for workers in [1, 2, 7] {
        for batch in [1, 3, 50] {
            for memory in [0, 1000, 1 << 30] {
                let options = Options {
                    memory,
                    ..options(workers, batch)
                };
                extract_with(&list, &output, options, None, false).unwrap();
                assert!(
                    fs::read(&output).unwrap() == want,
                    "{workers} workers, batch {batch}, memory {memory}"
                );
                assert!(fs::read(skipped_path(&output)).unwrap() == want_skipped);
            }
        }
    }
}

#[test]
fn equal_sizes_are_batched() {
    let folder = tempfile::tempdir().unwrap();
    // Six sizes, taking turns.
    let list: Vec<Picture> = pictures(folder.path(), 200)
        .into_iter()
        .filter(|p| p.path.exists())
        .collect();
    let mut sums = Sums::default();
    describe_pictures(&list, &Bytes, &mut Network::new(&mut sums, DIM), &options(2, 8)).unwrap();
    assert_eq!(sums.largest_batch, 8);
}

#[test]
fn a_picture_larger_than_all_the_memory_passes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<Picture> = (0..40)
        .map(|i| {
            let path = folder.path().join(format!("{i}"));
            fs::write(
                &path,
                if i % 3 == 0 {
                    b"huge".to_vec()
                } else {
                    vec![200, 200, i]
                },
            )
            .unwrap();
            Picture::new(format!("{i}"), path)
        })
        .collect();
    let mut sums = Sums::default();
    let options = Options {
        memory: 1 << 20,
        ..options(4, 2)
    };
    let rows = describe_pictures(&list, &Bytes, &mut Network::new(&mut sums, DIM), &options).unwrap();
    assert!(rows.iter().all(Result::is_ok));
}

#[test]
fn limits_are_reasons() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), vec![1; 100]).unwrap();
    let list = [
        Picture::new("a", folder.path().join("a")),
        Picture::new("b", folder.path()),
    ];
    let reasons = |options: Options| {
        let mut sums = Sums::default();
        describe_pictures(&list, &Bytes, &mut Network::new(&mut sums, DIM), &options).unwrap()
    };
    let rows = reasons(Options {
        max_file: 99,
        ..Options::default()
    });
    assert_eq!(
        rows[0],
        Err("The file has 100 bytes, more than the 99 bytes allowed for a picture.".to_owned())
    );
    assert_eq!(rows[1], Err("It is not a file.".to_owned()));
    let rows = reasons(Options {
        max_input: 3,
        ..Options::default()
    });
    assert!(
        rows[0]
            .as_ref()
            .unwrap_err()
            .contains("2x2, more than the 3 pixels"),
        "{rows:?}"
    );
}

#[test]
fn a_network_of_another_length_stops_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let list = pictures(&folder.path().join("in"), 60);
    let mut sums = Sums::default();
    let error =
        describe_pictures(&list, &Bytes, &mut Network::new(&mut sums, 7), &options(3, 4)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "The network gives descriptors of 5 values, and the card wants 7."
    );
    let mut network = Network::new(&mut sums, DIM).with_output("nothing");
    let error = describe_pictures(&list, &Bytes, &mut network, &options(3, 4)).unwrap_err();
    assert!(matches!(error, ExtractError::Output { .. }), "{error}");
}

/// Each picture twice, the second time multiplied.
struct Twice(f32);

impl Prepare for Twice {
    fn memory(&self, file: &[u8]) -> u64 {
        Bytes.memory(file)
    }

    fn prepare(&self, file: &[u8], bbox: Option<[f64; 4]>) -> Result<Vec<ImageTensor>, String> {
        let first = Bytes.prepare(file, bbox)?.remove(0);
        let second = ImageTensor {
            data: first.data.iter().map(|v| self.0 * v).collect(),
            ..first.clone()
        };
        Ok(vec![first, second])
    }
}

#[test]
fn scales_are_pooled() {
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<Picture> = pictures(folder.path(), 5);
    let mut sums = Sums::default();
    let rows = describe_pictures(&list, &Bytes, &mut Network::new(&mut sums, DIM), &options(2, 2)).unwrap();
    let mut network = Network::new(&mut sums, DIM).with_scales(vec![1.0, 2.0], ScalePooling::Token);
    let pooled = describe_pictures(&list, &Twice(2.0), &mut network, &options(2, 2)).unwrap();
    for (row, pooled) in rows.iter().zip(&pooled) {
        let (row, pooled) = (row.as_ref().unwrap(), pooled.as_ref().unwrap());
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        for (a, b) in row.iter().zip(pooled) {
            assert!((a / norm - b).abs() < 1e-5, "{row:?} {pooled:?}");
        }
    }
    let one = describe_pictures(&list, &Bytes, &mut network, &options(2, 2)).unwrap();
    assert_eq!(one[0], Err("It was prepared 1 times for 2 scales.".to_owned()));
    // The maximum over scales would leave out what is no number.
    let mut network = Network::new(&mut sums, DIM).with_scales(vec![1.0, 2.0], ScalePooling::SuperglobalMax);
    let refused = describe_pictures(&list, &Twice(f32::NAN), &mut network, &options(2, 2)).unwrap();
    assert!(refused[0].as_ref().unwrap_err().contains("no finite numbers"));
}

/// Two features and a strength at every pixel: red and green as they are, and blue without its sign.
struct Maps;

impl Executor for Maps {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let [batch, _, height, width] = input.shape[..] else {
            panic!("no map");
        };
        let places = height * width;
        let map = |channels: std::ops::Range<usize>| {
            let length = channels.len();
            let planes = (0..batch).flat_map(|picture| {
                let start = (3 * picture + channels.start) * places;
                &input.data[start..start + length * places]
            });
            Tensor {
                shape: vec![batch, length, height, width],
                data: planes
                    .map(|value| if length == 1 { value.abs() } else { *value })
                    .collect(),
            }
        };
        Ok(vec![
            ("local".to_owned(), map(0..2)),
            ("strength".to_owned(), map(2..3)),
        ])
    }

    fn describe(&self) -> Runtime {
        Sums::default().describe()
    }
}

#[test]
fn local_features_of_all_scales_are_added() {
    let folder = tempfile::tempdir().unwrap();
    // The first picture's features are all zero.
    let list = pictures(folder.path(), 5).split_off(1);
    let mut maps = Maps;
    let mut network = Network::new(&mut maps, 2).with_scales(vec![1.0, 2.0], ScalePooling::How);
    let pooled = describe_pictures(&list, &Twice(-2.0), &mut network, &options(2, 2)).unwrap();
    for (picture, pooled) in list.iter().zip(&pooled) {
        let tensor = Bytes
            .prepare(&std::fs::read(&picture.path).unwrap(), picture.bbox)
            .unwrap()
            .remove(0);
        let plane = |channel: usize| tensor.data.chunks(tensor.data.len() / 3).nth(channel).unwrap();
        let sum = |channel: usize| -> f32 {
            plane(channel)
                .iter()
                .zip(plane(2))
                .map(|(x, s)| x * s.abs())
                .sum()
        };
        // Features times -2 and strengths times 2: -4 times the first pass' sum.
        let sums = [0, 1].map(|channel| -3.0 * sum(channel));
        let norm = sums.iter().map(|v| v * v).sum::<f32>().sqrt();
        for (want, got) in sums.iter().zip(pooled.as_ref().unwrap()) {
            assert!((want / norm - got).abs() < 1e-5, "{sums:?} {pooled:?}");
        }
    }
    let mut sums = Sums::default();
    let mut network = Network::new(&mut sums, 2).with_scales(vec![1.0, 2.0], ScalePooling::How);
    let error = describe_pictures(&list, &Twice(1.0), &mut network, &options(2, 2)).unwrap_err();
    assert!(error.to_string().contains("strength"), "{error}");
}

#[test]
fn merged_shards_equal_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let list = pictures(&folder.path().join("in"), 50);
    for ending in ["safetensors", "npy"] {
        let whole = folder.path().join(format!("whole.{ending}"));
        extract(&list, &whole);
        let parts: Vec<_> = (1..=4)
            .map(|i| {
                let path = folder.path().join(format!("part{i}.{ending}"));
                extract_with(&list, &path, options(2, 3), Shard::new(i, 4), false).unwrap();
                path
            })
            .collect();
        let merged = folder.path().join(format!("merged.{ending}"));
        merge(&parts, &merged).unwrap();
        assert!(fs::read(&merged).unwrap() == fs::read(&whole).unwrap());
    }
}

/// A network that stops the run after some pictures, as a full disk would.
fn interrupted(list: &[Picture], output: &Path, after: usize) {
    struct Stops(Sums, usize);
    impl sightline_plan::Executor for Stops {
        fn run(
            &mut self,
            input: &sightline_plan::Tensor,
        ) -> Result<Vec<(String, sightline_plan::Tensor)>, sightline_plan::RunError> {
            if self.0.pictures.load(Ordering::Relaxed) >= self.1 {
                // No output at all stops everything.
                return Ok(Vec::new());
            }
            self.0.run(input)
        }
        fn describe(&self) -> sightline_plan::Runtime {
            self.0.describe()
        }
    }
    let mut stops = Stops(Sums::default(), after);
    let card = card();
    let job = Extraction {
        pictures: list,
        output,
        card: &card,
        row_type: RowType::F32,
        shard: None,
        restart: false,
        options: options(2, 3),
    };
    let error = job
        .run(&Bytes, &mut Network::new(&mut stops, DIM), &mut |_| {})
        .unwrap_err();
    assert!(matches!(error, ExtractError::Output { .. }), "{error}");
    assert!(!output.exists());
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let list = pictures(&folder.path().join("in"), 90);
    let want = folder.path().join("want.safetensors");
    let (_, seen) = extract(&list, &want);
    let output = folder.path().join("set.safetensors");
    interrupted(&list, &output, 40);
    let (report, seen_again) = extract(&list, &output);
    assert!(report.resumed >= 40);
    assert_eq!(seen_again, seen - report.resumed, "nothing is described twice");
    assert!(fs::read(&output).unwrap() == fs::read(&want).unwrap());

    // A longer list and a changed picture: rows of the rest are still good.
    fs::remove_file(&output).unwrap();
    interrupted(&list[..80], &output, 60);
    fs::write(&list[0].path, [2, 2, 77, 77]).unwrap();
    let (report, _) = extract(&list, &output);
    assert!(report.resumed >= 59);
    let fresh = folder.path().join("fresh.safetensors");
    extract(&list, &fresh);
    assert!(fs::read(&output).unwrap() == fs::read(&fresh).unwrap());

    // Anew, if that is wanted.
    fs::remove_file(&output).unwrap();
    interrupted(&list, &output, 40);
    let (report, _) = extract_with(&list, &output, options(2, 3), None, true).unwrap();
    assert_eq!(report.resumed, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A journal cut at any byte gives the same set in the end.
    #[test]
    fn a_torn_journal_gives_the_same_set(cut: prop::sample::Index, after in 1usize..50) {
        let folder = tempfile::tempdir().unwrap();
        let list = pictures(&folder.path().join("in"), 70);
        let (want, output) = (folder.path().join("want.safetensors"), folder.path().join("set.safetensors"));
        extract(&list, &want);
        interrupted(&list, &output, after);
        let journal = folder.path().join("set.safetensors.part/rows.journal");
        let bytes = fs::read(&journal).unwrap();
        fs::write(&journal, &bytes[..cut.index(bytes.len() + 1)]).unwrap();
        extract(&list, &output);
        prop_assert!(fs::read(&output).unwrap() == fs::read(&want).unwrap());
        prop_assert!(!folder.path().join("set.safetensors.part").exists());
    }
}

/// Not a test of its own: what the next one kills. Runs only where a variable says on which folder.
#[test]
fn the_child_that_is_killed() {
    let Some(folder) = std::env::var_os("SIGHTLINE_TEST_CHILD") else {
        return;
    };
    let folder = Path::new(&folder);
    let list = pictures(&folder.join("in"), 150);
    let mut sums = Sums {
        pause: Duration::from_millis(2),
        ..Sums::default()
    };
    let card = card();
    let output = folder.join("set.safetensors");
    let job = Extraction {
        pictures: &list,
        output: &output,
        card: &card,
        row_type: RowType::F16,
        shard: None,
        restart: false,
        options: options(2, 2),
    };
    job.run(&Bytes, &mut Network::new(&mut sums, DIM), &mut |_| {})
        .unwrap();
}

#[test]
fn killed_at_twenty_moments_the_set_is_the_same() {
    let child = |folder: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_child_that_is_killed"])
            .env("SIGHTLINE_TEST_CHILD", folder)
            .env("SOURCE_DATE_EPOCH", "1800000000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("set.safetensors");
    pictures(&folder.path().join("in"), 150);
    let began = std::time::Instant::now();
    assert!(child(folder.path()).wait().unwrap().success());
    let whole = began.elapsed();
    let want = fs::read(&output).unwrap();
    let mut state = 1u64;
    for moment in 0..20 {
        let _ = fs::remove_file(&output);
        let mut kills = 0;
        loop {
            let mut running = child(folder.path());
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // Several kills for a set, at moments spread over what a whole run takes.
            std::thread::sleep(whole.mul_f64((state >> 40) as f64 / (1u64 << 24) as f64));
            if kills < 3 {
                // SIGKILL on Unix.
                let _ = running.kill();
            }
            kills += 1;
            if running.wait().unwrap().success() {
                break;
            }
        }
        assert!(
            fs::read(&output).unwrap() == want,
            "moment {moment} after {kills} runs"
        );
        assert!(!folder.path().join("set.safetensors.part").exists());
    }
}
