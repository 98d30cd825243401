//! `sightline local codebook`: trains visual words, and says what a codebook holds.

use crate::args::{CodebookCommand, CodebookForm, CodebookInfoArgs, CodebookStart, CodebookTrainArgs};
use crate::output::{Outcome, keep_inputs, print, print_json, usage};
use crate::progress::Screen;
use anyhow::Context as _;
use serde::Serialize;
use sightline::local::{
    Codebook, FeatureFile, Trained, TrainingFeatures, remove_training_state, train_codebook, training_points,
};
use sightline::search::{Iteration, KMeansForm, KMeansReport, KMeansSettings, KMeansStart};
use std::ops::ControlFlow;

/// FAISS warns where there are fewer features for each word.
const ADVISED: usize = 39;

#[derive(Serialize)]
struct Summary {
    output: String,
    #[serde(flatten)]
    info: Info,
    /// The iterations of this run.
    history: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    /// Mean squared distance of the features from their words before the words were moved.
    mean_distance: f64,
    imbalance: f64,
    splits: usize,
}

#[derive(Serialize)]
struct Info {
    words: usize,
    dim: usize,
    sha256: String,
    trained: Option<Trained>,
}

impl Info {
    fn of(codebook: &Codebook) -> Self {
        Self {
            words: codebook.words(),
            dim: codebook.dim(),
            sha256: codebook.sha256(),
            trained: codebook.trained.clone(),
        }
    }
}

pub(super) fn run(command: &CodebookCommand, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        CodebookCommand::Train(args) => train(args, screen),
        CodebookCommand::Info(args) => info(args),
    }?;
    Ok(Outcome::Done)
}

fn train(args: &CodebookTrainArgs, screen: &Screen) -> anyhow::Result<()> {
    if args.batch.is_some() && args.form != CodebookForm::Minibatch {
        return Err(usage("--batch belongs to --form minibatch"));
    }
    keep_inputs(&args.output, [&args.features])?;
    if args.output.is_dir() {
        return Err(usage(format!(
            "{} is a folder, and -o takes a file",
            args.output.display()
        )));
    }
    let settings = settings(args);
    let features = TrainingFeatures {
        images: args.images,
        per_image: args.per_image,
        scale1_only: args.scale1_only,
    };
    let file = FeatureFile::open(&args.features)?;
    let vectors = training_points(&file, features)?.count();
    if vectors / ADVISED < settings.words && vectors >= settings.words {
        screen.warn(&format!(
            "{vectors} features are few for {} words: {ADVISED} for each word are advised",
            settings.words
        ));
    }
    let mut state = args.output.clone().into_os_string();
    state.push(".state");
    let state = std::path::PathBuf::from(state);
    let bar = screen.bar(settings.iterations as u64, "features");
    let mut history = Vec::new();
    let mut begun_with = None;
    let codebook = train_codebook(&file, features, &settings, &state, args.resume, &mut |report| {
        match report {
            KMeansReport::Start { drawn, of } => {
                bar.set_message("first words");
                bar.set_length(of as u64);
                bar.set_position(drawn as u64);
            }
            KMeansReport::Assigned {
                iteration,
                vectors,
                of,
            } => {
                begun_with.get_or_insert(iteration);
                bar.set_message("features");
                bar.set_length((settings.iterations * of) as u64);
                bar.set_position((iteration * of + vectors) as u64);
            }
            KMeansReport::Done(now) => history.extend(now.iterations.last().map(step)),
        }
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let codebook = codebook?;
    codebook.write(&args.output)?;
    remove_training_state(&state).with_context(|| format!("{} could not be removed", state.display()))?;
    if let Some(done) = begun_with.filter(|done| *done > 0) {
        screen.say(&format!("{done} iterations were already done by an earlier run"));
    }
    let info = Info::of(&codebook);
    if args.json {
        return print_json(&Summary {
            output: args.output.display().to_string(),
            info,
            history,
        });
    }
    let distance = history.last().map_or_else(String::new, |step| {
        format!(", mean squared distance {:.6}", step.mean_distance)
    });
    print(&format!(
        "{} words of {} values from {vectors} features{distance}: {}",
        info.words,
        info.dim,
        args.output.display()
    ))
}

fn settings(args: &CodebookTrainArgs) -> KMeansSettings {
    let mut settings = match args.form {
        CodebookForm::Faiss => KMeansSettings::new(args.words),
        CodebookForm::Minibatch => KMeansSettings::mini_batch(args.words),
    };
    if let Some(batch) = args.batch {
        settings.form = KMeansForm::MiniBatch {
            batch: batch as usize,
        };
    }
    if let Some(iterations) = args.iterations {
        settings.iterations = iterations as usize;
    }
    settings.start = match args.start {
        CodebookStart::Random => KMeansStart::Random,
        CodebookStart::PlusPlus => KMeansStart::PlusPlus,
    };
    settings.seed = args.seed.into();
    settings
}

fn step(iteration: &Iteration) -> Step {
    Step {
        mean_distance: iteration.objective / iteration.vectors as f64,
        imbalance: iteration.imbalance,
        splits: iteration.splits,
    }
}

fn info(args: &CodebookInfoArgs) -> anyhow::Result<()> {
    let codebook = Codebook::open(&args.codebook)?;
    let info = Info::of(&codebook);
    if args.json {
        return print_json(&info);
    }
    let mut text = format!(
        "{} words of {} values\nsha256: {}\n",
        info.words, info.dim, info.sha256
    );
    match &info.trained {
        Some(trained) => {
            text += &format!(
                "trained: {}, start {}, {} iterations, seed {}, on {} features\nmean squared distance: {}\n",
                trained.form,
                trained.start,
                trained.iterations,
                trained.seed,
                trained.vectors,
                trained.mean_distance
            );
            if let Some(identity) = &trained.identity {
                text += &format!("network: {}\n", identity.architecture);
            }
        }
        None => text += "it does not say how it was trained\n",
    }
    print(&text)
}
