//! The graph in steps: each takes some rows and compares them with all that come behind them.

use super::KnnGraph;
use super::lists::{Finished, Lists};
use crate::kernels::Runnable;
use crate::order::Candidate;
use crate::rows::check_behind;
use crate::scan::Group;
use crate::{Kernel, Rows, SearchError};
use rayon::prelude::*;
use std::ops::Range;

/// Rows whose lists one task changes at a time; a multiple of what the scan takes at once.
const BLOCK_ROWS: usize = 480;
/// Bytes of them at most (in f32), unless they are very few.
const BLOCK_BYTES: usize = 4 << 20;
/// Blocks of a step.
const STEP_BLOCKS: usize = 2;

/// A graph of which the lists of the first `rows` rows are finished; given back to [`GraphBuilder::resume`] it is finished.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphState {
    /// Rows whose lists are finished.
    pub rows: usize,
    /// Their lists; those of the other rows as they are so far, where `u32::MAX` (with NaN) stands for no neighbour yet.
    pub graph: KnnGraph,
}

/// Builds a [`KnnGraph`] step by step; it can be left and gone on with after any of them.
///
/// The rows of a step are compared with one another and with every row behind them, on all cores (rayon's current pool), and every score is
/// offered to both of its rows; so after a step the lists of its rows are finished, and half of all pairs are ever
/// computed. Memory beyond the rows: up to 12 bytes for each row and neighbour (or 8 and 256 a row,
/// where that is more), some 100 a row, and a few megabytes a thread.
pub struct GraphBuilder<'a> {
    sets: Vec<Rows<'a>>,
    kernel: Runnable,
    count: usize,
    /// The finished lists.
    graph: KnnGraph,
    /// The rows whose lists are not finished.
    blocks: Vec<Block>,
}

/// Some rows of one set.
struct Block {
    set: usize,
    /// Rows within the set.
    rows: Range<usize>,
    /// Number of the first among all rows.
    first: usize,
    lists: Lists,
}

