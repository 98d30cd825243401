//! Decoding ahead of the network, and batches of equal sizes.
//!
//! Worker threads read and prepare pictures; the calling thread runs the network. Which pictures share a batch depends on
//! their order and sizes alone, never on which thread was faster.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use sightline_image::ImageTensor;

use crate::describe::{Describe, Failure, panic_text};
use crate::error::ExtractError;
use crate::gate::{Gate, Hold};
use crate::picture::{Opened, Picture, Prepare, Stamp};

/// Files up to this size are read before their turn at the gate, so that slow disks are asked for several at once.
const READ_EARLY: u64 = 16 << 20;
/// What even the smallest picture is counted with: its place in the queues.
const LEAST_MEMORY: u64 = 64 << 10;
/// A batch holds no more pixels than this (all pictures and the largest pass counted) unless one picture alone has more:
/// what a network needs grows with them, and large pictures gain nothing by being together.
const BATCH_PIXELS: usize = 4 << 20;
/// So many batches' worth of pictures wait at most for others of their size.
const BATCHES_WAITING: usize = 8;

/// How an extraction uses the machine. None of it changes the descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Threads that read and prepare pictures, at least 1.
    pub workers: usize,
    /// Pictures of equal size that the network gets at once, at most; at least 1.
    pub batch: usize,
    /// Bytes that pictures on their way to the network may take. One picture that needs more passes alone.
    pub memory: u64,
    /// Largest picture file in bytes; larger ones are skipped.
    pub max_file: u64,
    /// Most pixels (height × width after preparing) that the network is asked to take in one picture; larger ones are skipped. A
    /// ResNet needs about 250 bytes a pixel.
    pub max_input: usize,
}

impl Default for Options {
    /// A worker for each core, batches of 8, 1 GiB, files up to 2 GiB, inputs up to 32 million pixels.
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Options {
            workers,
            batch: 8,
            memory: 1 << 30,
            max_file: 2 << 30,
            max_input: 32_000_000,
        }
    }
}

/// What became of a picture.
pub(crate) struct Outcome {
    /// Its place in the list.
    pub(crate) index: usize,
    /// Its file as it was read; none if it was not even opened.
    pub(crate) stamp: Option<Stamp>,
    /// The row, or a sentence that says why there is none.
    pub(crate) result: Result<Vec<f32>, String>,
}

/// A picture that workers are done with.
struct Prepared<'a> {
    stamp: Option<Stamp>,
    tensors: Result<Vec<ImageTensor>, String>,
    /// Held until the network's thread takes the picture.
    hold: Option<Hold<'a>>,
}

/// Describes `pictures`, giving what became of them to `sink`, some at a time, not in order; each is given once.
///
/// # Errors
/// When no picture can be described by this network, or `sink` fails.
pub(crate) fn describe_all(
    pictures: &[&Picture],
    prepare: &dyn Prepare,
    network: &mut dyn Describe,
    options: &Options,
    sink: &mut dyn FnMut(Vec<Outcome>) -> Result<(), ExtractError>,
) -> Result<(), ExtractError> {
    let workers = options.workers.clamp(1, pictures.len().max(1));
    let batch = options.batch.max(1);
    // A quarter of the memory is for pictures that wait for others of their size.
    let gate = Gate::new(options.memory - options.memory / 4, 2 * (workers + batch));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (send, receive) = channel();
        for _ in 0..workers {
            let (send, gate, next) = (send.clone(), &gate, &next);
            scope.spawn(move || work(pictures, prepare, options, gate, next, &send));
        }
        drop(send);
        let mut batches = Batches {
            network,
            options,
            batch,
            groups: Vec::new(),
            waiting: 0,
            bytes: 0,
            sink,
        };
        let done = batches.take_all(receive);
        // After an error the workers must not wait for a consumer that is gone.
        gate.close();
        done
    })
}

/// A worker: prepares one picture after the other.
fn work<'a>(
    pictures: &[&Picture],
    prepare: &dyn Prepare,
    options: &Options,
    gate: &'a Gate,
    next: &AtomicUsize,
    send: &Sender<(usize, Prepared<'a>)>,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(picture) = pictures.get(index) else {
            return;
        };
        let Some(prepared) = prepare_one(index, picture, prepare, options, gate) else {
            return;
        };
        if send.send((index, prepared)).is_err() {
            return;
        }
    }
}

/// Reads and prepares one picture; none once the gate is closed.
fn prepare_one<'a>(
    index: usize,
    picture: &Picture,
    prepare: &dyn Prepare,
    options: &Options,
    gate: &'a Gate,
) -> Option<Prepared<'a>> {
    let opened = Opened::new(&picture.path, options.max_file);
    let stamp = opened.as_ref().ok().map(|opened| opened.stamp);
    let early = stamp.is_some_and(|stamp| stamp.size <= READ_EARLY);
    let (file, opened) = match opened {
        Err(reason) => (Some(Err(reason)), None),
        Ok(opened) if early => (Some(opened.read()), None),
        Ok(opened) => (None, Some(opened)),
    };
    let turn = gate.turn(index)?;
    let file = match (file, opened) {
        (Some(file), _) => file,
        (None, Some(opened)) => opened.read(),
        (None, None) => Err("The file could not be opened.".to_owned()),
    };
    let memory = file.as_ref().map_or(0, |file| {
        // A header that makes the probe panic will make the decoder panic too, and is reported there.
        let memory = catch_unwind(AssertUnwindSafe(|| prepare.memory(file))).unwrap_or(0);
        memory.saturating_add(file.len() as u64)
    });
    let mut hold = turn.pass(memory.max(LEAST_MEMORY))?;
    let tensors = file.and_then(|file| {
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare.prepare(&file, picture.bbox)));
        prepared.unwrap_or_else(|payload| Err(format!("The decoder panicked: {}.", panic_text(&*payload))))
    });
    let tensors = tensors.and_then(|tensors| check(tensors, options.max_input));
    hold.correct(
        tensors
            .as_ref()
            .map_or(0, |tensors| bytes(tensors))
            .max(LEAST_MEMORY),
    );
    Some(Prepared {
        stamp,
        tensors,
        hold: Some(hold),
    })
}

