//! Sign bits, aggregation, the match kernel and the inverted file.

use super::toy::{Toy, codebook, text, truth, whole};
use crate::case::{Case, Data, Outputs};
use sightline::checkpoint::formula::uniform;
use sightline::local::Codebook;
use sightline::local::asmk::bits::{distance, pack, packed_len};
use sightline::local::asmk::{
    Aggregated, AsmkSettings, BuildSettings, Builder, Hit, Index, MatchKernel, Vectors, aggregate_images,
    search,
};
use sightline::search::Rows;
use std::path::Path;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "bits" => bits(case, &mut out)?,
        "kernel_binary" | "kernel_float" => kernels(case, &mut out)?,
        "aggregate_binary" | "aggregate_float" => aggregation(case, &mut out)?,
        "ivf_distractors" => distractors(case, &mut out)?,
        _ => inverted_file(case, &mut out)?,
    }
    Ok(out)
}

fn said(error: impl ToString) -> String {
    error.to_string()
}

/// The ending of the names `out.PREFIX*`.
fn endings(case: &Case, prefix: &str) -> Vec<String> {
    let names = case.names(prefix).into_iter();
    names.map(|name| name[prefix.len()..].to_owned()).collect()
}

fn bits(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (rows, seed) = (whole(case, "rows")?, whole(case, "seed")? as u64);
    let input = text(case, "input")?.split('\'').nth(1).ok_or("no formula")?;
    for ending in endings(case, "out.packed.") {
        let dim: usize = ending.parse().map_err(said)?;
        let name = input.replace("<D>", &ending);
        let mut x: Vec<f32> = uniform(&name, seed, rows * dim)
            .iter()
            .map(|value| *value as f32)
            .collect();
        // The rows of special values that the case's text describes.
        for d in 0..dim {
            x[d] = 0.0;
            x[dim + d] = if d % 2 == 0 { 0.0 } else { -0.0 };
        }
        x[3 * dim - 1] = 1e-30;
        x[2 * dim] = -1e-30;
        let packed: Vec<Vec<u32>> = x
            .chunks(dim)
            .map(|row| {
                let mut packed = Vec::new();
                pack(row, &mut packed);
                packed
            })
            .collect();
        out.ints(
            &format!("packed.{dim}"),
            &[rows, packed_len(dim)],
            &packed.concat(),
        );
        for (name, divisor) in [("distance", None), ("distance_by_dim", Some(dim as f32))] {
            let all = packed
                .iter()
                .flat_map(|a| packed.iter().map(move |b| distance(a, b, divisor)));
            out.f32(&format!("{name}.{dim}"), &[rows, rows], all.collect());
        }
    }
    Ok(())
}

fn kernels(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let ids: Vec<i64> = case.array("in.image_ids")?.to_ints()?;
    let settings = case.params["settings_alpha_threshold"]
        .as_array()
        .ok_or("no settings")?;
    for dim in endings(case, "in.q.") {
        let (query, entries) = (
            case.array(&format!("in.q.{dim}"))?,
            case.array(&format!("in.v.{dim}"))?,
        );
        for (number, setting) in settings.iter().enumerate() {
            let value = |at: usize| setting[at].as_f64().ok_or("a setting is no pair of numbers");
            let kernel = MatchKernel {
                alpha: value(0)? as f32,
                threshold: value(1)? as f32,
            };
            let (kept, values) = if truth(case, "binary")? {
                let (query, entries): (Vec<u32>, Vec<u32>) = (query.to_ints()?, entries.to_ints()?);
                kernel.matches(Vectors::Binary(&query), Vectors::Binary(&entries))
            } else {
                let (query, entries) = (query.to_f32(), entries.to_f32());
                kernel.matches(Vectors::Float(&query), Vectors::Float(&entries))
            };
            let images: Vec<i64> = kept.iter().map(|entry| ids[*entry]).collect();
            out.ints(&format!("images.{dim}.{number}"), &[images.len()], &images);
            out.f32(&format!("sim.{dim}.{number}"), &[values.len()], values);
        }
    }
    Ok(())
}

