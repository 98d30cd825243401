//! `sightline graph`: finds the nearest neighbours of every picture, and says what a graph of them holds.

use crate::args::{GraphCommand, GraphCreateArgs, GraphInfoArgs};
use crate::eval::distractors;
use crate::output::{Outcome, keep_inputs, print, print_json, usage};
use crate::progress::Screen;
use serde::Serialize;
use sightline::descriptor::{
    DescriptorSet, GraphFile, GraphReport, GraphSource, build_graph, remove_graph_state,
};
use std::time::Duration;

#[derive(Serialize)]
struct Summary<'a> {
    graph: String,
    rows: usize,
    k: usize,
    /// Rows that an earlier run had finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<usize>,
    made_of: &'a [GraphSource],
}

pub(crate) fn run(command: &GraphCommand, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        GraphCommand::Create(args) => create(args, screen),
        GraphCommand::Info(args) => info(args),
    }?;
    Ok(Outcome::Done)
}

fn create(args: &GraphCreateArgs, screen: &Screen) -> anyhow::Result<()> {
    let inputs = || std::iter::once(&args.set).chain(&args.distractors);
    keep_inputs(&args.output, inputs())?;
    if args.output.is_dir() {
        return Err(usage(format!(
            "{} is a folder, and -o takes a file",
            args.output.display()
        )));
    }
    let mut state = args.output.clone().into_os_string();
    state.push(".state");
    let state = std::path::PathBuf::from(state);
    keep_inputs(&state, inputs())?;
    let set = DescriptorSet::open(&args.set)?;
    let behind = distractors::open(&args.distractors)?;
    distractors::check(&set, &behind, screen)?;
    let sets: Vec<&DescriptorSet> = std::iter::once(&set).chain(&behind).collect();
    let count: usize = sets.iter().map(|set| set.len()).sum();
    let pairs = (count as f64).powi(2) / 2.0;
    let bar = screen.bar(pairs as u64, "pairs");
    let mut resumed = None;
    let save_every = Duration::from_secs_f64(args.save_every);
    let made = build_graph(
        &sets,
        args.k as usize,
        &state,
        save_every,
        &mut |report| match report {
            GraphReport::Resumed { rows, share } => {
                resumed = Some(rows);
                bar.set_position((pairs * share) as u64);
                // What an earlier run did is not counted in the estimate.
                bar.reset_eta();
            }
            GraphReport::Unusable(error) => screen.warn(&format!("the graph is begun anew: {error}")),
            GraphReport::Done { share, .. } => bar.set_position((pairs * share) as u64),
        },
    );
    bar.finish_and_clear();
    let made = made?;
    made.write(&args.output)?;
    remove_graph_state(&state)?;
    if let Some(rows) = resumed {
        screen.say(&format!(
            "{rows} of {count} pictures were already done by an earlier run"
        ));
    }
    if args.json {
        return print_json(&Summary {
            graph: args.output.display().to_string(),
            rows: made.graph.count(),
            k: made.graph.k,
            resumed: Some(resumed.unwrap_or(0)),
            made_of: &made.made_of,
        });
    }
    print(&format!(
        "{} neighbours of each of {count} pictures: {}",
        made.graph.k,
        args.output.display()
    ))
}

fn info(args: &GraphInfoArgs) -> anyhow::Result<()> {
    let file = GraphFile::open(&args.graph)?;
    if args.json {
        return print_json(&Summary {
            graph: args.graph.display().to_string(),
            rows: file.graph.count(),
            k: file.graph.k,
            resumed: None,
            made_of: &file.made_of,
        });
    }
    let mut text = format!(
        "{} neighbours of each of {} pictures\n",
        file.graph.k,
        file.graph.count()
    );
    for source in &file.made_of {
        let network = source.card.as_ref().map_or_else(
            || "without a card".to_owned(),
            |card| format!("of {}", card.identity.architecture),
        );
        text += &format!(
            "made of: {} rows of {} values ({}), {network}, checksum {}\n",
            source.rows, source.dim, source.values, source.checksum
        );
    }
    print(&text)
}
