//! The executor: programs run on batches.

use super::attention::{Attention, Memory};
use super::elementwise::{Side, apply, combine, sum_channels};
use super::program::{Form, Instruction, Place, Program};
use crate::executor::{check_batch, check_size, join_pictures};
use crate::kernels::{Aligned, Kernel, LANES, Runnable};
use crate::{Executor, LoadError, Plan, RunError, Runtime, Tensor};
use rayon::prelude::*;

const NAME: &str = "sightline";
/// Panels of a task at most; their values stay in the near caches from one product to the next.
const TASK_PANELS: usize = 8;

/// Runs a plan over tokens on the CPU, in float32, with kernels of our own.
///
/// It takes plans `[N, C, T, 1]` with attention that are made of linear layers, layer norm, GELU and arithmetic between channels;
/// [`plan_executor`](crate::plan_executor) asks it first. A batch's queries are run side by side, each on a thread of its own,
/// and what is left of it on all threads. The same query gives the same bytes whatever is in the batch, however many threads there are
/// and whichever [`Kernel`] runs.
///
/// Memory for T tokens of width C with M hidden channels: about 4 T (6 C + M) bytes for each thread, besides the weights. The square
/// of T never occurs.
pub struct TransformerExecutor {
    program: Program,
    kernel: Runnable,
    /// Height and width of the input, where the plan fixes them.
    size: [Option<usize>; 2],
    channels: usize,
    names: Vec<String>,
    pool: rayon::ThreadPool,
    /// One for each thread.
    memories: Vec<Buffers>,
}

/// Memory of one query.
#[derive(Default)]
struct Buffers {
    panels: Vec<Aligned>,
    attention: Memory,
}

/// What is the same for all instructions of a query.
pub(super) struct Work<'a> {
    pub(super) kernel: Runnable,
    pub(super) tokens: usize,
    /// Number of threads that share the query.
    pub(super) parts: usize,
    /// Channels of each buffer.
    widths: &'a [usize],
}

/// Some panels of a buffer that is written.
pub(super) struct Task<'a> {
    /// The first of them.
    pub(super) first: usize,
    pub(super) out: &'a mut [f32],
}

