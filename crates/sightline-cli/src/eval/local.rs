//! The evaluation of local features: files or a model, a codebook, and ASMK's rankings or VLADs.

use super::described::Described;
use crate::args::{EvalArgs, LocalEvalArgs, LocalMethod, Side};
use crate::extract::printable;
use crate::output::usage;
use crate::pictures;
use crate::progress::Screen;
use crate::{model_choice, whitening_choice};
use anyhow::Context as _;
use serde::Serialize;
use sightline::card::{Card, refuse_to_mix, remarks};
use sightline::dataset::Dataset;
use sightline::descriptor::{DescriptorSet, RowType};
use sightline::eval::RankedLists;
use sightline::extract::{Extraction, Skipped};
use sightline::local::asmk::{
    AsmkSettings, BuildSettings, Builder, Index, MatchKernel, aggregate_file, search,
};
use sightline::local::{Codebook, FeatureFile, Trained, extract_local, write_vlad_set};
use sightline::{LocalAnswers, query_places};
use std::path::Path;

/// What an evaluation with ASMK found.
pub(super) struct Ranked {
    pub(super) lists: RankedLists,
    pub(super) missing: Vec<Skipped>,
    pub(super) distractors: usize,
    /// The card of the local features.
    pub(super) card: Option<Card>,
    /// What was made of them.
    pub(super) made: LocalCard,
    /// The features themselves.
    pub(super) sides: Sides,
}

/// What was made of local features, for the output.
#[derive(Serialize)]
pub(crate) struct LocalCard {
    method: &'static str,
    words: usize,
    /// SHA-256 of the codebook's words.
    codebook: String,
    trained: Option<Trained>,
    assignment: usize,
    query_assignment: usize,
    alpha: f32,
    threshold: f32,
    idf: bool,
}

/// Local features of both sides.
pub(super) struct Sides {
    /// None where an inverted file stands in their place.
    pub(super) database: Option<FeatureFile>,
    /// None where the database queries itself.
    pub(super) queries: Option<FeatureFile>,
    missing: Vec<Skipped>,
}

