//! `sightline demo`: everything on pictures drawn on the spot, or on a folder of one's own.

use crate::args::{DemoArgs, RecipeArgs, Side};
use crate::output::{Outcome, print, write_whole};
use crate::progress::Screen;
use crate::{eval, model_choice, pictures};
use anyhow::Context as _;
use sightline::dataset::{Dataset, Truth};
use sightline::descriptor::DescriptorSet;
use sightline::eval::{Evaluation, Options, evaluate};
use sightline::extract::{Picture, Skipped};
use sightline::report::{self, Found, Group, RankedAnswers, Report, thumbnail};
use sightline::{Aligned, Describer, SearchRanking, demo, search};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Queries on the page of one's own pictures.
const OWN_QUERIES: usize = 12;

pub(crate) fn run(args: &DemoArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let mut model_args = args.model.clone();
    model_args.model.get_or_insert_with(|| PathBuf::from("seeded"));
    let model = model_choice::model(&model_args, screen)?;
    let recipe = RecipeArgs {
        max_pixels: sightline::Settings::default().max_pixels,
        ..RecipeArgs::default()
    };
    let mut describer =
        model_choice::describer(&model, &model_args, &recipe, threads, model_choice::EXTRACTING)?;
    let network = match model.seed {
        Some(_) => format!(
            "Described with {} with random (seeded) weights: it was never trained.",
            model.architecture()
        ),
        None => format!(
            "Described with {} from {}.",
            model.architecture(),
            model.source.display()
        ),
    };
    match &args.folder {
        Some(folder) => own_pictures(args, folder, &mut describer, network, screen),
        None => drawn_scenes(args, &mut describer, network, screen),
    }
}

/// Draws scenes, describes, searches, evaluates.
fn drawn_scenes(
    args: &DemoArgs,
    describer: &mut Describer,
    network: String,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    let scratch = tempfile::tempdir().context("a temporary folder for the scenes could not be made")?;
    let folder = args.keep.as_deref().unwrap_or(scratch.path());
    let scenes = args.scenes as usize;
    let bar = screen.bar(demo::picture_count(scenes) as u64, "drawing");
    let dataset = demo::write_scenes(folder, scenes, args.seed, &mut || bar.inc(1))?;
    bar.finish_and_clear();

    let root = folder.join("png");
    let database_pictures = pictures::of_dataset(&dataset, Some(&root), Side::Database)?.pictures;
    let query_pictures = pictures::of_dataset(&dataset, Some(&root), Side::Queries)?.pictures;
    let (database, _) = describe(&database_pictures, describer, "database", screen)?;
    let (queries, _) = describe(&query_pictures, describer, "queries", screen)?;
    let images: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
    let asked: Vec<&str> = dataset.queries.iter().map(|query| query.name.as_str()).collect();
    let (database, queries) = (Aligned::new(&database, &images)?, Aligned::new(&queries, &asked)?);
    let ranking = SearchRanking::new(&queries, &database, &dataset)?;
    let evaluation = evaluate(&dataset, &ranking, None, &Options::default())?;
    let hits = search::top_k(queries.rows(), database.rows(), args.k, None)?;

    print(&eval::table(&dataset, 0, &evaluation))?;
    if let Some(folder) = &args.keep {
        screen.say(&format!(
            "The pictures and gnd_scenes.json are in {}",
            folder.display()
        ));
    }
    let drawn = format!(
        "{scenes} made-up facades were drawn, each with one query, three easy and two hard pictures."
    );
    let page = Page {
        title: "Sightline: a demonstration",
        notes: vec![drawn, network],
        dataset: &dataset,
        evaluation: Some(&evaluation),
        hits: &hits,
        queries: &query_pictures,
        images: &database_pictures,
    };
    page.write(&args.output, describer, screen)?;
    Ok(Outcome::Done)
}

