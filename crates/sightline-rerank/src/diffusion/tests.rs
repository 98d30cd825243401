//! Every form against dense matrices, written from the originals' descriptions once more.

use super::{Diffusion, Form, online, paper, together};
use crate::{Gallery, Rankings, Reranker, Settings};
use proptest::prelude::*;
use sightline_search::{Hit, Rows, knn_graph};

const DIM: usize = 6;

/// Unit rows around a few centres; some of them twice.
fn rows(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..3 * DIM).map(|_| next()).collect();
    let mut rows: Vec<f32> = Vec::new();
    for row in 0..count {
        if row % 11 == 10 {
            rows.extend_from_within((row - 3) * DIM..(row - 2) * DIM);
            continue;
        }
        let centre = &centres[row % 3 * DIM..][..DIM];
        let values: Vec<f32> = centre.iter().map(|c| c + 0.7 * next()).collect();
        let length = values.iter().map(|x| x * x).sum::<f32>().sqrt();
        rows.extend(values.iter().map(|x| x / length));
    }
    rows
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

type Matrix = Vec<Vec<f64>>;

/// Each row's neighbours, best first, itself before all.
fn lists(similar: &Matrix) -> Vec<Vec<usize>> {
    let list = |row: usize| {
        let mut others: Vec<usize> = (0..similar.len()).filter(|other| *other != row).collect();
        others.sort_by(|a, b| similar[row][*b].total_cmp(&similar[row][*a]).then(a.cmp(b)));
        [&[row], &others[..]].concat()
    };
    (0..similar.len()).map(list).collect()
}

fn similarities(rows: &[f32]) -> Matrix {
    let single = |a: &[f32], b: &[f32]| f64::from(product(a, b) as f32);
    let row = |a| rows.chunks(DIM).map(|b| single(a, b)).collect();
    rows.chunks(DIM).map(row).collect()
}

fn laplacian(similar: &Matrix, lists: &[Vec<usize>], how: &Diffusion) -> Matrix {
    let count = similar.len();
    let near = |row: usize, other: usize| lists[row].iter().take(how.kd).any(|one| *one == other);
    let mut weights = vec![vec![0.0; count]; count];
    for (a, b) in (0..count * count).map(|at| (at / count, at % count)) {
        if a != b && near(a, b) && near(b, a) {
            // Offline cuts at 0 before the power, online after it.
            weights[a][b] = match how.form {
                Form::Online => similar[a][b].powf(how.gamma).max(0.0),
                Form::Offline | Form::Paper => similar[a][b].max(0.0).powf(how.gamma),
            };
        }
    }
    let degrees: Vec<f64> = weights
        .iter()
        .map(|row| row.iter().sum::<f64>() + 1e-12)
        .collect();
    let entry =
        |a: usize, b: usize| f64::from(a == b) - how.alpha * weights[a][b] / (degrees[a] * degrees[b]).sqrt();
    (0..count)
        .map(|a| (0..count).map(|b| entry(a, b)).collect())
        .collect()
}

/// Textbook conjugate gradients; every iterate and the length of its residual.
fn iterates(matrix: &Matrix, right: &[f64], steps: usize) -> Vec<(Vec<f64>, f64)> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut x, mut r, mut p) = (vec![0.0; right.len()], right.to_vec(), right.to_vec());
    let mut all = vec![(x.clone(), dot(&r, &r).sqrt())];
    for _ in 0..steps {
        let square = dot(&r, &r);
        if square.sqrt() <= 1e-6 * dot(right, right).sqrt() {
            break;
        }
        let product: Vec<f64> = matrix.iter().map(|row| dot(row, &p)).collect();
        let step = square / dot(&p, &product);
        for at in 0..x.len() {
            x[at] += step * p[at];
            r[at] -= step * product[at];
        }
        let along = dot(&r, &r) / square;
        p = r.iter().zip(&p).map(|(r, p)| r + along * p).collect();
        all.push((x.clone(), dot(&r, &r).sqrt()));
    }
    all
}

fn offline_rows(matrix: &Matrix, lists: &[Vec<usize>], how: &Diffusion) -> Matrix {
    let row = |list: &Vec<usize>| {
        let list = &list[..how.n_trunc.min(list.len())];
        let part: Matrix = list
            .iter()
            .map(|a| list.iter().map(|b| matrix[*a][*b]).collect())
            .collect();
        let mut right = vec![0.0; list.len()];
        right[0] = 1.0;
        let (x, _) = iterates(&part, &right, how.steps).pop().unwrap();
        let mut row = vec![0.0; matrix.len()];
        list.iter().zip(x).for_each(|(at, x)| row[*at] = x);
        row
    };
    lists.iter().map(row).collect()
}

