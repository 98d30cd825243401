//! The nearest words, and the training of codebooks.

use super::toy::whole;
use crate::case::{Case, Outputs};
use sightline::checkpoint::formula::uniform;
use sightline::local::Codebook;
use sightline::search::{KMeansSettings, Points, Rows, k_means, nearest, rand_perm};
use std::ops::ControlFlow;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "quantise" | "quantise_ties" => quantise(case, &mut out)?,
        "rand_perm" => {
            let (n, seeds) = (
                whole(case, "n")?,
                case.params["seeds"].as_array().ok_or("no seeds")?,
            );
            for seed in seeds.iter().filter_map(serde_json::Value::as_u64) {
                out.ints(&format!("perm.{seed}"), &[n], &rand_perm(n, seed));
            }
        }
        "kmeans_empty" | "kmeans_lloyd" | "kmeans_subsample" | "kmeans_train" => train(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// The names of the formula inputs, in the order in which the case's text gives them.
fn formula_names(case: &Case) -> Result<Vec<&str>, String> {
    let text = case.params["input"].as_str().ok_or("the case states no input")?;
    Ok(text.split('\'').skip(1).step_by(2).collect())
}

/// `[rows, dim]` of the input called `name`: stored, or by the formula number `at` of the case.
fn input(case: &Case, name: &str, at: usize, rows: &str) -> Result<Vec<f32>, String> {
    if case.has(&format!("in.{name}")) {
        return Ok(case.array(&format!("in.{name}"))?.to_f32());
    }
    let names = formula_names(case)?;
    let formula = names.get(at).ok_or(format!("no formula for {name}"))?;
    let count = whole(case, rows)? * whole(case, "dim")?;
    let values = uniform(formula, whole(case, "seed")? as u64, count);
    Ok(values.into_iter().map(|value| value as f32).collect())
}

fn quantise(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let dim = whole(case, "dim")?;
    let (x, words) = (input(case, "x", 0, "n")?, input(case, "codebook", 1, "words")?);
    let codebook = Codebook::new(dim, words).map_err(text)?;
    let rows = x.len() / dim;
    let assignments = case.params["assignments"].as_array().ok_or("no assignments")?;
    for multiple in assignments.iter().filter_map(serde_json::Value::as_u64) {
        let multiple = multiple as usize;
        let words = codebook.quantise(&x, multiple).map_err(text)?;
        out.ints(&format!("words.{multiple}"), &[rows, multiple], &words);
    }
    if case.has("out.distances") {
        let k = case.array("out.distances")?.shape[1];
        let found = nearest(Rows::f32(&x, dim), Rows::f32(codebook.centroids(), dim), k).map_err(text)?;
        out.f32(
            "distances",
            &[rows, k],
            found.iter().map(|word| word.distance).collect(),
        );
    }
    Ok(())
}

fn train(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (dim, words) = (whole(case, "dim")?, whole(case, "words")?);
    let x = input(case, "x", 0, "n")?;
    // A second formula is the start.
    let mut given = match formula_names(case)?.len() {
        1 => Vec::new(),
        _ => input(case, "start", 1, "words")?,
    };
    if let Some((number, rows)) = shifted_rows(case)? {
        for row in rows {
            given[row * dim..(row + 1) * dim]
                .iter_mut()
                .for_each(|value| *value += number);
        }
    }
    let settings = KMeansSettings {
        iterations: whole(case, "iterations")?,
        seed: whole(case, "clustering_seed")? as u64,
        given,
        ..KMeansSettings::new(words)
    };
    let points = Points::new(vec![Rows::f32(&x, dim)]).map_err(text)?;
    let trained = k_means(&points, &settings, None, &mut |_| ControlFlow::Continue(())).map_err(text)?;
    let iterations = &trained.iterations;
    let shape = [iterations.len()];
    let splits: Vec<u64> = iterations.iter().map(|one| one.splits as u64).collect();
    out.ints("splits", &shape, &splits);
    out.f64(
        "imbalance",
        &shape,
        iterations.iter().map(|one| one.imbalance).collect(),
    );
    out.f64(
        "objective",
        &shape,
        iterations.iter().map(|one| one.objective).collect(),
    );
    out.f32("centroids", &[words, dim], trained.centroids);
    Ok(())
}

/// The number added to rows of the start, and the rows: "then 64 added (float32) to every element of rows [3, 7, 0]".
fn shifted_rows(case: &Case) -> Result<Option<(f32, Vec<usize>)>, String> {
    let text = case.params["input"].as_str().ok_or("the case states no input")?;
    let Some((_, shift)) = text.split_once("then ") else {
        return Ok(None);
    };
    let unreadable = || format!("the harness does not read \"{shift}\"");
    let number = shift.split(' ').next().and_then(|number| number.parse().ok());
    let rows = shift
        .split_once("rows [")
        .and_then(|(_, rows)| rows.split_once(']'));
    let rows = rows.map(|(rows, _)| {
        rows.split(',')
            .map(|row| row.trim().parse())
            .collect::<Result<_, _>>()
    });
    match (number, rows) {
        (Some(number), Some(Ok(rows))) => Ok(Some((number, rows))),
        _ => Err(unreadable()),
    }
}