fn aggregation(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (codebook, toy) = (codebook(case)?, Toy::new(case, "noise", "images")?);
    let binary = truth(case, "binary")?;
    let extra = extra_features(case)?;
    for multiple in endings(case, "out.words.") {
        let mut images = toy.images.clone();
        let multiple_words: usize = multiple.parse().map_err(said)?;
        if let Some((only, more)) = &extra
            && *only == multiple_words
        {
            let more = more.iter().map(|(image, words)| {
                let values = words.iter().flat_map(|word| codebook.word(*word).to_vec());
                (*image, values.collect())
            });
            images.extend(more);
        }
        let rows: Vec<Rows<'_>> = images
            .iter()
            .map(|(_, values)| Rows::f32(values, toy.dim))
            .collect();
        let got = aggregate_images(&codebook, &rows, multiple_words, binary).map_err(said)?;
        let words: Vec<u32> = got.iter().flat_map(|image| image.words.clone()).collect();
        let ids: Vec<i64> = images
            .iter()
            .zip(&got)
            .flat_map(|((id, _), got)| vec![*id as i64; got.words.len()])
            .collect();
        let units: Vec<u32> = got.into_iter().flat_map(|image| image.units).collect();
        let shape = [words.len(), units.len() / words.len().max(1)];
        let name = format!("des.{multiple}");
        if binary {
            out.ints(&name, &shape, &units);
        } else {
            out.f32(&name, &shape, units.into_iter().map(f32::from_bits).collect());
        }
        out.ints(&format!("words.{multiple}"), &[words.len()], &words);
        out.ints(&format!("images.{multiple}"), &[ids.len()], &ids);
    }
    Ok(())
}

/// For which assignment, and for each further image the words whose centroids are its features.
type Extra = (usize, Vec<(usize, Vec<u32>)>);

/// What the case says in words such as "for assignment 1 only, ...: image 40: codeword 0, codeword 5; image 41:
/// codeword 3 twice".
fn extra_features(case: &Case) -> Result<Option<Extra>, String> {
    let Some(said_by_case) = case.params["extra"].as_str() else {
        return Ok(None);
    };
    let (head, list) = said_by_case
        .split_once(": ")
        .ok_or("the extra features are not understood")?;
    let number = |text: &str| -> Result<usize, String> {
        let digits = text.chars().skip_while(|c| !c.is_ascii_digit());
        let digits: String = digits.take_while(char::is_ascii_digit).collect();
        digits.parse().map_err(|_| format!("no number in {text:?}"))
    };
    let images = list.split("; ").map(|image| {
        let (id, words) = image
            .split_once(": ")
            .ok_or("an image of the extra features is not understood")?;
        let mut all = Vec::new();
        for word in words.split(", ") {
            let times = if word.ends_with("twice") { 2 } else { 1 };
            all.extend(vec![number(word)? as u32; times]);
        }
        Ok::<_, String>((number(id)?, all))
    });
    Ok(Some((number(head)?, images.collect::<Result<_, _>>()?)))
}

pub(super) fn settings(case: &Case) -> Result<AsmkSettings, String> {
    let number = |key: &str| case.params[key].as_f64().ok_or(format!("no parameter {key}"));
    Ok(AsmkSettings {
        binary: truth(case, "binary")?,
        idf: truth(case, "use_idf")?,
        assignment: whole(case, "db_assignment")?,
        query_assignment: whole(case, "query_assignment")?,
        kernel: MatchKernel {
            alpha: number("alpha")? as f32,
            threshold: number("similarity_threshold")? as f32,
        },
    })
}

/// Adds images to the builder under their ids, which begin anew at `from`.
pub(super) fn push(
    builder: &mut Builder,
    images: &[(usize, Vec<f32>)],
    codebook: &Codebook,
    from: usize,
) -> Result<(), String> {
    let card = builder.card().clone();
    let rows: Vec<Rows<'_>> = images
        .iter()
        .map(|(_, values)| Rows::f32(values, card.dim))
        .collect();
    let all = aggregate_images(codebook, &rows, card.assignment, card.binary).map_err(said)?;
    for ((id, _), image) in images.iter().zip(&all) {
        builder.skip_to(from + id).map_err(said)?;
        builder.push(&id.to_string(), image).map_err(said)?;
    }
    Ok(())
}

pub(super) fn finish(builder: Builder, path: &Path) -> Result<Index, String> {
    builder.finish(&mut |_, _| {}).map_err(said)?;
    let index = Index::open(path).map_err(said)?;
    index.verify().map_err(said)?;
    Ok(index)
}

