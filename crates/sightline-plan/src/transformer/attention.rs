//! Attention with several heads, a panel of queries at a time.

use super::executor::{Task, Work};
use super::program::Place;
use crate::kernels::{Aligned, Finish, LANES, Packed, Runnable};
use rayon::prelude::*;

/// Keys and values of a head, as left matrices.
#[derive(Default)]
pub(super) struct Head {
    /// `[tokens, channels of the head]`.
    keys: Packed,
    /// `[channels of the head, tokens]`.
    values: Packed,
}

/// Memory of attention that is used again.
#[derive(Default)]
pub(super) struct Memory {
    heads: Vec<Head>,
    /// For each part of the work, the weights of all keys for a panel of queries.
    weights: Vec<Aligned>,
}

/// What is attended to, and how.
pub(super) struct Attention {
    pub(super) queries: Place,
    pub(super) keys: Place,
    pub(super) values: Place,
    pub(super) heads: usize,
}

impl Attention {
    /// Channels of a head.
    fn part(&self) -> usize {
        self.queries.channels / self.heads
    }

    /// Attention of all queries, into the panels of `out`.
    pub(super) fn run(&self, work: &Work<'_>, memory: &mut Memory, buffers: &[Aligned], out: &mut [f32]) {
        let Work { kernel, tokens, .. } = *work;
        let part = self.part();
        memory.heads.resize_with(self.heads, Head::default);
        let pack = |(index, head): (usize, &mut Head)| {
            head.keys.reshape(kernel, tokens, part);
            head.values.reshape(kernel, part, tokens);
            for (panel, first) in (0..tokens).step_by(LANES).enumerate() {
                let count = LANES.min(tokens - first);
                let keys = work.panel(buffers, self.keys, panel);
                let values = work.panel(buffers, self.values, panel);
                for channel in 0..part {
                    let at = (index * part + channel) * LANES;
                    head.keys.set_column(first, channel, &keys[at..at + count]);
                    head.values.set_row(channel, first, &values[at..at + count]);
                }
            }
        };
        if work.parts > 1 {
            memory.heads.par_iter_mut().enumerate().for_each(pack);
        } else {
            memory.heads.iter_mut().enumerate().for_each(pack);
        }
        let heads = &memory.heads;
        let mut tasks = work.tasks(out, self.queries.channels);
        memory.weights.resize_with(tasks.len(), Aligned::default);
        let tasks = tasks.iter_mut().zip(&mut memory.weights);
        work.each(tasks, |(task, weights)| {
            weights.resize(tokens * LANES);
            for (index, head) in heads.iter().enumerate() {
                self.run_head(work, buffers, index, head, task, weights);
            }
        });
    }

    /// One head's part of some panels of queries.
    fn run_head(
        &self,
        work: &Work<'_>,
        buffers: &[Aligned],
        index: usize,
        head: &Head,
        task: &mut Task<'_>,
        weights: &mut Aligned,
    ) {
        let kernel: Runnable = work.kernel;
        let (part, width, keys) = (self.part(), self.queries.channels, work.tokens * LANES);
        let scale = (part as f32).powf(-0.5);
        for (offset, out) in task.out.chunks_mut(width * LANES).enumerate() {
            let panel = task.first + offset;
            let tokens = LANES.min(work.tokens - panel * LANES);
            let queries = &work.panel(buffers, self.queries, panel)[index * part * LANES..][..part * LANES];
            let out = &mut out[index * part * LANES..][..part * LANES];
            let store = Finish::Store;
            kernel.product(&head.keys, queries, 0, weights, 0, tokens, None, store);
            let factors = kernel.softmax(&mut weights[..keys], scale);
            kernel.product(&head.values, weights, 0, out, 0, tokens, None, store);
            kernel.scale(out, &factors);
        }
    }
}
