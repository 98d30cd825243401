//! Lists, ground truths and parameter files, as the originals read them.

use super::formats_arrays::judge;
use super::{open, push_tree};
use crate::case::{Case, Outputs};
use serde_json::{Map, Value as Json, json};
use sightline::dataset::class_lists::ClassLists;
use sightline::dataset::dirtorch_lists::{self, Classes, LabelledList, classes, join};
use sightline::dataset::ground_truth::{self, Setup, truth_vector, with_ending};
use sightline::dataset::sfm120k::{self, Sfm120k};
use sightline::dataset::{Truth, cub, gldv2, how_params, in_shop, revisitop1m, sop, token_split};
use std::path::Path;

/// Computes every output of one case.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut outputs = Outputs::new();
    let json = match case.name.as_str() {
        "pickle_sfm120k" => return sfm120k(case, outputs),
        "token_gldv2_split" => return token_split(case, outputs),
        "dirtorch_clusters_json" => {
            let text = case.text("in.file.json")?;
            let unlabelled = dirtorch_lists::null_cluster(text)?.images;
            judge(case, "null_cluster", &json!(unlabelled), &mut outputs)?;
            labelled(&dirtorch_lists::clusters(text)?)
        }
        "dirtorch_list_labels_txt" => labelled(&dirtorch_lists::labelled_text(case.text("in.file.txt")?)?),
        "dirtorch_list_labels_json" => labelled(&dirtorch_lists::labelled_json(case.text("in.file.json")?)?),
        "dirtorch_list_labels_queries" => labelled_with_queries(case)?,
        "dirtorch_image_list" => image_list(case)?,
        "dirtorch_ground_truth" => ground_truth(case)?,
        "gldv2_csv" => landmarks(case)?,
        "cgd_cub_lists" => {
            let part = |name: &str| case.text(&format!("in.file.{name}"));
            let lists = cub::read(
                part("images")?,
                part("image_class_labels")?,
                part("bounding_boxes")?,
            )?;
            json!({"train": by_class(&lists.train), "test": by_class(&lists.test), "crops": lists.crops})
        }
        "cgd_sop_lists" => {
            let read = |part: &str| sop::read(case.text(part)?);
            let (train, test) = (read("in.file.train")?, read("in.file.test")?);
            json!({"train": by_class(&train), "test": by_class(&test)})
        }
        "cgd_isc_list" => {
            let parts = in_shop::read(case.text("in.file.list")?)?;
            json!({
                "train": by_class(&parts.train),
                "query": by_class(&parts.query),
                "gallery": by_class(&parts.gallery),
            })
        }
        "revisitop_1m_list" => {
            let names = revisitop1m::read(case.text("in.file.txt")?);
            let files: Vec<String> = names.iter().map(|name| revisitop1m::picture_path(name)).collect();
            json!({"imlist": names, "n": names.len(), "filenames": files})
        }
        "how_yaml_templates" => {
            let main = case.params["main"].as_str().ok_or("params.main is missing")?;
            how_params::load_with(Path::new(main), &|path| {
                let name = format!("in.file.{}", path.display());
                let text = case.text(&name).map_err(std::io::Error::other)?;
                Ok(text.to_owned())
            })?
        }
        other => return Err(format!("{other} is not known")),
    };
    judge(case, "json", &json, &mut outputs)?;
    Ok(outputs)
}

/// What dirtorch's LabelledDataset holds.
fn labelled(list: &LabelledList) -> Json {
    let classes = classes(&list.labels);
    Json::Object(labelled_parts(list, &classes))
}

fn labelled_parts(list: &LabelledList, classes: &Classes) -> Map<String, Json> {
    let count = list.images.len();
    let members = |class: usize| -> Vec<usize> {
        (0..count)
            .filter(|index| classes.indices[*index] == class)
            .collect()
    };
    let numbered = classes.names.iter().enumerate();
    let relevant: Vec<Json> = numbered
        .clone()
        .map(|(class, name)| (name, members(class)))
        .filter(|(_, members)| !members.is_empty())
        .map(|(name, members)| json!([name, members]))
        .collect();
    let index: Vec<Json> = numbered.map(|(class, name)| json!([name, class])).collect();
    let parts = json!({
        "images": list.images,
        "labels": list.labels,
        "classes": classes.names,
        "class_index": index,
        "relevant": relevant,
        "integer_labels": classes.indices[..count],
    });
    parts.as_object().cloned().unwrap_or_default()
}