/// `ranks` and `scores`, as many places as the case has.
pub(super) fn ranking(
    case: &Case,
    index: &Index,
    found: &[Vec<Hit>],
    out: &mut Outputs,
) -> Result<(), String> {
    let places = case.array("out.ranks")?.shape[1];
    let places = found.iter().map(|hits| hits.len().min(places)).min().unwrap_or(0);
    let hits: Vec<Hit> = found.iter().flat_map(|hits| hits[..places].to_vec()).collect();
    let ranks: Vec<i64> = hits.iter().map(|hit| index.number(hit.id)).collect();
    out.ints("ranks", &[found.len(), places], &ranks);
    out.f64(
        "scores",
        &[found.len(), places],
        hits.iter().map(|hit| hit.score).collect(),
    );
    Ok(())
}

pub(super) fn queries(
    case: &Case,
    codebook: &Codebook,
    how: &AsmkSettings,
) -> Result<Vec<Aggregated>, String> {
    let toy = Toy::new(case, "qnoise", "queries")?;
    aggregate_images(codebook, &toy.rows(), how.query_assignment, how.binary).map_err(said)
}

fn inverted_file(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (codebook, how) = (codebook(case)?, settings(case)?);
    let toy = Toy::new(case, "noise", "images")?;
    let folder = tempfile::tempdir().map_err(said)?;
    let path = folder.path().join("index.sasmk");
    let chunks = case.params["chunks"].as_array().ok_or("no chunks")?;
    let (mut index, mut done): (Option<Index>, usize) = (None, 0);
    for chunk in chunks {
        let count = chunk.as_u64().ok_or("a chunk is no number")? as usize;
        // So little memory that there are intermediate files.
        let build = BuildSettings { memory: 1 << 13 };
        let mut builder = match index.take() {
            Some(index) => Builder::adding_to(&path, index, build),
            None => Builder::new(&path, how.card(&codebook, None), build),
        }
        .map_err(said)?;
        push(&mut builder, &toy.images[done..done + count], &codebook, 0)?;
        index = Some(finish(builder, &path)?);
        done += count;
    }
    let index = index.ok_or("no chunks")?;
    let topk = case.params["topk"].as_u64().map(|k| k as usize);
    let found = search(&index, &queries(case, &codebook, &how)?, &how.kernel, topk).map_err(said)?;
    ranking(case, &index, &found, out)?;
    let counts: Vec<i64> = index.counts().map(|count| count as i64).collect();
    let longest = (0..counts.len())
        .rev()
        .max_by_key(|word| counts[*word])
        .ok_or("no words")?;
    let images = index.entries_of(longest as u32).0;
    out.ints("longest_word_images", &[images.len()], images);
    out.ints("counts", &[counts.len()], &counts);
    norms(&index, out);
    let stats = serde_json::to_value(index.stats()).map_err(said)?;
    let names = text(case, "stats")?.split(", ");
    let stats: Option<Vec<f64>> = names.map(|name| stats[name].as_f64()).collect();
    let stats = stats.ok_or("the case asks for a figure that stats do not give")?;
    out.push("stats", &[stats.len()], Data::F64(stats));
    Ok(())
}

fn norms(index: &Index, out: &mut Outputs) {
    out.f32("idf", &[index.idf().len()], index.idf().to_vec());
    out.f64("norm", &[index.norms().len()], index.norms().to_vec());
}

/// An index of the set with that tag.
pub(super) fn distractor_index(
    case: &Case,
    codebook: &Codebook,
    how: &AsmkSettings,
    path: &Path,
) -> Result<Index, String> {
    let toy = Toy::new(case, "dnoise", "distractors")?;
    let mut builder = Builder::new(path, how.card(codebook, None), BuildSettings::default()).map_err(said)?;
    push(&mut builder, &toy.images, codebook, 0)?;
    finish(builder, path)
}

fn distractors(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (codebook, how) = (codebook(case)?, settings(case)?);
    let folder = tempfile::tempdir().map_err(said)?;
    let [first, path] = ["distractors.sasmk", "index.sasmk"].map(|name| folder.path().join(name));
    let base = distractor_index(case, &codebook, &how, &first)?;
    let from = base.images();
    let mut builder = Builder::onto_distractors(&path, base, BuildSettings::default()).map_err(said)?;
    push(
        &mut builder,
        &Toy::new(case, "noise", "images")?.images,
        &codebook,
        from,
    )?;
    let index = finish(builder, &path)?;
    let found = search(&index, &queries(case, &codebook, &how)?, &how.kernel, None).map_err(said)?;
    ranking(case, &index, &found, out)?;
    norms(&index, out);
    Ok(())
}