/// The scores of all images for all queries.
fn dense(queries: &[f32], gallery: &[f32], how: &Diffusion) -> Matrix {
    let count = gallery.len() / DIM;
    if how.form == Form::Offline {
        let all = [queries, gallery].concat();
        let similar = similarities(&all);
        let lists = lists(&similar);
        let mut rows = offline_rows(&laplacian(&similar, &lists, how), &lists, how);
        for row in &mut rows {
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x /= length);
        }
        let (queries, images) = rows.split_at(queries.len() / DIM);
        let score = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
        return queries
            .iter()
            .map(|a| images.iter().map(|b| score(a, b)).collect())
            .collect();
    }
    let similar = similarities(gallery);
    let lists = lists(&similar);
    let matrix = laplacian(&similar, &lists, how);
    let rows = offline_rows(&matrix, &lists, how);
    let one = |query: &[f32]| {
        let scores: Vec<f64> = gallery.chunks(DIM).map(|image| product(query, image)).collect();
        let mut near: Vec<usize> = (0..count).collect();
        near.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        near.truncate(how.kq);
        if how.form == Form::Paper {
            let sum = |at: usize| {
                near.iter()
                    .map(|n| scores[*n].powf(how.gamma) * rows[*n][at])
                    .sum()
            };
            return (0..count).map(sum).collect();
        }
        let mut start = vec![0.0; count];
        // A sum below 0 is less than those of the images that are not near.
        near.iter()
            .for_each(|n| start[*n] = scores[*n].max(0.0).powf(how.gamma));
        let all = iterates(&matrix, &start, how.steps);
        all.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
    };
    queries.chunks(DIM).map(one).collect()
}

fn search(queries: &[f32], gallery: &[f32], how: &Diffusion, stored: Option<usize>) -> Vec<Vec<Hit>> {
    let (queries, rows) = (Rows::f32(queries, DIM), Rows::f32(gallery, DIM));
    let stored = stored.map(|k| knn_graph(&[rows], k).unwrap());
    let gallery = Gallery::new(rows, &[]).unwrap();
    let run = match how.form {
        Form::Offline => together::search,
        Form::Paper => paper::search,
        Form::Online => online::search,
    };
    run(
        queries,
        &gallery,
        how,
        stored.as_ref(),
        usize::MAX,
        &[],
        &|_, _, _| {},
    )
    .unwrap()
}

fn within<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn sparse_rows_give_what_dense_matrices_give(
        seed in any::<u64>(), count in 12..70_usize, queries in 1..5_usize, kd in 2..12_usize, n_trunc in 2..90_usize, kq in 1..7_usize,
        steps in 1..25_usize, gamma in 1..4_u8, alpha in prop::sample::select(vec![0.0, 0.5, 0.99]),
        form in prop::sample::select(vec![Form::Offline, Form::Paper, Form::Online]), stored in prop::option::of(2..15_usize),
    ) {
        let how = Diffusion { n_trunc, kd, kq, gamma: f64::from(gamma), alpha, steps, form, ..Diffusion::default() };
        let (gallery, queries) = (rows(count, seed), rows(queries, !seed));
        let want = dense(&queries, &gallery, &how);
        let got = within(1, || search(&queries, &gallery, &how, None));
        for (got, want) in got.iter().zip(&want) {
            let mut scores = vec![0.0; count];
            got.iter().for_each(|hit| scores[hit.index] = f64::from(hit.score));
            for (got, want) in scores.iter().zip(want) {
                prop_assert!((got - want).abs() <= 2e-4 * want.abs() + 2e-5, "{got} for {want}");
            }
            prop_assert!(got.is_sorted_by(|a, b| (b.score, a.index) <= (a.score, b.index)));
        }
        // Neither threads nor a stored graph change a bit.
        let again = within(3, || search(&queries, &gallery, &how, stored));
        prop_assert_eq!(got, again);
    }
}

fn stage(text: &str) -> Diffusion {
    let settings = Settings::read("diffusion", text, Diffusion::KEYS).unwrap();
    Diffusion::from_settings(&settings).unwrap()
}

fn rankings<'a>(queries: &[f32], gallery: &'a [f32], length: usize, excluded: Vec<Vec<u32>>) -> Rankings<'a> {
    let (queries, gallery) = (Rows::f32(queries, DIM), Rows::f32(gallery, DIM));
    Rankings::search(queries, gallery, Vec::new(), length, excluded).unwrap()
}

fn order(list: &[Hit]) -> Vec<usize> {
    list.iter().map(|hit| hit.index).collect()
}

#[test]
fn images_that_nothing_comes_to_follow_as_they_stood() {
    let (gallery, query) = (rows(40, 5), rows(2, 9));
    for form in ["offline", "paper", "online"] {
        let excluded = vec![vec![3, 4], vec![]];
        let mut ranked = rankings(&query, &gallery, 30, excluded);
        let before = ranked.lists.clone();
        let scored = stage(&format!("kd=3,kq=2,form={form}"))
            .rerank(&mut ranked, &|_, _, _| {})
            .unwrap();
        for (query, (after, before)) in ranked.lists.iter().zip(&before).enumerate() {
            let (first, rest) = after.split_at(scored[query]);
            assert!(first.iter().all(|hit| hit.score > 0.0));
            let kept: Vec<Hit> = before
                .iter()
                .filter(|hit| !order(first).contains(&hit.index))
                .copied()
                .collect();
            assert_eq!((after.len(), rest), (30, &kept[..30 - first.len()]), "{form}");
        }
        assert!((1..60).contains(&scored.iter().sum::<usize>()), "{form}");
        assert!(!order(&ranked.lists[0]).iter().any(|index| [3, 4].contains(index)));
        assert!(!ranked.searched);
    }
}

