//! Progress on stderr: a bar with an estimate where stderr is a terminal, nothing where it is not.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};

/// Where remarks and progress go.
pub(crate) struct Screen {
    quiet: bool,
    bars: bool,
}

impl Screen {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            bars: !quiet && std::io::stderr().is_terminal(),
        }
    }

    /// A remark for the person at the screen.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Something that needs attention; it is said even with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "warning: {text}");
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        }
    }

    /// A bar over bytes; how many, and what is done with them, is told to it later.
    pub(crate) fn bytes_bar(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target());
        let template = "{msg} [{bar:20}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    /// A bar over `total` things called `what`.
    pub(crate) fn bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), self.target());
        if let Ok(style) =
            ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta} left")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        bar
    }
}
