//! `sightline show`: drawings of what the parts do.

mod matches;

use crate::args::ShowCommand;
use crate::output::Outcome;
use crate::progress::Screen;

pub(crate) fn run(command: &ShowCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        ShowCommand::Matches(args) => matches::run(args, threads, screen),
    }
}