/// Ranks the database for every query with ASMK.
pub(super) fn ranked(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    screen: &Screen,
) -> anyhow::Result<Ranked> {
    let local = &args.local;
    let binary = local.local == Some(LocalMethod::AsmkStar);
    let codebook = codebook(local)?;
    let settings = AsmkSettings {
        binary,
        idf: local.idf,
        assignment: local.assign,
        query_assignment: local.query_assign,
        kernel: MatchKernel {
            alpha: local.alpha,
            threshold: local.threshold,
        },
    };
    let distractors = match &args.distractors[..] {
        [] => None,
        [one] if local.index.is_none() => Some(Index::open(one)?),
        [_] => {
            return Err(usage(
                "--index with --distractors: build the database's inverted file onto the distractors' with `local index create`",
            ));
        }
        _ => return Err(usage("--local takes one inverted file of --distractors")),
    };
    let given = local.index.as_ref().map(Index::open).transpose()?;
    let place = tempfile::tempdir().context("a folder for what is made on the way could not be made")?;
    let sides = sides(args, threads, dataset, place.path(), screen)?;
    let features = sides.database.as_ref().or(sides.queries.as_ref());
    let Some(features) = features else {
        return Err(usage(
            "the data set queries itself: give its local features with --features, not an --index",
        ));
    };
    let card = settings.card(&codebook, features.card());
    let index = match (given, &sides.database) {
        (Some(index), _) => {
            index.check_fits(&card)?;
            index.check_settings(&card)?;
            if let (Some(of_index), Some(of_queries)) = (&index.card().features, features.card()) {
                refuse_to_mix("the inverted file", of_index, "the queries' features", of_queries)?;
            }
            index
        }
        (None, Some(database)) => {
            let path = place.path().join("index.sasmk");
            let build = BuildSettings::default();
            let mut builder = match distractors {
                Some(base) => {
                    base.check_fits(&card)?;
                    base.check_settings(&card)?;
                    if let (Some(of_base), Some(of_images)) = (&base.card().features, database.card()) {
                        let name = base.path().display().to_string();
                        refuse_to_mix(&name, of_base, "the database's features", of_images)?;
                    }
                    Builder::onto_distractors(&path, base, build)?
                }
                None => Builder::new(&path, card, build)?,
            };
            let bar = screen.bar(database.len() as u64, "indexed");
            builder.push_file(database, &codebook, &mut |done| bar.set_position(done as u64))?;
            builder.finish(&mut |_, _| {})?;
            bar.finish_and_clear();
            Index::open(&path)?
        }
        (None, None) => return Err(usage("--local takes --model, --features or --index")),
    };
    let names = names(&index);
    let answers = LocalAnswers::new(index.path(), &names, dataset)?;
    let asked = sides
        .queries
        .as_ref()
        .or(sides.database.as_ref())
        .unwrap_or(features);
    let places = query_places(asked.source(), asked.names(), dataset)?;
    let queries = aggregate_file(asked, &codebook, settings.query_assignment, binary)?;
    let bar = screen.bar(places.len() as u64, "queries");
    let mut lists = Vec::with_capacity(places.len());
    for place in places {
        let hits = search(&index, &queries[place..=place], &settings.kernel, None)?;
        let hits = hits.into_iter().flatten();
        lists.push(answers.list(hits.map(|hit| (index.number(hit.id), hit.score))));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut missing = sides.missing.clone();
    for image in answers.missing() {
        let name = &dataset.images[*image];
        if missing.iter().all(|one| one.name != *name) {
            missing.push(pictures::skipped(
                name,
                "There are no local features of that name.",
            ));
        }
    }
    Ok(Ranked {
        lists: RankedLists::new(lists, false)?,
        missing,
        distractors: index.distractors(),
        card: features.card().cloned(),
        made: LocalCard {
            method: if binary { "asmk-star" } else { "asmk" },
            words: codebook.words(),
            codebook: codebook.sha256(),
            trained: codebook.trained.clone(),
            assignment: settings.assignment,
            query_assignment: settings.query_assignment,
            alpha: settings.kernel.alpha,
            threshold: settings.kernel.threshold,
            idf: settings.idf,
        },
        sides,
    })
}

/// Both sides as VLADs: descriptors like any other from here on.
pub(super) fn vlads(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    screen: &Screen,
) -> anyhow::Result<(Described, Sides)> {
    if args.local.index.is_some() {
        return Err(usage(
            "--index holds what ASMK compares, and VLADs are made of local features: give --features",
        ));
    }
    let codebook = codebook(&args.local)?;
    let place = tempfile::tempdir().context("a folder for what is made on the way could not be made")?;
    let sides = sides(args, threads, dataset, place.path(), screen)?;
    let set = |file: &FeatureFile, name: &str| -> anyhow::Result<DescriptorSet> {
        let path = place.path().join(name);
        let bar = screen.bar(file.len() as u64, "VLADs");
        let watch = &mut |done| bar.set_position(done as u64);
        write_vlad_set(
            file,
            &codebook,
            args.local.vlad_normalise,
            &path,
            RowType::F32,
            watch,
        )?;
        bar.finish_and_clear();
        Ok(DescriptorSet::open(&path)?)
    };
    let Some(database) = &sides.database else {
        return Err(usage("--local vlad takes --model or --features"));
    };
    let described = Described {
        database: set(database, "database-vlad.safetensors")?,
        queries: match &sides.queries {
            Some(queries) => Some(set(queries, "queries-vlad.safetensors")?),
            None => None,
        },
        missing: sides.missing.clone(),
    };
    Ok((described, sides))
}

fn codebook(args: &LocalEvalArgs) -> anyhow::Result<Codebook> {
    let Some(path) = &args.codebook else {
        return Err(usage(
            "--local needs a --codebook; `sightline local codebook train` makes one",
        ));
    };
    Ok(Codebook::open(path)?)
}

/// The pictures of an inverted file by their numbers.
fn names(index: &Index) -> Vec<String> {
    let mut names = vec![String::new(); index.images() - index.distractors()];
    for id in 0..index.images() as u32 {
        let slot = usize::try_from(index.number(id))
            .ok()
            .and_then(|number| names.get_mut(number));
        if let (Some(slot), Some(name)) = (slot, index.name(id)) {
            *slot = name.to_owned();
        }
    }
    names
}

/// Reads or makes the local features of both sides; what a model makes goes into `folder`.
fn sides(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    folder: &Path,
    screen: &Screen,
) -> anyhow::Result<Sides> {
    let own_queries = !dataset.gallery_queries_itself();
    let sides = if args.model.model.is_some() {
        made(args, threads, dataset, folder, own_queries, screen)?
    } else {
        if args.model.whiten.is_some() {
            return Err(usage(
                "--whiten with --local belongs to --model: local features are whitened where they are extracted (`local extract --whiten`)",
            ));
        }
        match (own_queries, &args.query_features) {
            (true, None) => {
                return Err(usage(format!(
                    "{} has queries of its own: name their local features with --query-features",
                    dataset.name
                )));
            }
            (false, Some(_)) => {
                return Err(usage(format!(
                    "in {} the images query themselves: leave --query-features out",
                    dataset.name
                )));
            }
            _ => {}
        }
        Sides {
            database: args.features.as_ref().map(FeatureFile::open).transpose()?,
            queries: args.query_features.as_ref().map(FeatureFile::open).transpose()?,
            missing: Vec::new(),
        }
    };
    if let (Some(database), Some(queries)) = (&sides.database, &sides.queries)
        && let (Some(left), Some(right)) = (database.card(), queries.card())
    {
        let name = |file: &FeatureFile| file.source().display().to_string();
        refuse_to_mix(&name(database), left, &name(queries), right)?;
        for difference in remarks(left, right) {
            screen.say(&format!("remark: {difference}"));
        }
    }
    Ok(sides)
}

/// Makes the local features of both sides with the model, those of the database unless an inverted file holds them.
fn made(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    folder: &Path,
    own_queries: bool,
    screen: &Screen,
) -> anyhow::Result<Sides> {
    let model = model_choice::model(&args.model, screen)?;
    let features = args.local.local_features;
    let mut describer = model_choice::local_describer(
        &model,
        &args.model,
        &args.recipe,
        threads,
        (features > 0).then_some(features),
        args.local.whiten_l2,
    )?;
    whitening_choice::list(&describer.whitening_remarks(), screen);
    let card = describer.card().clone();
    let mut missing = Vec::new();
    let mut describe = |side: Side, what: &'static str| -> anyhow::Result<FeatureFile> {
        let found = pictures::of_dataset(dataset, args.images.as_deref(), side)?;
        missing.extend(found.missing);
        let output = folder.join(what);
        let job = Extraction {
            pictures: &found.pictures,
            output: &output,
            card: &card,
            row_type: RowType::F32,
            shard: None,
            restart: true,
            options: describer.options(),
        };
        let bar = screen.bar(found.pictures.len() as u64, what);
        let (prepare, mut network) = describer.parts();
        let report = extract_local(&job, prepare, &mut network, &mut |now| {
            bar.set_position((now.done + now.failed) as u64);
        })?;
        bar.finish_and_clear();
        for picture in &report.pictures.skipped {
            screen.warn(&format!("{}: {}", printable(&picture.path), picture.reason));
        }
        missing.extend(report.pictures.skipped);
        Ok(FeatureFile::open(&output)?)
    };
    let database = match args.local.index {
        Some(_) => None,
        None => Some(describe(Side::Database, "database")?),
    };
    let queries = match own_queries {
        true => Some(describe(Side::Queries, "queries")?),
        false => None,
    };
    Ok(Sides {
        database,
        queries,
        missing,
    })
}
