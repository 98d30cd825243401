//! Golden area `formats`: files of the originals read as trees, and hostile ones refused.

#[path = "formats_arrays.rs"]
mod formats_arrays;
#[path = "formats_checkpoints.rs"]
mod formats_checkpoints;
#[path = "formats_lists.rs"]
mod formats_lists;
#[path = "formats_tree.rs"]
mod formats_tree;

use crate::case::{Case, Data, Outputs};
use sightline::checkpoint::{File, read_bytes};

pub(crate) use formats_tree::push_tree;

/// Computes every output of one case of the area.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let name = case.name.as_str();
    if case.has("out.refused") {
        return refused(case);
    }
    if ["npy_", "npz_", "mat_", "safetensors"]
        .iter()
        .any(|start| name.starts_with(start))
    {
        return formats_arrays::run(case);
    }
    let is_list = !case.has("out.tree") || case.has("out.filenames");
    if is_list || name == "token_gldv2_split" {
        return formats_lists::run(case);
    }
    let file = open(case)?;
    let mut outputs = Outputs::new();
    if case.has("out.converted") {
        formats_checkpoints::converted(case, &file, &mut outputs)?;
    } else {
        push_tree(case, &file.value, &mut outputs)?;
    }
    if case.has("out.state_dict_names") || case.has("out.whitened") {
        formats_checkpoints::dirtorch(case, &file, &mut outputs)?;
    }
    formats_checkpoints::recognised(case, &file)?;
    Ok(outputs)
}

/// Reads `in.file`.
pub(crate) fn open(case: &Case) -> Result<File, String> {
    read_bytes(case.bytes("in.file")?).map_err(|error| format!("refused: {error}"))
}

/// `out.refused`: 1 must be refused, 2 may be refused or read; each within a second.
fn refused(case: &Case) -> Result<Outputs, String> {
    let order = case.params["order"].as_array().ok_or("params.order is missing")?;
    let Data::Int(wanted) = &case.array("out.refused")?.data else {
        return Err("out.refused does not hold whole numbers".into());
    };
    let mut wrong = Vec::new();
    for (file, wanted) in order.iter().zip(wanted) {
        let file = file.as_str().ok_or("params.order does not hold texts")?;
        let bytes = case.bytes(&format!("in.file.{file}"))?;
        let start = std::time::Instant::now();
        let read = read_bytes(bytes);
        let seconds = start.elapsed().as_secs_f64();
        match (&read, wanted) {
            (Ok(_), 1) => wrong.push(format!("{file} was read")),
            (Err(error), 1 | 2) if !is_sentence(&error.to_string()) => {
                wrong.push(format!("{file} was refused without a sentence: {error}"));
            }
            (_, 1 | 2) => {}
            _ => wrong.push(format!("out.refused of {file} is {wanted}")),
        }
        if seconds > 1.0 {
            wrong.push(format!("{file} took {seconds:.1} s"));
        }
    }
    let mut outputs = Outputs::new();
    let verdict = if order.len() != wanted.len() {
        Err("params.order and out.refused differ in length".to_owned())
    } else if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; "))
    };
    outputs.verdict("refused", verdict);
    Ok(outputs)
}

fn is_sentence(text: &str) -> bool {
    text.starts_with(|c: char| c.is_uppercase()) && text.trim_end().ends_with(['.', '?', ')'])
}
