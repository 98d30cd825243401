//! `sightline show`: drawings of what the parts do.

mod attention;
mod data;
mod matches;
mod ranking;

use crate::args::ShowCommand;
use crate::output::{Outcome, usage};
use crate::progress::Screen;
use std::path::Path;

pub(crate) fn run(command: &ShowCommand, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        ShowCommand::Matches(args) => matches::run(args, threads, screen),
        ShowCommand::Ranking(args) => ranking::run(args, threads, screen),
        ShowCommand::Data(args) => data::run(args, screen),
        ShowCommand::Attention(args) => attention::run(args, screen),
    }
}

/// What is written.
enum Form {
    Png,
    Html,
}

impl Form {
    /// By the file's ending.
    fn of(path: &Path) -> anyhow::Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("png") => Ok(Self::Png),
            Some("html") => Ok(Self::Html),
            _ => Err(usage(format!(
                "{} does not end in .png (a picture) or .html (a page)",
                path.display()
            ))),
        }
    }
}