fn labelled_with_queries(case: &Case) -> Result<Json, String> {
    let database = dirtorch_lists::labelled_text(case.text("in.file.database")?)?;
    let queries = dirtorch_lists::labelled_text(case.text("in.file.queries")?)?;
    let classes = classes(database.labels.iter().chain(&queries.labels));
    let (images, of_queries) = classes.indices.split_at(database.images.len());
    let truth: Vec<Vec<i8>> = of_queries
        .iter()
        .map(|class| {
            images
                .iter()
                .map(|other| if other == class { 1 } else { -1 })
                .collect()
        })
        .collect();
    let mut parts = labelled_parts(&database, &classes);
    parts.insert("query_images".into(), json!(queries.images));
    parts.insert("query_labels".into(), json!(queries.labels));
    parts.insert("query_integer_labels".into(), json!(of_queries));
    parts.insert("truth".into(), json!(truth));
    Ok(Json::Object(parts))
}

fn image_list(case: &Case) -> Result<Json, String> {
    let root = case.params["root"].as_str().ok_or("params.root is missing")?;
    let images = dirtorch_lists::image_list(case.text("in.file.txt")?);
    let files: Vec<String> = images.iter().map(|name| join(root, name)).collect();
    Ok(json!({"images": images, "filenames": files}))
}

/// The case shows the first images only.
fn ground_truth(case: &Case) -> Result<Json, String> {
    let root = case.params["root"].as_str().ok_or("params.root is missing")?;
    let folder = join(root, "jpg");
    let set = ground_truth::from_value(&open(case)?.value, "case", 0)?;
    set.validate().map_err(|error| error.to_string())?;
    let file = |name: &String| join(&folder, &with_ending(name, ".jpg"));
    let want: Json = serde_json::from_str(case.text("out.json")?).map_err(|error| error.to_string())?;
    let shown = want["images"]
        .as_array()
        .map_or(0, Vec::len)
        .min(set.images.len());
    let images: Vec<String> = set.images[..shown].iter().map(file).collect();
    let queries: Vec<String> = set.queries.iter().map(|query| file(&query.name)).collect();
    let setups: &[(&str, Setup)] = if matches!(set.truth, Truth::Classic(_)) {
        &[("classic", Setup::Classic)]
    } else {
        &[
            ("easy", Setup::Easy),
            ("medium", Setup::Medium),
            ("hard", Setup::Hard),
        ]
    };
    let truth: Map<String, Json> = setups
        .iter()
        .map(|(name, setup)| {
            let vectors: Vec<_> = (0..set.queries.len())
                .map(|query| truth_vector(&set, query, *setup))
                .collect();
            ((*name).to_owned(), json!(vectors))
        })
        .collect();
    let boxes: Vec<_> = set.queries.iter().map(|query| query.bbox).collect();
    Ok(json!({"images": images, "queries": queries, "rois": boxes, "truth": truth}))
}

fn landmarks(case: &Case) -> Result<Json, String> {
    let clean = gldv2::clean_train(case.text("in.file.clean")?)?;
    let all = gldv2::train(case.text("in.file.train")?)?;
    let paths: Vec<String> = clean
        .ids
        .iter()
        .map(|id| gldv2::picture_path("train", id))
        .collect();
    let relabeling: Vec<Json> = clean
        .landmarks
        .iter()
        .enumerate()
        .map(|(label, landmark)| json!([landmark, label]))
        .collect();
    let (ids, labels): (Vec<String>, Vec<i64>) = all.into_iter().unzip();
    Ok(json!({
        "clean_paths": paths,
        "clean_ids": clean.ids,
        "clean_labels": clean.labels,
        "relabeling": relabeling,
        "all_ids": ids,
        "all_labels": labels,
    }))
}

fn by_class(lists: &ClassLists) -> Json {
    json!(lists.classes)
}

/// The tree, and the path of every picture of the training part.
fn sfm120k(case: &Case, mut outputs: Outputs) -> Result<Outputs, String> {
    let file = open(case)?;
    push_tree(case, &file.value, &mut outputs)?;
    let set = Sfm120k::from_value(&file.value, "train")?;
    let files: Vec<String> = set
        .cids
        .iter()
        .map(|cid| sfm120k::picture_path("ims", cid))
        .collect();
    judge(case, "filenames", &json!(files), &mut outputs)?;
    Ok(outputs)
}

/// The tree; and the split must be one that becomes a data set.
fn token_split(case: &Case, mut outputs: Outputs) -> Result<Outputs, String> {
    let file = open(case)?;
    push_tree(case, &file.value, &mut outputs)?;
    let set = token_split::from_value(&file.value, "case")?;
    set.validate().map_err(|error| error.to_string())?;
    Ok(outputs)
}
