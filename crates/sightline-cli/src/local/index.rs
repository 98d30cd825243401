//! `sightline local index`: ASMK indexes made, changed, searched and looked into.

use super::index_search;
use crate::args::{IndexAddArgs, IndexCreateArgs, IndexRemoveArgs, IndexStatsArgs, LocalIndexCommand};
use crate::output::{Outcome, keep_inputs, print, print_json, usage};
use crate::progress::Screen;
use anyhow::Context as _;
use serde::Serialize;
use sightline::card::refuse_to_mix;
use sightline::checkpoint::read;
use sightline::local::asmk::{
    AsmkCard, AsmkSettings, BuildSettings, Builder, ForeignIndex, Index, Stats, is_foreign_index, remove,
};
use sightline::local::{Codebook, FeatureFile};
use std::collections::BTreeMap;
use std::path::Path;

/// What is in an index.
#[derive(Serialize)]
struct Summary<'a> {
    index: String,
    entries: usize,
    distractors: usize,
    bytes: u64,
    #[serde(flatten)]
    stats: Stats,
    card: &'a AsmkCard,
    /// Whether all of it was compared with its checksums.
    verified: bool,
}

pub(crate) fn run(command: &LocalIndexCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        LocalIndexCommand::Create(args) => create(args, screen),
        LocalIndexCommand::Add(args) => add(args, screen),
        LocalIndexCommand::Remove(args) => take_out(args, screen),
        LocalIndexCommand::Search(args) => index_search::run(args, threads, screen),
        LocalIndexCommand::Stats(args) => stats(args),
    }
}

/// What one of the inputs turned out to be.
enum Input {
    Features(Box<FeatureFile>),
    Pickle(sightline::checkpoint::File),
}

fn inputs(paths: &[impl AsRef<Path>]) -> anyhow::Result<Vec<Input>> {
    paths
        .iter()
        .map(|path| {
            let path = path.as_ref();
            if is_pickle(path)? {
                return Ok(Input::Pickle(read(path)?));
            }
            Ok(Input::Features(Box::new(FeatureFile::open(path)?)))
        })
        .collect()
}

/// Whether a file begins as pickles do (protocol 2 and later).
fn is_pickle(path: &Path) -> anyhow::Result<bool> {
    use std::io::Read as _;
    let mut first = [0; 1];
    let read = std::fs::File::open(path)
        .and_then(|mut file| file.read(&mut first))
        .with_context(|| format!("{} could not be opened", path.display()))?;
    Ok(read == 1 && first == [0x80])
}

fn create(args: &IndexCreateArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    keep_inputs(&args.output, args.features.iter().chain([&args.codebook]))?;
    let codebook = Codebook::open(&args.codebook)?;
    let inputs = inputs(&args.features)?;
    if let ([Input::Pickle(file)], None) = (&inputs[..], &args.onto)
        && is_foreign_index(file)
    {
        let source = &args.features[0];
        let foreign = ForeignIndex::new(source, file, Some(&codebook), args.assign as usize)?;
        foreign.write(&args.output, None)?;
        return made(&args.output, args.json);
    }
    let how = AsmkSettings {
        binary: !args.float,
        idf: args.idf,
        assignment: args.assign as usize,
        ..AsmkSettings::default()
    };
    let first = inputs.iter().find_map(|input| match input {
        Input::Features(file) => file.card(),
        Input::Pickle(_) => None,
    });
    let card = how.card(&codebook, first);
    let settings = build_settings(args.memory);
    let builder = match &args.onto {
        Some(path) => {
            let base = Index::open(path)?;
            base.check_fits(&AsmkCard {
                binary: base.card().binary,
                ..card
            })?;
            Builder::onto_distractors(&args.output, base, settings)?
        }
        None => Builder::new(&args.output, card, settings)?,
    };
    fill(builder, &args.features, &inputs, &codebook, screen)?;
    made(&args.output, args.json)
}

fn add(args: &IndexAddArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let codebook = Codebook::open(&args.codebook)?;
    let inputs = inputs(&args.features)?;
    let base = Index::open(&args.index)?;
    fits(&base, &codebook)?;
    let output = args.output.as_ref().unwrap_or(&args.index);
    keep_inputs(output, args.features.iter().chain([&args.codebook]))?;
    let builder = Builder::adding_to(output, base, build_settings(args.memory))?;
    fill(builder, &args.features, &inputs, &codebook, screen)?;
    made(output, args.json)
}

fn build_settings(megabytes: u32) -> BuildSettings {
    BuildSettings {
        memory: (megabytes as usize) << 20,
    }
}

