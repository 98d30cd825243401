//! Array files: npy, npz, safetensors, Matlab 5; and what the originals make of Cars 196 and of NetVLAD's dbStruct.

use super::formats_tree::difference;
use super::{open, push_tree};
use crate::case::{Case, Outputs};
use serde_json::{Map, Value as Json, json};
use sightline::checkpoint::{Storage, Value, npy};
use sightline::dataset::cars::{Cars, ClassMembers};
use sightline::dataset::netvlad_dbstruct::DbStruct;

/// Computes every output of one case: the tree, and what stands beside it.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let file = open(case)?;
    let mut outputs = Outputs::new();
    push_tree(case, &file.value, &mut outputs)?;
    if case.has("out.fortran") {
        let storage = Storage::from_vec(case.bytes("in.file")?.to_vec());
        let read = npy::read(&storage).map_err(|error| error.to_string())?;
        outputs.ints("fortran", &[1], &[u8::from(read.fortran_order)]);
    }
    if case.has("out.metadata") {
        let texts: Map<String, Json> = file
            .metadata
            .iter()
            .map(|(key, text)| (key.clone(), json!(text)))
            .collect();
        // A hash map in the original: the order of the keys means nothing.
        judge_sorted(case, "metadata", &Json::Object(texts), &mut outputs)?;
    }
    if case.has("out.samples") {
        let cars = Cars::from_value(&file.value)?;
        let (training, validation) = cars.tensorflow_split();
        let samples = json!({
            "training": samples(&cars, &training),
            "validation": samples(&cars, &validation),
        });
        judge(case, "samples", &samples, &mut outputs)?;
    }
    if case.has("out.json") {
        judge(case, "json", &places(&file.value)?, &mut outputs)?;
    }
    Ok(outputs)
}

/// Judges a computed JSON against `out.NAME`.
pub(crate) fn judge(case: &Case, name: &str, got: &Json, outputs: &mut Outputs) -> Result<(), String> {
    let want: Json = serde_json::from_str(case.text(&format!("out.{name}"))?)
        .map_err(|error| format!("out.{name}: {error}"))?;
    outputs.verdict(name, difference(&want, got, "").map_or(Ok(()), Err));
    Ok(())
}

fn judge_sorted(case: &Case, name: &str, got: &Json, outputs: &mut Outputs) -> Result<(), String> {
    let sorted = |json: &Json| {
        let mut entries: Vec<(String, Json)> = json
            .as_object()
            .map(|entries| entries.clone().into_iter().collect())
            .unwrap_or_default();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Json::Object(entries.into_iter().collect())
    };
    let want: Json = serde_json::from_str(case.text(&format!("out.{name}"))?)
        .map_err(|error| format!("out.{name}: {error}"))?;
    outputs.verdict(
        name,
        difference(&sorted(&want), &sorted(got), "").map_or(Ok(()), Err),
    );
    Ok(())
}

/// `[id, [[path, id, name], ...]]` for each class.
fn samples(cars: &Cars, classes: &[ClassMembers]) -> Json {
    let of_class = |(id, members): &ClassMembers| {
        let cars: Vec<Json> = members
            .iter()
            .map(|index| json!([cars.cars[*index].path, id, cars.class_names[*id]]))
            .collect();
        json!([id, cars])
    };
    classes.iter().map(of_class).collect()
}

/// The fields under the names of the original's tuple.
fn places(value: &Value) -> Result<Json, String> {
    let places = DbStruct::from_value(value)?;
    Ok(json!({
        "whichSet": places.which_set,
        "dataset": DbStruct::dataset_of(""),
        "dbImage": places.db_image,
        "utmDb": places.utm_db,
        "qImage": places.q_image,
        "utmQ": places.utm_q,
        "numDb": places.num_db,
        "numQ": places.num_q,
        "posDistThr": places.pos_dist_thr,
        "posDistSqThr": places.pos_dist_sq_thr,
        "nonTrivPosDistSqThr": places.non_triv_pos_dist_sq_thr,
    }))
}
