//! The nearest words, and the training of codebooks.

use crate::case::{Case, Outputs};
use sightline::checkpoint::formula::uniform;
use sightline::local::Codebook;
use sightline::search::{Rows, nearest};

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "quantise" | "quantise_ties" => quantise(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn whole(case: &Case, key: &str) -> Result<usize, String> {
    let value = case.params[key].as_u64().ok_or(format!("no parameter {key}"))?;
    Ok(value as usize)
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
