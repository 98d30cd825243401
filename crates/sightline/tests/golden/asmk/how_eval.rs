//! HOW's evaluation on toy descriptors: codebook, index (in one go, or in partitions on distractors), queries, mAP.

use super::index::{distractor_index, finish, push, queries, ranking, settings};
use super::toy::{Toy, text, whole};
use crate::case::{Case, Outputs};
use sightline::eval::positions::Positions;
use sightline::eval::revisited::{Measure, Setup, Undefined, means, measure};
use sightline::local::Codebook;
use sightline::local::asmk::{BuildSettings, Builder, search};
use sightline::search::{KMeansSettings, Points, Rows, k_means};
use std::ops::ControlFlow;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    let how = settings(case)?;
    let codebook = trained(case)?;
    let shape = [codebook.words(), codebook.dim()];
    out.f32("centroids", &shape, codebook.centroids().to_vec());
    let toy = Toy::new(case, "noise", "images")?;
    let folder = tempfile::tempdir().map_err(said)?;
    let [first, path] = ["distractors.sasmk", "index.sasmk"].map(|name| folder.path().join(name));
    let build = BuildSettings::default();
    let index = match case.params["partitions"].as_u64() {
        Some(partitions) => {
            let base = distractor_index(case, &codebook, &how, &first)?;
            let from = base.images();
            let count = toy.images.len() as f64;
            let bound = |part: u64| (count * (part as f64 / partitions as f64)) as usize;
            let mut builder = Builder::onto_distractors(&path, base, build).map_err(said)?;
            for part in 0..partitions - 1 {
                push(
                    &mut builder,
                    &toy.images[bound(part)..bound(part + 1)],
                    &codebook,
                    from,
                )?;
                builder = Builder::adding_to(&path, finish(builder, &path)?, build).map_err(said)?;
            }
            push(
                &mut builder,
                &toy.images[bound(partitions - 1)..],
                &codebook,
                from,
            )?;
            finish(builder, &path)?
        }
        None => {
            let mut builder = Builder::new(&path, how.card(&codebook, None), build).map_err(said)?;
            push(&mut builder, &toy.images, &codebook, 0)?;
            finish(builder, &path)?
        }
    };
    let found = search(&index, &queries(case, &codebook, &how)?, &how.kernel, None).map_err(said)?;
    ranking(case, &index, &found, &mut out)?;
    // Distractors are in no list of the ground truth, so any number behind the database's does for them.
    let images = toy.images.len();
    let lists: Vec<Vec<u32>> = found
        .iter()
        .map(|hits| {
            let number = |id: u32| usize::try_from(index.number(id)).unwrap_or(images + id as usize);
            hits.iter().map(|hit| number(hit.id) as u32).collect()
        })
        .collect();
    metrics(case, images, &lists, &mut out)?;
    Ok(out)
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// The codebook of the first images of the training set.
fn trained(case: &Case) -> Result<Codebook, String> {
    let toy = Toy::new(case, "tnoise", "train_images")?;
    let used = toy.images.iter().take(whole(case, "train_used")?);
    let rows = used.map(|(_, values)| Rows::f32(values, toy.dim)).collect();
    let points = Points::new(rows).map_err(said)?;
    let settings = KMeansSettings {
        iterations: whole(case, "kmeans_iterations")?,
        ..KMeansSettings::new(whole(case, "words")?)
    };
    let state = k_means(&points, &settings, None, &mut |_| ControlFlow::Continue(())).map_err(said)?;
    Codebook::new(toy.dim, state.centroids).map_err(said)
}

/// mAP, mP@k and the medium AP of each query, for the ground truth that the case's text states.
fn metrics(case: &Case, images: usize, lists: &[Vec<u32>], out: &mut Outputs) -> Result<(), String> {
    let classes = whole(case, "classes")?;
    // "... mod 3: 0 easy, 1 hard, 2 junk".
    let rule = text(case, "gnd")?.rsplit_once("mod ");
    let rule = rule.and_then(|(_, rule)| rule.split_once(": "));
    let (kinds, words) = rule.ok_or("the ground truth is not understood")?;
    let kinds: usize = kinds.parse().map_err(said)?;
    let kind_called = |word: &str| {
        let mut kinds = words.split(", ").filter_map(|kind| kind.split_once(' '));
        let (kind, _) = kinds
            .find(|(_, called)| *called == word)
            .ok_or(format!("nothing is {word}"))?;
        kind.parse::<usize>().map_err(said)
    };
    let kind_numbers = [kind_called("easy")?, kind_called("hard")?, kind_called("junk")?];
    let kappas = numbers(text(case, "mpk")?);
    let of_kind = |query: usize, kind: usize| -> Vec<u32> {
        let images = (0..images).filter(|image| image % classes == query % classes);
        images
            .filter(|image| image / classes % kinds == kind)
            .map(|image| image as u32)
            .collect()
    };
    let (mut map, mut mpk) = (Vec::new(), Vec::new());
    for setup in Setup::ALL {
        let measures: Vec<Measure> = lists
            .iter()
            .enumerate()
            .map(|(query, list)| {
                let [easy, hard, junk] = kind_numbers.map(|kind| of_kind(query, kind));
                let (positives, removed) = setup.split(&easy, &hard, &junk);
                let found = Positions::in_list(list, &positives.concat(), &removed.concat());
                measure(&found, &kappas, Undefined::Nan)
            })
            .collect();
        if setup == Setup::Medium {
            let aps = measures.iter().map(|measure| measure.ap).collect();
            out.f64("ap_medium", &[lists.len()], aps);
        }
        let means = means(&measures);
        map.push(means.map);
        mpk.extend(means.precisions);
    }
    out.f64("map", &[map.len()], map);
    out.f64("mpk", &[Setup::ALL.len(), kappas.len()], mpk);
    Ok(())
}

/// The whole numbers in a text.
fn numbers(text: &str) -> Vec<usize> {
    text.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}
