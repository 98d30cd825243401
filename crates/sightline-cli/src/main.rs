//! The command `sightline`: arguments in, a ready job of the library, its result printed. No algorithm lives here.

mod args;
mod bench;
mod dataset;
mod demo;
mod eval;
mod extract;
mod graph;
mod local;
mod manual;
mod model;
mod model_choice;
mod output;
mod panics;
mod pictures;
mod progress;
mod pull;
mod recipe_choice;
mod reproduce;
mod rerank_choice;
mod search;
mod show;
mod thumbnails;
mod whiten;
mod whitening_choice;

use args::{Cli, Command};
use clap::Parser as _;
use output::Outcome;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = rayon::ThreadPoolBuilder::new()
        .num_threads(cli.threads)
        .build_global()
    {
        return output::fail(&anyhow::Error::new(error).context("The threads could not be started"));
    }
    let screen = progress::Screen::new(cli.quiet);
    match panics::guarded(|| run(&cli, &screen)) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => output::fail(&error),
    }
}

fn run(cli: &Cli, screen: &progress::Screen) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::Demo(args) => demo::run(args, cli.threads, screen),
        Command::Extract(args) => extract::run(args, cli.threads, screen),
        Command::Local { command } => local::run(command, cli.threads, screen),
        Command::Graph { command } => graph::run(command, screen),
        Command::Whiten { command } => whiten::run(command, screen),
        Command::Search(args) => search::run(args, cli.threads, screen),
        Command::Eval(args) => eval::run(args, cli.threads, screen),
        Command::Reproduce(args) => reproduce::run(args, cli.threads, screen),
        Command::Show { command } => show::run(command, cli.threads, screen),
        Command::Bench { command } => bench::run(command, cli.threads, screen),
        Command::Model { command } => model::run(command, cli.threads, screen),
        Command::Dataset { command } => dataset::run(command, screen),
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { folder } => manual::pages(folder),
    }
}