fn check(tensors: Vec<ImageTensor>, max_input: usize) -> Result<Vec<ImageTensor>, String> {
    for tensor in &tensors {
        let pixels = tensor.height.saturating_mul(tensor.width);
        if pixels == 0
            || tensor.channels == 0
            || pixels.checked_mul(tensor.channels) != Some(tensor.data.len())
        {
            return Err("Preparing it left no pixels.".to_owned());
        }
        if pixels > max_input {
            return Err(format!(
                "It is prepared at {}x{}, more than the {max_input} pixels that the network is asked to take. Choose a smaller --size.",
                tensor.width, tensor.height
            ));
        }
    }
    if tensors.is_empty() {
        Err("Preparing it gave no tensor.".to_owned())
    } else {
        Ok(tensors)
    }
}

fn bytes(tensors: &[ImageTensor]) -> u64 {
    tensors.iter().map(|tensor| tensor.data.len() as u64 * 4).sum()
}

/// The shapes of a picture's tensors: pictures of equal shapes may share a batch.
fn shapes(tensors: &[ImageTensor]) -> Vec<[usize; 3]> {
    tensors
        .iter()
        .map(|tensor| [tensor.channels, tensor.height, tensor.width])
        .collect()
}

struct Waiting {
    index: usize,
    stamp: Option<Stamp>,
    tensors: Vec<ImageTensor>,
}

/// Collects pictures of equal shapes and runs the network on them.
struct Batches<'a> {
    network: &'a mut dyn Describe,
    options: &'a Options,
    batch: usize,
    groups: Vec<(Vec<[usize; 3]>, Vec<Waiting>)>,
    waiting: usize,
    bytes: u64,
    sink: &'a mut dyn FnMut(Vec<Outcome>) -> Result<(), ExtractError>,
}

impl Batches<'_> {
    fn take_all(&mut self, receive: Receiver<(usize, Prepared<'_>)>) -> Result<(), ExtractError> {
        let mut early = BTreeMap::new();
        let mut expected = 0;
        for (index, prepared) in receive {
            early.insert(index, prepared);
            while let Some(prepared) = early.remove(&expected) {
                self.take(expected, prepared)?;
                expected += 1;
            }
        }
        self.run_all()
    }

    fn take(&mut self, index: usize, mut prepared: Prepared<'_>) -> Result<(), ExtractError> {
        drop(prepared.hold.take());
        let stamp = prepared.stamp;
        let tensors = match prepared.tensors {
            Ok(tensors) => tensors,
            Err(reason) => {
                return (self.sink)(vec![Outcome {
                    index,
                    stamp,
                    result: Err(reason),
                }]);
            }
        };
        let shapes = shapes(&tensors);
        self.waiting += 1;
        self.bytes += bytes(&tensors);
        let pixels = shapes
            .iter()
            .map(|[_, height, width]| height * width)
            .max()
            .unwrap_or(1);
        let full = self.batch.min(BATCH_PIXELS / pixels).max(1);
        let place = match self.groups.iter().position(|(of, _)| *of == shapes) {
            Some(place) => place,
            None => {
                self.groups.push((shapes, Vec::new()));
                self.groups.len() - 1
            }
        };
        self.groups[place].1.push(Waiting {
            index,
            stamp,
            tensors,
        });
        if self.groups[place].1.len() >= full {
            let (_, group) = self.groups.remove(place);
            self.run(group)?;
        }
        if self.waiting >= BATCHES_WAITING * self.batch || self.bytes > self.options.memory / 4 {
            self.run_all()?;
        }
        Ok(())
    }

    fn run_all(&mut self) -> Result<(), ExtractError> {
        for (_, group) in std::mem::take(&mut self.groups) {
            self.run(group)?;
        }
        Ok(())
    }

    /// Runs the network on a group. If that fails, each picture is tried alone, so that one cannot take others with it.
    fn run(&mut self, group: Vec<Waiting>) -> Result<(), ExtractError> {
        self.waiting -= group.len();
        self.bytes -= group.iter().map(|waiting| bytes(&waiting.tensors)).sum::<u64>();
        let all: Vec<&[ImageTensor]> = group.iter().map(|waiting| &waiting.tensors[..]).collect();
        let results: Vec<Result<Vec<f32>, String>> = match self.network.describe(&all) {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(Failure::All(error)) => return Err(error),
            Err(Failure::Pictures(reason)) if group.len() == 1 => vec![Err(reason)],
            Err(Failure::Pictures(_)) => {
                let mut results = Vec::with_capacity(all.len());
                for one in all {
                    results.push(match self.network.describe(&[one]) {
                        Ok(rows) => rows
                            .into_iter()
                            .next()
                            .ok_or_else(|| "The network gave no row.".to_owned()),
                        Err(Failure::Pictures(reason)) => Err(reason),
                        Err(Failure::All(error)) => return Err(error),
                    });
                }
                results
            }
        };
        let outcomes = group.iter().zip(results);
        (self.sink)(
            outcomes
                .map(|(w, result)| Outcome {
                    index: w.index,
                    stamp: w.stamp,
                    result,
                })
                .collect(),
        )
    }
}
