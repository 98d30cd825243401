//! Fusion with the rankings of other models, and local scores mixed in.

#![allow(clippy::unwrap_used)]

use sightline_checkpoint::formula::unit_rows;
use sightline_descriptor::DescriptorSet;
use sightline_rerank::{FusedModel, Fusion, FusionForm, LocalMix, Normalise, Rankings, Reranker, Settings};
use sightline_search::{Hit, Rows, inner_products};

const QUERIES: usize = 3;
const IMAGES: usize = 40;
const MORE: usize = 7;

/// Descriptors of a model: queries, images, distractors.
fn rows(model: &str, dim: usize) -> [Vec<f32>; 3] {
    [("queries", QUERIES), ("images", IMAGES), ("distractors", MORE)]
        .map(|(part, count)| unit_rows(&format!("{model} {part}"), count, dim, 1))
}

fn model(name: &str, dim: usize) -> FusedModel {
    let set = |rows: Vec<f32>| {
        let names = (0..rows.len() / dim).map(|row| row.to_string()).collect();
        DescriptorSet::from_rows(names, dim, rows, None).unwrap()
    };
    let [queries, database, distractors] = rows(name, dim).map(set);
    FusedModel {
        queries,
        database,
        distractors: vec![distractors],
    }
}

fn fusion(text: &str, models: Vec<FusedModel>) -> Fusion {
    let settings = Settings::read("fusion", text, Fusion::KEYS).unwrap();
    Fusion::from_settings(&settings, models).unwrap()
}

/// The lists after a stage, and how many answers it scored.
fn reranked(stage: &mut dyn Reranker, length: usize, excluded: Vec<Vec<u32>>) -> (Vec<Vec<Hit>>, Vec<usize>) {
    let [queries, images, distractors] = rows("own", 8);
    let (queries, images) = (Rows::f32(&queries, 8), Rows::f32(&images, 8));
    let distractors = vec![Rows::f32(&distractors, 8)];
    let mut rankings = Rankings::search(queries, images, distractors, length, excluded).unwrap();
    let scored = stage.rerank(&mut rankings, &|_, _, _| ()).unwrap();
    (rankings.lists, scored)
}

/// Inner products of the queries with images and distractors.
fn scores(name: &str, dim: usize) -> Vec<f32> {
    let [queries, images, distractors] = rows(name, dim);
    let all = [images, distractors].concat();
    inner_products(Rows::f32(&queries, dim), Rows::f32(&all, dim)).unwrap()
}