#[test]
fn with_top_a_query_is_alone_with_its_first_answers() {
    let (gallery, queries) = (rows(60, 7), rows(3, 8));
    for form in ["offline", "paper", "online"] {
        let mut ranked = rankings(&queries, &gallery, 40, Vec::new());
        let first = ranked.lists[1][..20].to_vec();
        let mut stage = stage(&format!("kd=4,kq=3,top=20,form={form}"));
        assert_eq!((stage.reach(60, 3), stage.reach(10, 3)), (20, 10));
        let scored = stage.rerank(&mut ranked, &|_, _, _| {}).unwrap();
        let alone: Vec<f32> = first
            .iter()
            .flat_map(|hit| gallery[hit.index * DIM..][..DIM].to_vec())
            .collect();
        let mut among = rankings(&queries[DIM..2 * DIM], &alone, 20, Vec::new());
        stage.rerank(&mut among, &|_, _, _| {}).unwrap();
        let want: Vec<usize> = order(&among.lists[0]).iter().map(|at| first[*at].index).collect();
        assert_eq!(order(&ranked.lists[1][..20]), want, "{form}");
        assert!(scored[1] <= 20 && ranked.lists[1].len() == 40);
    }
}

#[test]
fn a_gallery_without_neighbours_is_refused_and_isolated_images_are_no_trouble() {
    let apart: Vec<f32> = (0..DIM * DIM).map(|at| f32::from(at % (DIM + 1) == 0)).collect();
    for form in ["offline", "paper", "online"] {
        let mut ranked = rankings(&apart[..DIM], &apart[DIM..], 5, Vec::new());
        let error = stage(&format!("form={form}"))
            .rerank(&mut ranked, &|_, _, _| {})
            .unwrap_err()
            .to_string();
        assert!(error.contains("no two are each among the 50 nearest"), "{error}");

        // Two that a third is like, and four that nothing joins.
        let mut gallery = apart.clone();
        gallery.extend([0.8, 0.6, 0.0, 0.0, 0.0, 0.0]);
        let mut ranked = rankings(&apart[..DIM], &gallery, 7, Vec::new());
        stage(&format!("form={form}"))
            .rerank(&mut ranked, &|_, _, _| {})
            .unwrap();
        assert!(ranked.lists[0].iter().all(|hit| hit.score.is_finite()));
        let mut first = order(&ranked.lists[0])[..2].to_vec();
        first.sort_unstable();
        assert_eq!(first, [0, 6], "{form}");
    }
}

#[test]
fn values_out_of_range_give_an_order_all_the_same() {
    let mut gallery = rows(30, 3);
    gallery[..DIM].fill(f32::NAN);
    gallery[DIM..2 * DIM].fill(1e30);
    gallery[2 * DIM..3 * DIM].fill(0.0);
    let queries = [rows(1, 4), vec![f32::NAN; DIM], vec![0.0; DIM]].concat();
    for form in ["offline", "paper", "online"] {
        let mut ranked = rankings(&queries, &gallery, 30, Vec::new());
        let done = stage(&format!("kd=5,form={form}")).rerank(&mut ranked, &|_, _, _| {});
        done.unwrap();
        for list in &ranked.lists {
            let mut all = order(list);
            all.sort_unstable();
            assert_eq!(all, (0..30).collect::<Vec<_>>(), "{form}");
        }
    }
}

#[test]
fn settings_are_read_and_shown() {
    assert_eq!(stage(""), Diffusion::default());
    let how = stage("n_trunc=500,kd=5,kq=3,gamma=2,alpha=0.9,form=online,top=77");
    let want = serde_json::json!({
        "n_trunc": 500, "kd": 5, "kq": 3, "gamma": 2.0, "alpha": 0.9, "form": "online", "top": 77,
    });
    assert_eq!(how.settings(), want);
    let refused = |text| {
        let settings = Settings::read("diffusion", text, Diffusion::KEYS).unwrap();
        Diffusion::from_settings(&settings).unwrap_err().to_string()
    };
    assert_eq!(
        refused("alpha=1"),
        "diffusion: alpha=1 should be a number from 0 to below 1"
    );
    assert_eq!(
        refused("form=fast"),
        "diffusion: form=fast should be one of offline, paper, online"
    );
    assert!(refused("kd=1").ends_with("a whole number from 2"));
    let published = Diffusion::default();
    assert_eq!(published.reach(5000, 70), 5000);
    assert_eq!(published.reach(100_000, 1000), 1000);
    assert_eq!(published.reach(1_000_000, 1), 1000);
    assert_eq!(stage("form=online").reach(1_000_000, 1), 10_000);
    assert_eq!(
        published.remarks(149),
        ["kd=50 takes a third of the 149 images as neighbours of each; try kd=5."]
    );
}
