//! What the checkpoints of the originals are recognised as: names, whitenings, conversions.

use super::formats_tree::{difference, push_trees};
use crate::case::{Case, Data, Outputs};
use serde_json::{Value as Json, json};
use sightline::checkpoint::recognise::{Project, WhiteningForm, WhiteningParams, how_to_current};
use sightline::checkpoint::{File, recognise};
use sightline::descriptor::{Whitening, WhiteningSettings};

/// `out.state_dict_names` and `out.whitened`, with the settings of params.
pub(crate) fn dirtorch(case: &Case, file: &File, outputs: &mut Outputs) -> Result<(), String> {
    let known = recognise(&file.value);
    let names: Vec<&str> = known.state_dict.iter().map(|(name, _)| name.as_str()).collect();
    let want: Json = serde_json::from_str(case.text("out.state_dict_names")?)
        .map_err(|error| format!("out.state_dict_names: {error}"))?;
    let verdict = difference(&want, &json!(names), "");
    outputs.verdict("state_dict_names", verdict.map_or(Ok(()), Err));

    let (name, params) = known.whitenings.first().ok_or("no whitening was found")?;
    let settings = WhiteningSettings {
        power: case.params["whitenp"]
            .as_f64()
            .ok_or("params.whitenp is missing")?,
        multiplier: case.params["whitenm"]
            .as_f64()
            .ok_or("params.whitenm is missing")?,
        dims: case.params["whitenv"].as_u64().map(|dims| dims as usize),
        l2: true,
    };
    let whitening = whitening(name, params, &settings)?;
    let rows = case.array("in.x")?;
    let whitened = whitening
        .apply_f64(&rows.to_f64())
        .map_err(|error| error.to_string())?;
    let shape = [rows.shape[0], whitening.output_dim()];
    // As wide as the original's: numpy subtracts a 64-bit mean from 32-bit rows.
    match case.array("out.whitened")?.data {
        Data::F32(_) => outputs.f32("whitened", &shape, whitened.iter().map(|v| *v as f32).collect()),
        _ => outputs.f64("whitened", &shape, whitened),
    }
    Ok(())
}

fn whitening(
    name: &str,
    params: &WhiteningParams,
    settings: &WhiteningSettings,
) -> Result<Whitening, String> {
    let text = |error: sightline::checkpoint::TensorError| error.to_string();
    let mean = params.mean_f64().map_err(text)?;
    let matrix = params.matrix_f64().map_err(text)?;
    let variance = params.variance_f64().map_err(text)?.unwrap_or_default();
    let needed = || mean.clone().ok_or("the whitening has no mean");
    match params.form {
        WhiteningForm::PcaWhiten => Whitening::pca(name, mean, matrix, &variance, true, settings),
        WhiteningForm::Pca => Whitening::pca(name, mean, matrix, &variance, false, settings),
        WhiteningForm::MeansW => Whitening::plain(name, needed()?, &matrix, settings),
        WhiteningForm::MeanP => Whitening::cirtorch(name, needed()?, matrix, settings),
    }
    .map_err(|error| error.to_string())
}

/// `out.converted`, whose arrays follow those of `out.tree`.
pub(crate) fn converted(case: &Case, file: &File, outputs: &mut Outputs) -> Result<(), String> {
    let converted = how_to_current(&file.value).ok_or("it is not taken for an old checkpoint of HOW")?;
    push_trees(case, &[("tree", &file.value), ("converted", &converted)], outputs)
}

/// Every checkpoint is taken for its own project's, by the beginning of the case's name, with all its weights.
pub(crate) fn recognised(case: &Case, file: &File) -> Result<(), String> {
    let (Some((start, what)), known) = (case.name.split_once('_'), recognise(&file.value)) else {
        return Ok(());
    };
    let is_network = [
        "checkpoint",
        "training",
        "published",
        "weights",
        "state",
        "model",
        "meters",
    ]
    .iter()
    .any(|word| what.contains(word));
    let want = match start {
        _ if !is_network => return Ok(()),
        "dirtorch" => Project::Dirtorch,
        "cirtorch" => Project::Cirtorch,
        "solar" => Project::Solar,
        "token" => Project::Token,
        "csa" => Project::Csa,
        "how" => Project::How,
        "delg" => Project::Delg,
        "superglobal" => Project::Superglobal,
        "netvlad" => Project::Netvlad,
        "cgd" => Project::Cgd,
        _ => return Ok(()),
    };
    if known.project != want {
        return Err(format!("taken for {:?} instead of {want:?}", known.project));
    }
    if known.state_dict.is_empty()
        || known
            .state_dict
            .iter()
            .any(|(name, _)| name.split('.').any(|part| part == "module"))
    {
        return Err("its state dict is empty or keeps the prefix `module.`".into());
    }
    Ok(())
}
