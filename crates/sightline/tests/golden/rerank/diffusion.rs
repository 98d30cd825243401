//! Offline and online diffusion.

use crate::case::{Case, Outputs};
use sightline::rerank::diffusion::conjugate_gradients::ConjugateGradients;
use sightline::rerank::diffusion::offline::OfflineRows;
use sightline::rerank::diffusion::{Form, online, paper, regions, together};
use sightline::rerank::{Diffusion, Gallery};
use sightline::search::{Hit, Rows, knn_graph};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "diffusion_offline" => offline(case, &mut out)?,
        "diffusion_weighted_rows" => weighted_rows(case, &mut out)?,
        "diffusion_online" | "diffusion_online_regions" => over_graph(case, &mut out)?,
        other => return Err(format!("the harness does not know the case {other}")),
    }
    Ok(out)
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

fn whole(case: &Case, key: &str) -> Result<usize, String> {
    let number = case.params[key].as_u64();
    number
        .map(|number| number as usize)
        .ok_or(format!("no parameter {key}"))
}

fn number(case: &Case, key: &str) -> Result<f64, String> {
    case.params[key].as_f64().ok_or(format!("no parameter {key}"))
}

/// The parameters, by whichever of the two originals' names they have.
fn settings(case: &Case, form: Form) -> Result<Diffusion, String> {
    let published = Diffusion::default();
    Ok(Diffusion {
        n_trunc: whole(case, "truncation_size").unwrap_or(published.n_trunc),
        kd: whole(case, "kd").or_else(|_| whole(case, "k"))?,
        kq: whole(case, "kq").unwrap_or(published.kq),
        gamma: number(case, "gamma")?,
        alpha: number(case, "alpha")?,
        steps: whole(case, "cg_maxiter")?,
        tolerance: number(case, "cg_tol")?,
        form,
        top: None,
    })
}

/// The input `name` as values and their number along the last axis.
fn input(case: &Case, name: &str) -> Result<(Vec<f32>, usize), String> {
    let array = case.array(name)?;
    let dim = *array.shape.last().ok_or(format!("{name} has no axes"))?;
    Ok((array.to_f32(), dim))
}

/// `scores` of all images and `top_ranks`, the best of them.
fn answers(case: &Case, found: &[Vec<Hit>], count: usize, out: &mut Outputs) -> Result<(), String> {
    let top = case.array("out.top_ranks")?.shape[1];
    let mut scores = vec![0.0; found.len() * count];
    let mut ranks: Vec<i64> = Vec::new();
    for (query, found) in found.iter().enumerate() {
        for hit in found {
            scores[query * count + hit.index] = hit.score;
        }
        ranks.extend(found.iter().take(top).map(|hit| hit.index as i64));
    }
    out.f32("scores", &[found.len(), count], scores);
    out.ints("top_ranks", &[found.len(), top], &ranks);
    Ok(())
}

fn offline(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let how = settings(case, Form::Offline)?;
    let ((queries, dim), (gallery, _)) = (input(case, "in.queries")?, input(case, "in.gallery")?);
    let (queries, gallery) = (Rows::f32(&queries, dim), Rows::f32(&gallery, dim));
    let kept = whole(case, "rows_kept")?;
    let (before, count) = (queries.count(), gallery.count());
    let all = before + count;

    let graph = knn_graph(&[queries, gallery], how.n_trunc.max(how.kd)).map_err(said)?;
    let laplacian = how.offline_laplacian(&graph).map_err(said)?;
    let mut offline = OfflineRows::new(&laplacian, how.offline_steps());
    let (mut dense, mut solved) = (vec![0.0; kept * all], vec![0.0; kept * all]);
    for row in 0..kept {
        dense[row * all + row] = 1.0;
        for (column, value) in laplacian.row(row) {
            dense[row * all + column as usize] = value as f32;
        }
        let list: Vec<u32> = graph.list(row).map(|hit| hit.index as u32).collect();
        for (column, value) in offline.row(&list[..how.n_trunc.min(list.len())]) {
            solved[row * all + column as usize] = value;
        }
    }
    out.f32("laplacian_rows", &[kept, all], dense);
    out.f32("offline_rows", &[kept, all], solved);

    let gallery = Gallery::new(gallery, &[]).map_err(said)?;
    let found = together::search(queries, &gallery, &how, None, count, &[], &|_, _, _| {});
    answers(case, &found.map_err(said)?, count, out)
}

fn weighted_rows(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let how = settings(case, Form::Paper)?;
    let ((queries, dim), (gallery, _)) = (input(case, "in.queries")?, input(case, "in.gallery")?);
    let gallery = Gallery::new(Rows::f32(&gallery, dim), &[]).map_err(said)?;
    let (queries, count) = (Rows::f32(&queries, dim), gallery.count());
    let found = paper::search(queries, &gallery, &how, None, count, &[], &|_, _, _| {});
    answers(case, &found.map_err(said)?, count, out)
}

fn over_graph(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let how = settings(case, Form::Online)?;
    let ((queries, dim), (vectors, _)) = (input(case, "in.queries")?, input(case, "in.gallery")?);
    let each = whole(case, "vectors_per_query")?;
    let (queries, vectors) = (Rows::f32(&queries, dim), Rows::f32(&vectors, dim));
    let gallery = Gallery::new(vectors, &[]).map_err(said)?;
    let count = gallery.count();
    let graph = knn_graph(&[vectors], how.kd).map_err(said)?;
    let laplacian = how.online_laplacian(&graph).map_err(said)?;
    let near = gallery.best(queries, how.kq, &[]).map_err(said)?;

    let regions = match case.has("in.image_of_row") {
        false => None,
        true => {
            let images: Vec<u32> = case.array("in.image_of_row")?.to_ints()?;
            let weights = regions::region_weights(&gallery, &images).map_err(said)?;
            Some((images, weights))
        }
    };
    let mut solver = ConjugateGradients::default();
    let (mut starts, mut images, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for near in near.chunks(each) {
        let start = online::start(near, count, how.kq, how.gamma);
        let mut dense = vec![0.0; count];
        for (image, value) in &start {
            dense[*image as usize] = *value;
        }
        starts.extend(dense);
        let values = online::diffuse(&laplacian, &start, how.online_steps(), &mut solver);
        if let Some((of_row, weights)) = &regions {
            let most = of_row.iter().max().map_or(0, |image| *image as usize + 1);
            images.push(regions::image_scores(values, weights, of_row, most));
        }
        found.push(online::ranked(values, count, &[]));
    }
    answers(case, &found, count, out)?;
    out.f64("start", &[found.len(), count], starts);
    if let Some((_, weights)) = regions {
        out.f64("region_weights", &[weights.len()], weights);
        let shape = [images.len(), images.first().map_or(0, Vec::len)];
        out.f64("image_scores", &shape, images.concat());
    }
    Ok(())
}