#[test]
fn every_candidate_has_a_score_with_every_model() {
    let all = IMAGES + MORE;
    let mut how = fusion("features=b,weights=1,0.5", vec![model("other", 5)]);
    let (lists, scored) = reranked(&mut how, all, Vec::new());
    assert_eq!(scored, [all; QUERIES]);
    let (own, other) = (scores("own", 8), scores("other", 5));
    for (query, list) in lists.iter().enumerate() {
        assert_eq!(list.len(), all);
        for hit in list {
            let at = query * all + hit.index;
            assert!((hit.score - (own[at] + 0.5 * other[at])).abs() < 1e-6);
        }
        assert!(list.windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    // Between 0 and 1 the best and the worst of both models would have 1.5 and 0.
    let mut how = fusion(
        "features=b,weights=1,0.5,normalise=minmax",
        vec![model("other", 5)],
    );
    assert_eq!((how.normalise, how.form), (Normalise::MinMax, FusionForm::Score));
    let (lists, _) = reranked(&mut how, all, Vec::new());
    assert!(lists.iter().flatten().all(|hit| (0.0..=1.5).contains(&hit.score)));
}

#[test]
fn ranks_are_places_among_the_first_answers() {
    let all = IMAGES + MORE;
    let mut how = fusion("features=b,form=rank,k=60,top=10", vec![model("other", 5)]);
    let (lists, scored) = reranked(&mut how, all, vec![Vec::new(), vec![4, 9], Vec::new()]);
    let place = |scores: &[f32], query: usize, image: usize| {
        let of_query = &scores[query * all..(query + 1) * all];
        let excluded = |index: usize| query == 1 && (index == 4 || index == 9);
        let before = (0..all).filter(|index| !excluded(*index) && of_query[*index] > of_query[image]);
        before.count() + 1
    };
    let (own, other) = (scores("own", 8), scores("other", 5));
    for (query, (list, scored)) in lists.iter().zip(&scored).enumerate() {
        assert!((10..=20).contains(scored));
        for hit in &list[..*scored] {
            let part = |rank: usize| {
                if rank <= 10 {
                    1.0 / (60.0 + rank as f64)
                } else {
                    0.0
                }
            };
            let want = part(place(&own, query, hit.index)) + part(place(&other, query, hit.index));
            assert!((f64::from(hit.score) - want).abs() < 1e-6 && want > 0.0);
        }
        // The others follow as the search left them.
        let behind: Vec<f32> = list[*scored..].iter().map(|hit| hit.score).collect();
        assert!(behind.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(list.len(), if query == 1 { all - 2 } else { all });
    }
    let (short, scored) = reranked(&mut how, 12, Vec::new());
    assert!(short.iter().all(|list| list.len() == 12) && scored.iter().all(|scored| *scored <= 12));
}

#[test]
fn another_collection_is_refused() {
    let mut other = model("other", 5);
    other.distractors.clear();
    let mut how = fusion("features=b", vec![other]);
    let [queries, images, distractors] = rows("own", 8);
    let (queries, images) = (Rows::f32(&queries, 8), Rows::f32(&images, 8));
    let distractors = vec![Rows::f32(&distractors, 8)];
    let mut rankings = Rankings::search(queries, images, distractors, 9, Vec::new()).unwrap();
    let error = how.rerank(&mut rankings, &|_, _, _| ()).unwrap_err().to_string();
    assert!(error.contains("40 images and 0 distractors"), "{error}");
}

/// An npy file of 32-bit floats.
fn npy(shape: [usize; 2], values: &[f32]) -> Vec<u8> {
    let head = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}\n",
        shape[0], shape[1]
    );
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((head.len() as u16).to_le_bytes());
    file.extend(head.bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[test]
fn local_scores_come_from_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.npy");
    let local: Vec<f32> = (0..QUERIES * IMAGES)
        .map(|at| (at * 37 % 101) as f32 / 10.0)
        .collect();
    std::fs::write(&file, npy([QUERIES, IMAGES], &local)).unwrap();
    let open = |text: &str| {
        let text = text.replace("FILE", &file.display().to_string());
        LocalMix::from_settings(&Settings::read("mix", &text, LocalMix::KEYS).unwrap())
    };
    let mut how = open("scores=FILE,ratio=2,topk=15").unwrap();
    let (lists, scored) = reranked(&mut how, 30, Vec::new());
    assert_eq!(scored, [15; QUERIES]);
    let global = scores("own", 8);
    for (query, list) in lists.iter().enumerate() {
        for hit in &list[..15] {
            // A distractor has no local score.
            let local = if hit.index < IMAGES {
                local[query * IMAGES + hit.index]
            } else {
                0.0
            };
            let want = global[query * (IMAGES + MORE) + hit.index] + 2.0 * local;
            assert!((hit.score - want).abs() < 1e-5);
        }
        assert!(list[..15].windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
    let how = open("scores=FILE").unwrap();
    assert_eq!((how.ratio, how.topk), (0.5, 400));

    std::fs::write(&file, npy([QUERIES, 7], &local[..QUERIES * 7])).unwrap();
    let mut how = open("scores=FILE").unwrap();
    let [queries, images, _] = rows("own", 8);
    let (queries, images) = (Rows::f32(&queries, 8), Rows::f32(&images, 8));
    let mut rankings = Rankings::search(queries, images, Vec::new(), 9, Vec::new()).unwrap();
    let error = how.rerank(&mut rankings, &|_, _, _| ()).unwrap_err().to_string();
    assert!(error.contains("3 queries with 7 images"), "{error}");
    std::fs::write(&file, b"nothing").unwrap();
    assert!(
        open("scores=FILE").is_err() && open("scores=elsewhere.npy").is_err() && open("ratio=1").is_err()
    );
}