/// Refuses a codebook that the index was not made with.
pub(super) fn fits(index: &Index, codebook: &Codebook) -> anyhow::Result<()> {
    let card = index.card();
    let other = AsmkCard {
        codebook: codebook.sha256(),
        words: codebook.words(),
        dim: codebook.dim(),
        ..card.clone()
    };
    Ok(index.check_fits(&other)?)
}

/// Puts all inputs into the index and finishes it.
fn fill(
    mut builder: Builder,
    paths: &[std::path::PathBuf],
    inputs: &[Input],
    codebook: &Codebook,
    screen: &Screen,
) -> anyhow::Result<()> {
    let pictures = inputs.iter().map(|input| match input {
        Input::Features(file) => file.len(),
        Input::Pickle(_) => 0,
    });
    let bar = screen.bar(pictures.sum::<usize>() as u64, "pictures");
    let mut before = 0;
    for (path, input) in paths.iter().zip(inputs) {
        match input {
            Input::Features(file) => {
                if let (Some(known), Some(card)) = (&builder.card().features, file.card()) {
                    refuse_to_mix("the index", known, &path.display().to_string(), card)?;
                }
                builder.push_file(file, codebook, &mut |done| {
                    bar.set_position((before + done) as u64)
                })?;
                before += file.len();
            }
            Input::Pickle(file) => builder.push_partition(path, file)?,
        }
    }
    bar.finish_and_clear();
    let bar = screen.bar(0, "entries merged (twice)");
    builder.finish(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    Ok(())
}

fn take_out(args: &IndexRemoveArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let index = Index::open(&args.index)?;
    let mut ids: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for id in 0..index.images() as u32 {
        if let Some(name) = index.name(id) {
            ids.entry(name).or_default().push(id);
        }
    }
    let mut wanted = Vec::new();
    for name in &args.names {
        match name.strip_prefix('@') {
            Some(list) => {
                let text =
                    std::fs::read_to_string(list).with_context(|| format!("{list} could not be read"))?;
                wanted.extend(
                    text.lines()
                        .map(str::trim)
                        .filter(|line| !line.is_empty())
                        .map(str::to_owned),
                );
            }
            None => wanted.push(name.clone()),
        }
    }
    let mut gone = Vec::new();
    for name in &wanted {
        let Some(of_name) = ids.get(name.as_str()) else {
            let near = sightline::dataset::suggestion(name, ids.keys().copied());
            return Err(usage(format!(
                "{} has no picture {name:?}{near}",
                args.index.display()
            )));
        };
        gone.extend(of_name);
    }
    let output = args.output.as_ref().unwrap_or(&args.index);
    let bar = screen.bar(0, "entries copied (twice)");
    remove(&index, &gone, output, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    made(output, args.json)
}

fn stats(args: &IndexStatsArgs) -> anyhow::Result<Outcome> {
    let index = Index::open(&args.index)?;
    if args.verify {
        index.verify()?;
    }
    say(&index, args.verify, args.json)
}

fn made(path: &Path, json: bool) -> anyhow::Result<Outcome> {
    say(&Index::open(path)?, false, json)
}

fn say(index: &Index, verified: bool, json: bool) -> anyhow::Result<Outcome> {
    let (card, stats) = (index.card(), index.stats());
    let bytes = std::fs::metadata(index.path()).map_or(0, |file| file.len());
    if json {
        print_json(&Summary {
            index: index.path().display().to_string(),
            entries: index.entries(),
            distractors: index.distractors(),
            bytes,
            stats,
            card,
            verified,
        })?;
        return Ok(Outcome::Done);
    }
    let form = if card.binary {
        "binary (ASMK*)"
    } else {
        "float (ASMK)"
    };
    let idf = if card.idf { "with idf" } else { "without idf" };
    print(&format!(
        "{}: {} images ({} distractors), {} entries, {bytes} bytes\n\
         {form}, {} values, {} words, {idf}, {} a feature\n\
         entries an image: {:.1}; a word: {:.1} on average, {} to {}, deviation {:.1}, {} words empty, imbalance {:.3}",
        index.path().display(),
        stats.images,
        index.distractors(),
        index.entries(),
        card.dim,
        card.words,
        card.assignment,
        stats.vectors_per_image,
        stats.mean_entries_per_vw,
        stats.min_entries_per_vw,
        stats.max_entries_per_vw,
        stats.std_of_entries_per_vw,
        stats.empty_vw,
        stats.imbalance_factor_of_vw,
    ))?;
    Ok(Outcome::Done)
}