/// Describes a folder and shows what is found for some of its pictures.
fn own_pictures(
    args: &DemoArgs,
    folder: &Path,
    describer: &mut Describer,
    network: String,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    let spec = folder.to_string_lossy();
    let found = pictures::of_folder(folder)?;
    let (database, described) = describe(&found.pictures, describer, "pictures", screen)?;
    if database.is_empty() {
        anyhow::bail!("None of the pictures in {} could be read.", folder.display());
    }
    // Evenly spread over the folder.
    let count = described.len().min(OWN_QUERIES);
    let chosen: Vec<usize> = (0..count).map(|i| i * described.len() / count).collect();
    let rows: Vec<f32> = chosen.iter().flat_map(|row| database.row(*row)).collect();
    let own: Vec<Option<usize>> = chosen.iter().map(|row| Some(*row)).collect();
    let hits = search::top_k(
        search::Rows::f32(&rows, database.dim()),
        database.rows(),
        args.k,
        Some(&own),
    )?;
    let queries: Vec<Picture> = chosen.iter().map(|row| described[*row].clone()).collect();
    let dataset = Dataset {
        name: spec.into_owned(),
        images: described.iter().map(|picture| picture.name.clone()).collect(),
        queries: queries
            .iter()
            .map(|picture| sightline::dataset::Query {
                name: picture.name.clone(),
                bbox: None,
            })
            .collect(),
        truth: Truth::None,
        ..Dataset::default()
    };
    let failed = found.pictures.len() - described.len();
    print(&format!(
        "{} pictures described, {failed} could not be read",
        described.len()
    ))?;
    let page = Page {
        title: "Sightline: your pictures",
        notes: vec![
            format!(
                "{} pictures of {}, {count} of them as queries.",
                described.len(),
                folder.display()
            ),
            network,
        ],
        dataset: &dataset,
        evaluation: None,
        hits: &hits,
        queries: &queries,
        images: &described,
    };
    page.write(&args.output, describer, screen)?;
    Ok(if failed == 0 {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

/// Describes pictures; those that work, and their set.
fn describe(
    pictures: &[Picture],
    describer: &mut Describer,
    what: &'static str,
    screen: &Screen,
) -> anyhow::Result<(DescriptorSet, Vec<Picture>)> {
    let found = pictures::Found {
        pictures: pictures.to_vec(),
        missing: Vec::new(),
    };
    let mut missing = Vec::new();
    let set = eval::describe_side(found, describer, what, &mut missing, screen)?;
    let works = |picture: &&Picture| !missing.iter().any(|one: &Skipped| one.name == picture.name);
    Ok((set, pictures.iter().filter(works).cloned().collect()))
}

/// What goes onto the page.
struct Page<'a> {
    title: &'a str,
    notes: Vec<String>,
    dataset: &'a Dataset,
    evaluation: Option<&'a Evaluation>,
    hits: &'a [Vec<search::Hit>],
    queries: &'a [Picture],
    images: &'a [Picture],
}

impl Page<'_> {
    fn write(self, path: &Path, describer: &Describer, screen: &Screen) -> anyhow::Result<()> {
        let max_pixels = sightline::Settings::default().max_pixels;
        let files: HashMap<&str, &Path> = [self.queries, self.images]
            .into_iter()
            .flatten()
            .map(|picture| (picture.name.as_str(), picture.path.as_path()))
            .collect();
        let picture = |name: &str, bbox: Option<[f64; 4]>| {
            let file = files.get(name).and_then(|path| std::fs::read(path).ok());
            file.map(|file| thumbnail(&file, max_pixels, bbox))
                .unwrap_or_default()
        };
        let found = |hit: &search::Hit| Found {
            image: Some(hit.index),
            name: self.dataset.images.get(hit.index).cloned().unwrap_or_default(),
            score: Some(hit.score),
            steps: Vec::new(),
        };
        let order = match self.evaluation {
            Some(evaluation) => report::chosen(evaluation, usize::MAX),
            None => (0..self.hits.len()).collect(),
        };
        let answers: Vec<(usize, Vec<Found>)> = order
            .into_iter()
            .map(|query| (query, self.hits[query].iter().map(found).collect()))
            .collect();
        let (columns, lines) = self
            .evaluation
            .map(|evaluation| report::lines(evaluation, &[]))
            .unwrap_or_default();
        let ranked = RankedAnswers {
            label: "",
            evaluation: self.evaluation,
            answers: &answers,
        };
        let queries = report::sections(self.dataset, &[ranked], &picture);
        let report = Report {
            title: self.title.to_owned(),
            notes: self.notes,
            figures: self.evaluation.map(report::figures).unwrap_or_default(),
            curves: self
                .evaluation
                .map(|found| found.curves.clone())
                .unwrap_or_default(),
            columns,
            lines,
            groups: vec![Group::answers(report::rule(self.dataset).to_owned(), queries)],
            card: serde_json::to_string_pretty(&describer.card().to_value())?,
            ..Report::default()
        };
        write_whole(path, report.to_html().as_bytes())?;
        screen.say(&format!("report: {}", path.display()));
        Ok(())
    }
}