impl<'a> GraphBuilder<'a> {
    /// Begins the graph of the `k` nearest rows (1 at least; all where there are fewer) of every row of `sets`, which lie one behind the
    /// other.
    ///
    /// # Errors
    /// When rows are not whole, differ in length, or are 2^32 and more.
    pub fn new(sets: &[Rows<'a>], k: usize) -> Result<Self, SearchError> {
        let count = check_sets(sets)?;
        let k = k.max(1).min(count);
        let graph = KnnGraph {
            k,
            indices: Vec::with_capacity(count * k),
            similarities: Vec::with_capacity(count * k),
            lowest: Vec::with_capacity(count),
        };
        let begun = |_: usize| (Vec::new(), f32::INFINITY);
        Ok(Self {
            blocks: blocks(sets, k, 0, &begun),
            ..Self::empty(sets, count, graph)
        })
    }

    /// Goes on from a state of the same graph, which is finished as if it had never been left.
    ///
    /// # Errors
    /// As [`GraphBuilder::new`]; a state of other rows, as far as their number shows it, or one that contradicts itself.
    pub fn resume(sets: &[Rows<'a>], state: GraphState) -> Result<Self, SearchError> {
        let count = check_sets(sets)?;
        let GraphState { rows, mut graph } = state;
        check_state(rows, &graph, count)?;
        let k = graph.k;
        let begun = |row: usize| {
            let known = graph.list(row).filter(|hit| hit.index != u32::MAX as usize);
            let kept = known.map(|hit| Candidate::new(hit.score, hit.index as u32));
            // NaN: nothing but NaN has come so far.
            let lowest = graph.lowest[row];
            (
                kept.collect(),
                if lowest.is_nan() { f32::INFINITY } else { lowest },
            )
        };
        let blocks = blocks(sets, k, rows, &begun);
        graph.indices.truncate(rows * k);
        graph.similarities.truncate(rows * k);
        graph.lowest.truncate(rows);
        Ok(Self {
            blocks,
            ..Self::empty(sets, count, graph)
        })
    }

    fn empty(sets: &[Rows<'a>], count: usize, graph: KnnGraph) -> Self {
        Self {
            sets: sets.to_vec(),
            kernel: Runnable::new(Kernel::best()),
            count,
            graph,
            blocks: Vec::new(),
        }
    }

    /// Finishes the lists of some more rows; false where there were none.
    pub fn step(&mut self) -> bool {
        let Some(Block { set, first, .. }) = self.blocks.first() else {
            return false;
        };
        let (set, first) = (*set, *first);
        let own = self
            .blocks
            .iter()
            .take(STEP_BLOCKS)
            .take_while(|block| block.set == set);
        let own = own.count();
        let (step, behind) = self.blocks.split_at_mut(own);
        let (kernel, sets) = (self.kernel, &self.sets);
        let length: usize = step.iter().map(|block| block.rows.len()).sum();
        let rows = step[0].rows.start..step[0].rows.start + length;
        let group = Group::new(&sets[set], rows.clone());
        let beside = || (Lists::beside(step.iter().map(|block| &block.lists)), Vec::new());
        // What the step's rows get of those behind is gathered apart for each thread.
        let parts: Vec<Lists> = behind
            .par_iter_mut()
            .fold(beside, |(mut lists, mut hits), block| {
                let start = block.rows.start;
                group.scan(
                    kernel,
                    &sets[block.set],
                    block.rows.clone(),
                    |place, at, scores| {
                        let (own, other) = ((place, first + place), (at - start, block.first + at - start));
                        lists.offer_both(kernel, own, &mut block.lists, other, scores, &mut hits);
                    },
                );
                (lists, hits)
            })
            .map(|(lists, _)| lists)
            .collect();
        let start = rows.start;
        step.par_iter_mut().for_each(|block| {
            let group = Group::new(&sets[set], block.rows.clone());
            group.scan(kernel, &sets[set], rows.clone(), |place, at, scores| {
                block.lists.offer(place, first + at - start, scores);
            });
            block.lists.join(&parts, block.first - first);
        });
        for block in self.blocks.drain(..own) {
            add(&mut self.graph, &block.lists);
        }
        true
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows whose lists are finished.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.graph.count()
    }

    /// The share of all work that is done, from 0 to 1: of pairs of rows, not of rows.
    #[must_use]
    pub fn share(&self) -> f64 {
        match self.count {
            0 => 1.0,
            count => 1.0 - ((count - self.rows()) as f64 / count as f64).powi(2),
        }
    }

    /// The state, as a copy: 8 bytes for each row and neighbour.
    #[must_use]
    pub fn state(&self) -> GraphState {
        let mut graph = self.graph.clone();
        for block in &self.blocks {
            add(&mut graph, &block.lists);
        }
        GraphState {
            rows: self.rows(),
            graph,
        }
    }

    /// Takes the lists of a graph of the rows from number `from` on, which are counted from there, in among theirs.
    pub(super) fn join(&mut self, graph: &KnnGraph, from: usize) {
        self.blocks.par_iter_mut().for_each(|block| {
            let first = block.first - from;
            block
                .lists
                .join_graph(graph, first..first + block.rows.len(), from);
        });
    }

    /// The lists of all rows as they are.
    pub(super) fn into_lists(mut self) -> KnnGraph {
        for block in self.blocks.drain(..) {
            add(&mut self.graph, &block.lists);
        }
        self.graph
    }

    /// The graph, once [`GraphBuilder::step`] has said that it is whole; before that its first rows.
    #[must_use]
    pub fn into_graph(self) -> KnnGraph {
        self.graph
    }
}

/// Cuts the rows from number `from` on into blocks.
fn blocks(
    sets: &[Rows<'_>],
    k: usize,
    from: usize,
    begun: &dyn Fn(usize) -> (Vec<Candidate>, f32),
) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut before = 0;
    for (set, rows) in sets.iter().enumerate() {
        let length = (BLOCK_BYTES / 4 / rows.dim / 24 * 24).clamp(24, BLOCK_ROWS);
        let skipped = from.saturating_sub(before).min(rows.count());
        for start in (skipped..rows.count()).step_by(length) {
            let rows = start..rows.count().min(start + length);
            blocks.push(Block {
                set,
                first: before + start,
                lists: Lists::new(k, rows.clone().map(|row| begun(before + row))),
                rows,
            });
        }
        before += rows.count();
    }
    blocks
}

/// Adds lists behind those of a graph, filled up to its `k`.
fn add(graph: &mut KnnGraph, lists: &Lists) {
    for Finished { best, lowest } in lists.finished() {
        let missing = graph.k - best.len();
        graph.indices.extend(best.iter().map(|candidate| candidate.row()));
        graph.indices.extend(std::iter::repeat_n(u32::MAX, missing));
        graph
            .similarities
            .extend(best.iter().map(|candidate| candidate.score()));
        graph.similarities.extend(std::iter::repeat_n(f32::NAN, missing));
        graph.lowest.push(lowest);
    }
}

/// Checks sets that lie one behind the other and gives the number of their rows.
fn check_sets(sets: &[Rows<'_>]) -> Result<usize, SearchError> {
    let Some(first) = sets.first() else {
        return Ok(0);
    };
    let nothing = Rows::f32(&[], first.dim);
    check_behind(&nothing, 0, sets)?;
    Ok(sets.iter().map(Rows::count).sum())
}

/// Checks that a state may be one of a graph of `count` rows, and contradicts itself nowhere.
fn check_state(rows: usize, graph: &KnnGraph, count: usize) -> Result<(), SearchError> {
    graph.check(count)?;
    let whole = |row: usize| {
        graph.indices[row * graph.k..(row + 1) * graph.k]
            .iter()
            .all(|index| *index != u32::MAX)
    };
    if rows > count || !(0..rows).all(whole) {
        return Err(SearchError::Graph("a list that should be finished is not"));
    }
    Ok(())
}
