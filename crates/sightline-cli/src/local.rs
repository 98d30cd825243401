//! `sightline local`: local features of pictures, and what is made of them.

mod aggregated;
mod codebook;
mod extract;
mod index;
mod index_search;
mod info;
mod token;
mod vlad;

use crate::args::LocalCommand;
use crate::output::Outcome;
use crate::progress::Screen;

pub(crate) fn run(command: &LocalCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        LocalCommand::Extract(args) => extract::run(args, threads, screen),
        LocalCommand::Info(args) => info::run(args),
        LocalCommand::Codebook { command } => codebook::run(command, screen),
        LocalCommand::Vlad(args) => vlad::run(args, screen),
        LocalCommand::Token(args) => token::run(args, threads, screen),
        LocalCommand::Index { command } => index::run(command, threads, screen),
    }
}
