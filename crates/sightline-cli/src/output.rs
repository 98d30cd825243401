//! Results on stdout, errors on stderr, and what the exit code says.

use std::io::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything was done.
    Done,
    /// The work was done, but some inputs failed; each was listed.
    SomeFailed,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
        })
    }
}

/// Wrong usage that only shows once the arguments are read together: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// An error of wrong usage.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(message.into()))
}

/// Prints the error and its causes; exit code 2 for wrong usage, else 3.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    // Nobody listens any more (`sightline ... | head`): that is no failure worth a message.
    if error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    }) {
        return ExitCode::from(3);
    }
    // The causes of typed errors often repeat in the text of what wraps them; each sentence is printed once.
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str("\n  because: ");
            }
            text.push_str(&cause);
        }
    }
    let _ = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
}

/// Writes lines of a result to stdout.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    stdout.flush()?;
    Ok(())
}

/// Writes a value as indented JSON to stdout.
pub(crate) fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}

/// Refuses an output that lies where one of the inputs does: it would take the place of another kind of file.
pub(crate) fn keep_inputs<'p>(
    output: &std::path::Path,
    inputs: impl IntoIterator<Item = &'p std::path::PathBuf>,
) -> anyhow::Result<()> {
    let real = |path: &std::path::Path| std::fs::canonicalize(path).ok();
    let place = real(output);
    match inputs
        .into_iter()
        .find(|input| place.is_some() && real(input) == place)
    {
        Some(input) => Err(usage(format!(
            "{} is read, and would be replaced by what is made of it: write to another file",
            input.display()
        ))),
        None => Ok(()),
    }
}

/// Writes a file beside its place and renames it, so that it is never there half.
pub(crate) fn write_whole(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("{} could not be written", path.display()))
}
