//! `sightline search`: the pictures that show the same thing as the query.

mod local_query;

use crate::args::{JunkChoice, SearchArgs};
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use crate::{model_choice, pictures, rerank_choice, whitening_choice};
use anyhow::Context as _;
use local_query::LocalQuery;
use serde::Serialize;
use sightline::card::{refuse_to_mix, remarks};
use sightline::descriptor::DescriptorSet;
use sightline::extract::{FolderCache, Skipped, cache_root};
use sightline::rerank::{LocalAccess, Rankings, Step, explain};
use sightline::{Describer, StageOptions};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct Answers<'a> {
    query: String,
    #[serde(rename = "box")]
    region: Option<[f64; 4]>,
    answers: Vec<Answer>,
    skipped: &'a [Skipped],
    card: serde_json::Value,
}

#[derive(Serialize)]
struct Answer {
    rank: usize,
    name: String,
    path: String,
    score: f32,
    /// Where it stood after the search and after each stage of re-ranking, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stages: Vec<Step>,
}

/// What is searched.
struct Collection {
    set: DescriptorSet,
    /// Where the pictures lie, if that is known.
    folder: Option<PathBuf>,
    skipped: Vec<Skipped>,
}

pub(crate) fn run(args: &SearchArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let region = region(&args.region)?;
    if args.k == 0 {
        return Err(usage("-k 0 asks for no answers"));
    }
    model_choice::check(&args.model, &args.recipe)?;
    let set = args.features.as_ref().map(DescriptorSet::open).transpose()?;
    let stages = StageOptions {
        device: args.model.device.clone(),
        threads,
        images: set.as_ref().map_or(Vec::new(), |set| set.names().to_vec()),
        queries: Vec::new(),
    };
    let mut chain = rerank_choice::chain("--rerank", &rerank_choice::typed(&args.rerank), &stages)?;
    let local = LocalQuery::describe(args, &chain, threads, screen)?;
    let model = model_choice::model(&args.model, screen)?;
    // A plain set is whitened after it was opened, and the query with it, after it was described as the set was.
    let plain = set.as_ref().filter(|set| !says_whitened(set));
    let options = match plain {
        Some(_) => args.model.without_whitening(),
        None => args.model.clone(),
    };
    let card = set.as_ref().and_then(DescriptorSet::card);
    let mut describer = match card {
        // A query is described as its collection was, unless something else is asked for.
        Some(card) if args.recipe.is_default() && args.model.asks_for_no_scales() => {
            model_choice::describer_like(card, &model, &options, &args.recipe, threads)?
        }
        _ => model_choice::describer(&model, &options, &args.recipe, threads, model_choice::EXTRACTING)?,
    };
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let query = describer.describe_file(&args.query, region.map(|[x, y, w, h]| [x, y, x + w, y + h]))?;
    let (query, set) = match (&args.model.whiten, plain) {
        (Some(wanted), Some(plain)) => {
            let how = whitening_choice::of_model(&args.model, model_choice::EXTRACTING);
            let whiten =
                |set: &DescriptorSet| whitening_choice::whiten(&model.whitenings, wanted, &how, set, screen);
            (whiten(&query)?, Some(whiten(plain)?))
        }
        _ => (query, set),
    };
    let collection = match set {
        Some(set) => Collection {
            set,
            folder: None,
            skipped: Vec::new(),
        },
        None => folder(args, &mut describer, screen)?,
    };
    let set = &collection.set;
    if let (Some(left), Some(right)) = (set.card(), query.card()) {
        refuse_to_mix(
            &set.source().display().to_string(),
            left,
            &args.query.display().to_string(),
            right,
        )?;
        for difference in remarks(left, right)
            .iter()
            .filter(|difference| difference.field != "date")
        {
            screen.say(&format!("remark: {difference}"));
        }
    }
    let graph = match &args.rerank.graph {
        Some(path) => Some(rerank_choice::stored_graph(path, set, &[])?),
        None => None,
    };
    let own = if args.exclude_self {
        own_row(args, &collection)
    } else {
        None
    };
    let shortlist = match args.rerank.shortlist {
        Some(length) => length as usize,
        None => chain.reach(set.len(), 1),
    };
    let length = args.k.max(shortlist).min(set.len());
    let excluded = vec![own.map(|row| row as u32).into_iter().collect()];
    let mut rankings = Rankings::search(query.rows(), set.rows(), Vec::new(), length, excluded)
        .map_err(sightline::Error::from)?;
    rankings.neighbours = graph.as_ref();
    let of_query = |_| local.as_ref().map(LocalQuery::query);
    let of_image = |row: usize| local.as_ref()?.image(set.names().get(row)?);
    rankings.local = local.as_ref().map(|_| LocalAccess {
        query: &of_query,
        image: &of_image,
    });
    let reranked = rerank_choice::run(&mut chain, rankings, screen)?;
    let trace = &reranked.trace;
    let hits = reranked.rankings.lists.into_iter().flatten().take(args.k);
    let answers: Vec<Answer> = hits
        .enumerate()
        .map(|(rank, hit)| {
            let name = set.names()[hit.index].clone();
            let path = collection
                .folder
                .as_ref()
                .map_or_else(|| name.clone(), |folder| folder.join(&name).display().to_string());
            Answer {
                rank: rank + 1,
                name,
                path,
                score: hit.score,
                stages: if chain.stages.is_empty() {
                    Vec::new()
                } else {
                    explain(trace, 0, hit.index)
                },
            }
        })
        .collect();
    if args.json {
        let mut card = query.card().unwrap_or(describer.card()).to_value();
        if !chain.stages.is_empty() {
            card["rerank"] = rerank_choice::card(&chain, length, JunkChoice::After);
        }
        print_json(&Answers {
            query: args.query.display().to_string(),
            region,
            answers,
            skipped: &collection.skipped,
            card,
        })?;
    } else {
        let mut lines = String::new();
        for answer in &answers {
            let _ = writeln!(
                lines,
                "{:>3}  {:.4}  {}",
                answer.rank,
                answer.score,
                printable(&answer.path)
            );
        }
        print(&lines)?;
    }
    Ok(if collection.skipped.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Whether a set's card says that it is whitened.
fn says_whitened(set: &DescriptorSet) -> bool {
    set.card().is_some_and(|card| card.identity.whitening.is_some())
}

/// Left, top, width and height of `--box`.
pub(crate) fn region(numbers: &[f64]) -> anyhow::Result<Option<[f64; 4]>> {
    match numbers {
        [] => Ok(None),
        [x, y, width, height] if numbers.iter().all(|n| n.is_finite()) && *width > 0.0 && *height > 0.0 => {
            Ok(Some([*x, *y, *width, *height]))
        }
        _ => Err(usage(
            "--box takes left, top, width and height in pixels, such as --box 10,20,300,200",
        )),
    }
}

/// Brings the folder's cached set up to date.
fn folder(args: &SearchArgs, describer: &mut Describer, screen: &Screen) -> anyhow::Result<Collection> {
    let folder = args
        .folder
        .as_deref()
        .ok_or_else(|| usage("search takes --in FOLDER or --features SET"))?;
    let found = pictures::of_folder(folder)?;
    let cache = FolderCache::open(&cache_root()?, folder, describer.card())?;
    let bar = screen.bar(found.pictures.len() as u64, "pictures");
    let options = describer.options();
    let (prepare, mut network) = describer.parts();
    let report = cache.update(&found.pictures, prepare, &mut network, &options, &mut |now| {
        bar.set_position((now.done + now.failed) as u64);
    });
    bar.finish_and_clear();
    let report =
        report.with_context(|| format!("the descriptors of {} were brought up to date", folder.display()))?;
    screen.say(&format!(
        "{} pictures: {} from the cache, {} described now, {} gone, {} unreadable",
        report.set.len(),
        report.kept,
        report.described,
        report.removed,
        report.skipped.len()
    ));
    let mut skipped = report.skipped;
    skipped.extend(found.missing);
    for picture in &skipped {
        screen.warn(&format!("{}: {}", printable(&picture.path), picture.reason));
    }
    Ok(Collection {
        set: report.set,
        folder: Some(folder.to_owned()),
        skipped,
    })
}

/// The row of the query picture itself: the same file in a folder, the same name in a set.
fn own_row(args: &SearchArgs, collection: &Collection) -> Option<usize> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let names = collection.set.names();
    match &collection.folder {
        Some(folder) => {
            let query = real(&args.query)?;
            names
                .iter()
                .position(|name| real(&folder.join(name)).is_some_and(|path| path == query))
        }
        None => {
            let given = args.query.to_string_lossy();
            let file = args.query.file_name()?.to_string_lossy();
            let same_file = |name: &String| {
                Path::new(name)
                    .file_name()
                    .is_some_and(|own| own.to_string_lossy() == file)
            };
            names
                .iter()
                .position(|name| *name == given)
                .or_else(|| names.iter().position(same_file))
        }
    }
}
