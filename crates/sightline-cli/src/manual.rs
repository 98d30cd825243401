//! Completions and manual pages, made from the definitions of the arguments.

use crate::args::Cli;
use crate::output::Outcome;
use anyhow::Context as _;
use clap::CommandFactory as _;
use std::path::Path;

/// Prints the completion script for a shell.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sightline", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Done)
}

/// Writes `sightline.1` and one page a subcommand.
pub(crate) fn pages(folder: &Path) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} could not be made", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("the manual pages could not be written into {}", folder.display()))?;
    Ok(Outcome::Done)
}