impl Work<'_> {
    fn panels(&self) -> usize {
        self.tokens.div_ceil(LANES)
    }

    /// Values from one panel of a place to the next.
    fn stride(&self, place: Place) -> usize {
        self.widths[place.buffer] * LANES
    }

    /// The values of a place from a panel on, beginning with its first channel.
    fn panels_from<'b>(&self, buffers: &'b [Aligned], place: Place, panel: usize) -> &'b [f32] {
        &buffers[place.buffer][panel * self.stride(place) + place.from * LANES..]
    }

    /// A panel of a place.
    pub(super) fn panel<'b>(&self, buffers: &'b [Aligned], place: Place, panel: usize) -> &'b [f32] {
        &self.panels_from(buffers, place, panel)[..place.channels * LANES]
    }

    /// The panels of a buffer of that many channels, divided evenly: each thread gets as many tasks, and none more than
    /// `TASK_PANELS` panels. The last task is the longest, as its last panel may be a part.
    pub(super) fn tasks<'b>(&self, mut out: &'b mut [f32], channels: usize) -> Vec<Task<'b>> {
        let panels = self.panels();
        let rounds = panels.div_ceil(TASK_PANELS * self.parts).max(1);
        let count = (rounds * self.parts).min(panels);
        let mut tasks = Vec::with_capacity(count);
        for index in 0..count {
            let (first, end) = (index * panels / count, (index + 1) * panels / count);
            let (task, rest) = out.split_at_mut((end - first) * channels * LANES);
            out = rest;
            tasks.push(Task { first, out: task });
        }
        tasks
    }

    /// Does tasks, on this thread or on all.
    pub(super) fn each<T: Send>(&self, tasks: impl Iterator<Item = T>, run: impl Fn(T) + Sync + Send) {
        if self.parts == 1 {
            tasks.for_each(run);
            return;
        }
        let run = &run;
        rayon::in_place_scope(|scope| tasks.for_each(|task| scope.spawn(move |_| run(task))));
    }

    /// Does one instruction; `out` is the buffer that it writes, which is not among `buffers` meanwhile.
    fn run(&self, instruction: &Instruction, memory: &mut Memory, buffers: &[Aligned], out: &mut [f32]) {
        let each_panel = |out: &mut [f32], channels: usize, run: &(dyn Fn(usize, &mut [f32]) + Sync)| {
            let mut tasks = self.tasks(out, channels);
            self.each(tasks.iter_mut(), |task| {
                for (offset, out) in task.out.chunks_mut(channels * LANES).enumerate() {
                    run(task.first + offset, out);
                }
            });
        };
        match instruction {
            Instruction::Linear {
                weight,
                bias,
                x,
                finish,
                ..
            } => {
                let stride = weight.rows() * LANES;
                let mut tasks = self.tasks(out, weight.rows());
                self.each(tasks.iter_mut(), |task| {
                    let end = task.first * LANES + task.out.len() / weight.rows();
                    let tokens = end.min(self.tokens) - task.first * LANES;
                    let from = self.panels_from(buffers, *x, task.first);
                    let bias = bias.as_deref();
                    let (to, right_stride) = (&mut *task.out, self.stride(*x));
                    self.kernel
                        .product(weight, from, right_stride, to, stride, tokens, bias, *finish);
                });
            }
            Instruction::LayerNorm {
                weight,
                bias,
                epsilon,
                x,
                ..
            } => each_panel(out, x.channels, &|panel, out| {
                let x = self.panel(buffers, *x, panel);
                self.kernel.layer_norm(x, weight, bias, *epsilon, out);
            }),
            Instruction::Attention {
                queries,
                keys,
                values,
                heads,
                ..
            } => {
                let attention = Attention {
                    queries: *queries,
                    keys: *keys,
                    values: *values,
                    heads: *heads,
                };
                attention.run(self, memory, buffers, out);
            }
            Instruction::Apply { function, x, .. } => each_panel(out, x.channels, &|panel, out| {
                apply(self.kernel, *function, self.panel(buffers, *x, panel), out);
            }),
            Instruction::Combine { arithmetic, a, b, .. } => {
                each_panel(out, a.channels.max(b.channels), &|panel, out| {
                    let [a, b] = [*a, *b].map(|place| self.side(buffers, place, panel));
                    combine(*arithmetic, &a, &b, out);
                });
            }
            Instruction::SumChannels { x, .. } => each_panel(out, 1, &|panel, out| {
                sum_channels(self.panel(buffers, *x, panel), out);
            }),
        }
    }

    fn side<'b>(&self, buffers: &'b [Aligned], place: Place, panel: usize) -> Side<'b> {
        let values = match place.token {
            Some(token) => &self.panel(buffers, place, token / LANES)[token % LANES..],
            None => self.panel(buffers, place, panel),
        };
        Side {
            values,
            channels: place.channels,
            is_one: place.token.is_some(),
        }
    }
}

impl TransformerExecutor {
    /// Makes a plan ready with the quickest kernel of this processor; `threads` is the number of threads it runs on (at least
    /// one). None where the plan does something that is not known here.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn new(plan: &Plan, threads: usize) -> Result<Option<Self>, LoadError> {
        Self::with_kernel(plan, threads, Kernel::best())
    }

    /// As [`TransformerExecutor::new`], with that kernel, or with plain code where this processor cannot run it.
    ///
    /// # Errors
    /// As [`TransformerExecutor::new`].
    pub fn with_kernel(plan: &Plan, threads: usize, kernel: Kernel) -> Result<Option<Self>, LoadError> {
        let kernel = Runnable::new(kernel);
        let Some(program) = Program::of(plan, kernel) else {
            return Ok(None);
        };
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| LoadError::Refused {
            runtime: NAME,
            reason: error.to_string(),
        })?;
        Ok(Some(Self {
            names: program.outputs.iter().map(|(name, ..)| name.clone()).collect(),
            program,
            kernel,
            size: plan.size().map_or([None; 2], |size| size.map(Some)),
            channels: plan.channels(),
            pool,
            memories: Vec::new(),
        }))
    }
}

