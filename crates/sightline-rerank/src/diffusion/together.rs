//! Offline diffusion over queries and images together, as fyang93/diffusion's `search`.

use super::answers::{Answers, excluded_of};
use super::laplacian::Laplacian;
use super::nearest::{truncated, worthwhile};
use super::offline::{OfflineRows, normalise};
use super::{Diffusion, NAME};
use crate::{Gallery, Progress, RerankError};
use rayon::prelude::*;
use sightline_search::{Hit, KnnGraph, Rows, knn_graph};

/// Images whose rows are computed at once.
const ROWS_AT_ONCE: usize = 2048;

/// The best `length` images of each query by the products of their rows of the offline matrix, over a graph in which the queries
/// stand before the images; every query thereby also sees the other queries. Images whose product is 0 are left out.
///
/// Rows are computed, used and dropped, and only of images that joined images lead to from a query. Time: the graph of `kd`
/// neighbours, unless it is stored; for each such image a search of all and 20 products of a matrix of `n_trunc` rows with
/// at most `kd` entries each. Memory beyond the answers: 12 bytes for each image and each of its `kd` neighbours, 12 for each
/// joined pair, 8 for each query and image of its row, 32 KB for each of `n_trunc`.
pub fn search(
    queries: Rows<'_>,
    gallery: &Gallery<'_>,
    how: &Diffusion,
    stored: Option<&KnnGraph>,
    length: usize,
    excluded: &[Vec<u32>],
    progress: Progress<'_>,
) -> Result<Vec<Vec<Hit>>, RerankError> {
    let before = queries.count();
    let all = Gallery::new(queries, gallery.sets())?;
    let long = worthwhile(all.count(), how.kd, how.n_trunc);
    let shorter = stored.is_some_and(|graph| graph.k >= how.kd);
    let mut graph = gallery.graph_behind(queries, if shorter { how.kd } else { long }, stored)?;
    let laplacian = how.offline_laplacian(&graph)?;
    let wanted = within_reach(&laplacian, before);
    // Searching half of the images takes as long as comparing all with all.
    if graph.k < long && wanted.len() > all.count() / 2 {
        graph = knn_graph(all.sets(), long)?;
    }

    let own: Vec<u32> = (0..before as u32).collect();
    let lists = truncated(&all, &graph, &own, how.n_trunc)?;
    let rows: Vec<Vec<(u32, f32)>> = lists
        .par_iter()
        .map_init(
            || OfflineRows::new(&laplacian, how.offline_steps()),
            |rows, list| unit_row(rows, list),
        )
        .collect();
    let columns = Columns::new(&rows, all.count());

    let mut answers: Vec<Answers<'_>> = (0..before)
        .map(|query| Answers::new(length, excluded_of(excluded, query)))
        .collect();
    for (block, images) in wanted.chunks(ROWS_AT_ONCE).enumerate() {
        let lists = truncated(&all, &graph, images, how.n_trunc)?;
        let scores: Vec<Vec<(u32, f32)>> = lists
            .par_iter()
            .map_init(
                || {
                    (
                        OfflineRows::new(&laplacian, how.offline_steps()),
                        Products::new(before),
                    )
                },
                |(rows, products), list| products.of(&unit_row(rows, list), &columns),
            )
            .collect();
        for (image, scores) in images.iter().zip(scores) {
            for (query, score) in scores {
                answers[query as usize].offer(*image as usize - before, score);
            }
        }
        let done = block * ROWS_AT_ONCE + images.len();
        progress(NAME, (done * before / wanted.len()) as u64, before as u64);
    }
    Ok(answers.into_iter().map(Answers::sorted).collect())
}

fn unit_row(rows: &mut OfflineRows<'_>, list: &[u32]) -> Vec<(u32, f32)> {
    let mut row = rows.row(list);
    normalise(&mut row);
    row
}

/// The images, counted behind the queries, that a query can be reached from over joined rows. Rows of others share no image with those
/// of the queries.
fn within_reach(laplacian: &Laplacian, queries: usize) -> Vec<u32> {
    let components = laplacian.components();
    let mut reached = vec![false; components.len()];
    for component in &components[..queries] {
        reached[*component as usize] = true;
    }
    let images = queries..components.len();
    images
        .filter(|image| reached[components[*image] as usize])
        .map(|image| image as u32)
        .collect()
}

/// The queries' rows by column: which queries have a value there.
struct Columns {
    starts: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Columns {
    fn new(rows: &[Vec<(u32, f32)>], count: usize) -> Self {
        let mut starts = vec![0; count + 1];
        for (column, _) in rows.iter().flatten() {
            starts[*column as usize + 1] += 1;
        }
        for column in 0..count {
            starts[column + 1] += starts[column];
        }
        let mut ends = starts.clone();
        let mut entries = vec![(0, 0.0); starts[count]];
        for (query, row) in rows.iter().enumerate() {
            for (column, value) in row {
                let end = &mut ends[*column as usize];
                entries[*end] = (query as u32, *value);
                *end += 1;
            }
        }
        Self { starts, entries }
    }
}

/// The products of one row with those of all queries.
struct Products {
    sums: Vec<f64>,
}

impl Products {
    fn new(queries: usize) -> Self {
        Self {
            sums: vec![0.0; queries],
        }
    }

    /// Queries and products that are not 0.
    fn of(&mut self, row: &[(u32, f32)], columns: &Columns) -> Vec<(u32, f32)> {
        for (column, value) in row {
            let ends = columns.starts[*column as usize]..columns.starts[*column as usize + 1];
            for (query, other) in &columns.entries[ends] {
                self.sums[*query as usize] += f64::from(*value) * f64::from(*other);
            }
        }
        let sums = self.sums.iter_mut().enumerate();
        let taken = sums.map(|(query, sum)| (query as u32, std::mem::take(sum) as f32));
        taken.filter(|(_, product)| *product != 0.0).collect()
    }
}
