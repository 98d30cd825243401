//! Making a graph, with a state on the disk that an interrupted run goes on from.

use std::path::Path;
use std::time::{Duration, Instant};

use sightline_search::{GraphBuilder, Rows};

use super::form::{self, Form};
use super::source::{GraphSource, difference};
use super::{GraphError, GraphFile, map, refused};
use crate::set::DescriptorSet;

/// What the making of a graph tells while it goes on.
#[derive(Debug)]
pub enum GraphReport<'a> {
    /// A state of an earlier run was found, with so many finished rows.
    Resumed {
        /// Rows whose lists are finished.
        rows: usize,
        /// The share of all work that is done, from 0 to 1.
        share: f64,
    },
    /// A state was found that cannot be gone on with, so the graph is begun anew.
    Unusable(&'a GraphError),
    /// Some more rows are finished.
    Done {
        /// Rows whose lists are finished.
        rows: usize,
        /// The share of all work that is done, from 0 to 1.
        share: f64,
    },
}

/// Makes the graph of the `k` nearest neighbours (1 at least; all rows where there are fewer) of every row of `sets`, which lie one behind the
/// other; works on rayon's current pool.
///
/// Every `save_every` the state is written to `state`; a state that lies there, of the same rows and `k`, is gone on from, with the same
/// result. When the graph is written where it belongs, [`remove_graph_state`] takes the state away. Memory beyond the sets: as
/// [`GraphBuilder`], and 8 bytes for each row and neighbour while a state is written.
///
/// # Errors
/// When rows differ in length or are 2^32 and more, or the file system refuses.
pub fn build_graph(
    sets: &[&DescriptorSet],
    k: usize,
    state: &Path,
    save_every: Duration,
    watch: &mut dyn FnMut(GraphReport<'_>),
) -> Result<GraphFile, GraphError> {
    let rows: Vec<Rows<'_>> = sets.iter().map(|set| set.rows()).collect();
    let mut builder = GraphBuilder::new(&rows, k)?;
    let made_of: Vec<GraphSource> = sets.iter().map(|set| GraphSource::of(set)).collect();
    if state.exists() {
        let k = k.max(1).min(builder.count());
        match resumed(state, &rows, &made_of, k) {
            Ok(left) => {
                builder = left;
                let (rows, share) = (builder.rows(), builder.share());
                watch(GraphReport::Resumed { rows, share });
            }
            Err(error) => watch(GraphReport::Unusable(&error)),
        }
    }
    let mut saved = Instant::now();
    while builder.step() {
        let (rows, share) = (builder.rows(), builder.share());
        if saved.elapsed() >= save_every && rows < builder.count() {
            form::write(state, &builder.state().graph, &made_of, Some(rows))?;
            saved = Instant::now();
        }
        watch(GraphReport::Done { rows, share });
    }
    Ok(GraphFile {
        graph: builder.into_graph(),
        made_of,
    })
}

/// Goes on from a state, if it is one of this graph.
fn resumed<'a>(
    path: &Path,
    rows: &[Rows<'a>],
    made_of: &[GraphSource],
    k: usize,
) -> Result<GraphBuilder<'a>, GraphError> {
    let foreign = |difference: String| GraphError::Foreign {
        path: path.to_path_buf(),
        difference,
    };
    let form = Form::read(path, &map(path)?)?;
    if form.finished {
        return Err(GraphError::damaged(
            path,
            "it is a graph, and not the state of one",
        ));
    }
    if let Some(difference) = difference(&form.made_of, made_of) {
        return Err(foreign(difference));
    }
    let was = form.state.graph.k;
    if was != k {
        return Err(foreign(format!(
            "the number of neighbours was {was}, and is {k} here"
        )));
    }
    GraphBuilder::resume(rows, form.state).map_err(|error| refused(path, &error))
}

/// Takes away the state that a run left; whether it is there or not.
///
/// # Errors
/// When the file system refuses.
pub fn remove_graph_state(state: &Path) -> Result<(), GraphError> {
    match std::fs::remove_file(state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(GraphError::io(state, "removed")(error))
        }
        _ => Ok(()),
    }
}
