//! A simulated recipe and network, for tests of what lies around them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sightline_card::{Card, Circumstances, Identity, Scales};
use sightline_extract::{Picture, Prepare};
use sightline_image::ImageTensor;
use sightline_plan::{Executor, RunError, Runtime, Tensor};

pub(crate) const DIM: usize = 5;

pub(crate) fn card() -> Card {
    let identity = Identity {
        architecture: "simulated".to_owned(),
        weights: "00".repeat(32),
        recipe: serde_json::json!({"name": "simulated"}),
        scales: Scales::single(),
        whitening: None,
        dim: DIM,
        seed: None,
        local: None,
    };
    Card::new(
        identity,
        Circumstances {
            date: sightline_card::date::today(),
            ..Circumstances::default()
        },
    )
}

/// Files of the form: width, height, any further bytes. `panic` and `bad` as content do what they say.
pub(crate) struct Bytes;

impl Prepare for Bytes {
    fn memory(&self, file: &[u8]) -> u64 {
        match file {
            [b'h', b'u', b'g', b'e', ..] => u64::MAX,
            [width, height, ..] => 12 * u64::from(*width) * u64::from(*height),
            _ => 0,
        }
    }

    fn prepare(&self, file: &[u8], bbox: Option<[f64; 4]>) -> Result<Vec<ImageTensor>, String> {
        if file.starts_with(b"panic") {
            panic!("the codec met {}", file.len());
        }
        if file.starts_with(b"bad") {
            return Err("It is bad.".to_owned());
        }
        let [width, height, rest @ ..] = file else {
            return Err("It is empty.".to_owned());
        };
        let (width, height) = (usize::from(width % 8 + 1), usize::from(height % 8 + 1));
        let shift = bbox.map_or(0.0, |bbox| bbox[0] as f32);
        let data = (0..3 * width * height)
            .map(|i| {
                shift + f32::from(rest.get(i % rest.len().max(1)).copied().unwrap_or(7)) / (i + 1) as f32
            })
            .collect();
        Ok(vec![ImageTensor {
            channels: 3,
            height,
            width,
            data,
        }])
    }
}

/// Sums the values of a picture with five different weights; fails, panics and refuses on demand.
#[derive(Default)]
pub(crate) struct Sums {
    pub(crate) pictures: AtomicUsize,
    pub(crate) largest_batch: usize,
    pub(crate) pause: Duration,
}

impl Executor for Sums {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        std::thread::sleep(self.pause);
        let batch = input.shape[0];
        self.largest_batch = self.largest_batch.max(batch);
        let each = input.data.len() / batch;
        if input.data.chunks(each).any(|picture| picture[0] == 255.0) {
            return Err(RunError::Runtime {
                runtime: "simulated",
                shape: input.shape.clone(),
                reason: "255".to_owned(),
            });
        }
        if input.data.chunks(each).any(|picture| picture[0] == 254.0) {
            panic!("254");
        }
        self.pictures.fetch_add(batch, Ordering::Relaxed);
        let rows = input.data.chunks(each).flat_map(|picture| {
            (0..DIM).map(move |d| {
                picture
                    .iter()
                    .enumerate()
                    .map(|(i, v)| v * ((i * (d + 1)) as f32).cos())
                    .sum()
            })
        });
        let descriptor = Tensor {
            shape: vec![batch, DIM],
            data: rows.collect(),
        };
        let other = Tensor {
            shape: vec![batch, 3],
            data: vec![0.0; 3 * batch],
        };
        Ok(vec![
            ("other".to_owned(), other),
            ("descriptor".to_owned(), descriptor),
        ])
    }

    fn describe(&self) -> Runtime {
        Runtime {
            name: "simulated".to_owned(),
            version: "1".to_owned(),
            precision: "f32".to_owned(),
            device: "cpu".to_owned(),
        }
    }
}

/// `count` files of a few sizes in `folder`; every seventh fails in some way.
pub(crate) fn pictures(folder: &Path, count: usize) -> Vec<Picture> {
    fs::create_dir_all(folder).unwrap();
    (0..count)
        .map(|i| {
            let name = format!("{i:04}.raw");
            let path = folder.join(&name);
            let content = match i % 28 {
                6 => b"bad".to_vec(),
                13 => b"panic".to_vec(),
                20 => vec![3, 3, 255],
                27 => vec![3, 3, 254],
                _ => vec![(i % 3) as u8, (i % 2) as u8, (i % 250) as u8, (i / 250) as u8, 9],
            };
            if i % 28 == 5 {
                // No file at all.
            } else if !path.exists() {
                fs::write(&path, content).unwrap();
            }
            let bbox = (i % 5 == 0).then_some([i as f64, 0.0, 10.0, 10.0]);
            Picture { name, path, bbox }
        })
        .collect()
}