impl Program {
    /// Runs one query, values `[C, T]`, on so many threads of the current pool.
    fn run(
        &self,
        kernel: Runnable,
        parts: usize,
        memory: &mut Buffers,
        input: &[f32],
        tokens: usize,
    ) -> Vec<Tensor> {
        let work = Work {
            kernel,
            tokens,
            parts,
            widths: &self.buffers,
        };
        memory.panels.resize_with(self.buffers.len(), Aligned::default);
        for (panels, channels) in memory.panels.iter_mut().zip(&self.buffers) {
            panels.resize(work.panels() * channels * LANES);
        }
        for (channel, row) in input.chunks_exact(tokens).enumerate() {
            for (panel, row) in row.chunks(LANES).enumerate() {
                let at = panel * self.buffers[0] * LANES + channel * LANES;
                memory.panels[0][at..at + row.len()].copy_from_slice(row);
            }
        }
        for instruction in &self.instructions {
            let to = instruction.to();
            let mut out = std::mem::take(&mut memory.panels[to]);
            work.run(instruction, &mut memory.attention, &memory.panels, &mut out);
            memory.panels[to] = out;
        }
        let outputs = self.outputs.iter();
        outputs
            .map(|(_, place, form)| work.output(&memory.panels, *place, *form))
            .collect()
    }
}

impl Work<'_> {
    /// The values of an output.
    fn output(&self, buffers: &[Aligned], place: Place, form: Form) -> Tensor {
        let mut data = vec![0.0; place.channels * self.tokens];
        for (channel, row) in data.chunks_exact_mut(self.tokens).enumerate() {
            for (panel, row) in row.chunks_mut(LANES).enumerate() {
                let from = &self.panel(buffers, place, panel)[channel * LANES..];
                row.copy_from_slice(&from[..row.len()]);
            }
        }
        match form {
            Form::Map => Tensor {
                shape: vec![1, place.channels, self.tokens, 1],
                data,
            },
            Form::Row { from, to } => {
                let to = to.unwrap_or(self.tokens).min(self.tokens);
                let data = data[from.min(to)..to].to_vec();
                Tensor {
                    shape: vec![1, data.len()],
                    data,
                }
            }
        }
    }
}

impl Executor for TransformerExecutor {
    fn run(&mut self, input: &Tensor) -> Result<Vec<(String, Tensor)>, RunError> {
        let [batch, channels, tokens, width] = check_batch(input, Some(self.channels))?;
        check_size(input, self.size)?;
        let wrong = |reason: String| RunError::Input {
            shape: input.shape.clone(),
            reason,
        };
        if width != 1 {
            return Err(wrong("it wants tokens below each other, a width of 1".to_owned()));
        }
        let least = self.program.least_tokens();
        if tokens < least {
            return Err(wrong(format!("it wants at least {least} tokens")));
        }
        let threads = self.pool.current_num_threads();
        self.memories.resize_with(threads, Buffers::default);
        let (program, kernel) = (&self.program, self.kernel);
        let mut outputs: Vec<Vec<Tensor>> = Vec::new();
        outputs.resize_with(batch, Vec::new);
        let of_query = channels * tokens;
        // Whole queries side by side as long as there is one for each thread; the others one by one, on all threads.
        let side_by_side = if threads == 1 { 0 } else { batch - batch % threads };
        let (first, rest) = outputs.split_at_mut(side_by_side);
        let memories = &mut self.memories;
        self.pool.install(|| {
            let (first_input, rest_input) = input.data.split_at(side_by_side * of_query);
            let share = (side_by_side / threads).max(1);
            let inputs = first_input.par_chunks(share * of_query);
            let each = first
                .par_chunks_mut(share)
                .zip(inputs)
                .zip(memories.par_iter_mut());
            each.for_each(|((outputs, inputs), memory)| {
                for (output, input) in outputs.iter_mut().zip(inputs.chunks_exact(of_query)) {
                    *output = program.run(kernel, 1, memory, input, tokens);
                }
            });
            if let Some(memory) = memories.first_mut() {
                for (output, input) in rest.iter_mut().zip(rest_input.chunks_exact(of_query)) {
                    *output = program.run(kernel, threads, memory, input, tokens);
                }
            }
        });
        join_pictures(&self.names, outputs)
    }

    fn describe(&self) -> Runtime {
        Runtime {
            name: NAME.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            precision: "f32".to_owned(),
            device: "cpu".to_owned(),
        }
    }
}
