//! `sightline dataset pull|list` and `sightline model pull|list`.

use crate::args::{PullArgs, TableArgs};
use crate::extract::printable;
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use indicatif::ProgressBar;
use serde::Serialize;
use sightline::card::date::today;
use sightline::dataset::pull::{
    Choice, Entry, Event, FileEntry, Kind, Options, PullError, Pulled, Receipt, Stage, Status, Table,
    data_root, link, pull, through_mirror,
};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What became of one file.
#[derive(Serialize)]
struct Line<'a> {
    entry: &'a str,
    #[serde(flatten)]
    pulled: Option<Pulled>,
    /// Where it would be, where it could not be pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<&'a str>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Summary<'a> {
    data_root: &'a Path,
    files: Vec<Line<'a>>,
}

pub(crate) fn run(kind: Kind, args: &PullArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let table = table(kind, &args.table)?;
    let root = data_root(args.table.data_root.as_deref()).ok_or_else(|| {
        usage("Where should it go? Give --data-root FOLDER, or set SIGHTLINE_DATA (dirtorch's DB_ROOT does, too).")
    })?;
    let (choices, links) = chosen(&table, args)?;
    if args.dry_run {
        return dry_run(&choices, &root, args.mirror.as_deref(), args.table.json);
    }
    let options = Options {
        tries: args.tries,
        stall: Duration::from_secs(args.stall),
        mirror: args.mirror.clone(),
        delete_archives: args.delete_archives,
        check: args.check,
        ..Options::new(&root, today())
    };
    let mut files = Vec::new();
    let mut first_error = None;
    let mut entry = "";
    for choice in &choices {
        if choice.entry != entry && !args.check {
            entry = &choice.entry;
            tell_terms(&table, entry, screen);
        }
        let watch = Watch::new(screen);
        let result = pull(&choice.entry, &choice.file, &options, &mut |event| {
            watch.see(event)
        });
        watch.bar.finish_and_clear();
        let mut line = Line {
            entry: &choice.entry,
            pulled: None,
            failed: None,
            error: None,
        };
        match result {
            Ok(pulled) => {
                if let Some(advice) = &pulled.advice {
                    screen.warn(advice);
                }
                line.pulled = Some(pulled);
            }
            Err(error) => {
                screen.warn(&error.to_string());
                line.failed = Some(&choice.file.to);
                line.error = Some(error.to_string());
                first_error.get_or_insert(error);
            }
        }
        if !args.table.json
            && let Some(pulled) = &line.pulled
        {
            print(&line_of(pulled, &choice.file))?;
        }
        files.push(line);
    }
    let mut unlinked = false;
    for one in links.iter().filter(|_| !args.check) {
        if let Err(error) = link(one, &root) {
            screen.warn(&error.to_string());
            unlinked = true;
        }
    }
    let there = |line: &Line<'_>| {
        line.pulled
            .as_ref()
            .is_some_and(|pulled| !matches!(pulled.status, Status::ByHand | Status::Missing))
    };
    let (all, any) = (files.iter().all(there), files.iter().any(there));
    if args.table.json {
        print_json(&Summary {
            data_root: &root,
            files,
        })?;
    }
    match first_error {
        _ if all && !unlinked => Ok(Outcome::Done),
        Some(error) if !any => Err(error.into()),
        _ => Ok(Outcome::SomeFailed),
    }
}

/// What the makers ask for, and what else is worth knowing, before anything comes.
fn tell_terms(table: &Table, name: &str, screen: &Screen) {
    let facts = table.entry(name).map(|entry| [&entry.terms, &entry.note]);
    for fact in facts.into_iter().flatten().flatten() {
        screen.say(&printable(&format!("{name}: {fact}")));
    }
}

/// The embedded table, and the user's over it.
pub(crate) fn table(kind: Kind, args: &TableArgs) -> anyhow::Result<Table> {
    let mut table = Table::embedded(kind)?;
    if let Some(path) = &args.table {
        table.override_with(path, kind).map_err(wrong_usage)?;
    }
    Ok(table)
}

fn wrong_usage(error: PullError) -> anyhow::Error {
    if error.is_usage() {
        usage(error.to_string())
    } else {
        error.into()
    }
}

/// All files that the names stand for, each once, and the links.
fn chosen(
    table: &Table,
    args: &PullArgs,
) -> anyhow::Result<(Vec<Choice>, Vec<sightline::dataset::pull::Link>)> {
    let parts = args
        .parts
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(wrong_usage)?;
    let (mut choices, mut links) = (Vec::<Choice>::new(), Vec::new());
    for name in &args.names {
        let chosen = table.select(name, parts.as_ref()).map_err(wrong_usage)?;
        for choice in chosen.files {
            if !choices.iter().any(|other| other.file.to == choice.file.to) {
                choices.push(choice);
            }
        }
        links.extend(chosen.links);
    }
    Ok((choices, links))
}

fn line_of(pulled: &Pulled, file: &FileEntry) -> String {
    let status = match pulled.status {
        Status::Downloaded => "downloaded",
        Status::AlreadyThere => "already there",
        Status::Adopted => "found there",
        Status::ByHand => "by hand",
        Status::Missing => "missing",
    };
    let size = pulled
        .receipt
        .as_ref()
        .map_or_else(String::new, |receipt| bytes(receipt.size));
    let mut text = format!("{status:<14} {size:>9}  {}", pulled.path.display());
    if let Some(unpacked) = pulled
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.unpacked.as_ref())
    {
        let into = Some(unpacked.into.as_str()).filter(|into| !into.is_empty());
        let _ = write!(text, "  ({} files in {})", unpacked.files, into.unwrap_or("."));
        if unpacked.left_out > 0 {
            let _ = write!(text, "; {} links and the like were left out", unpacked.left_out);
        }
    } else if pulled.status == Status::ByHand {
        let _ = write!(text, "  ({})", file.by_hand.as_deref().unwrap_or_default());
    }
    text
}

/// Shows what is going on.
struct Watch<'a> {
    screen: &'a Screen,
    bar: ProgressBar,
}

impl<'a> Watch<'a> {
    fn new(screen: &'a Screen) -> Self {
        Self {
            screen,
            bar: screen.bytes_bar(),
        }
    }

    fn see(&self, event: Event<'_>) {
        match event {
            Event::Stage {
                stage,
                to,
                done,
                total,
            } => {
                let what = match stage {
                    Stage::Downloading => "downloading",
                    Stage::Checking => "checking",
                    Stage::Unpacking => "unpacking",
                };
                self.bar.reset();
                self.bar.set_message(format!("{what} {to}"));
                match total {
                    Some(total) => self.bar.set_length(total),
                    None => self.bar.unset_length(),
                }
                self.bar.set_position(done);
                // What was there before says nothing of the speed.
                self.bar.reset_eta();
            }
            Event::Bytes(further) => self.bar.inc(further),
            Event::Remark(text) => self.bar.suspend(|| self.screen.say(text)),
        }
    }
}

#[derive(Serialize)]
struct Plan<'a> {
    entry: &'a str,
    to: &'a str,
    path: PathBuf,
    url: Vec<String>,
    by_hand: Option<&'a str>,
    size: Option<u64>,
    about: Option<u64>,
    there: bool,
}

/// Whether a receipt says that everything was done with the file.
fn is_there(file: &FileEntry, root: &Path) -> bool {
    Receipt::of(&root.join(&file.to)).is_some_and(|receipt| receipt.is_complete(file))
}

fn dry_run(choices: &[Choice], root: &Path, mirror: Option<&str>, json: bool) -> anyhow::Result<Outcome> {
    let plans: Vec<Plan<'_>> = choices
        .iter()
        .map(|choice| Plan {
            entry: &choice.entry,
            to: &choice.file.to,
            path: root.join(&choice.file.to),
            url: choice
                .file
                .url
                .iter()
                .map(|url| through_mirror(url, mirror))
                .collect(),
            by_hand: choice.file.by_hand.as_deref(),
            size: choice.file.size,
            about: choice.file.about,
            there: is_there(&choice.file, root),
        })
        .collect();
    if json {
        print_json(&plans)?;
        return Ok(Outcome::Done);
    }
    let mut text = String::new();
    for plan in &plans {
        let from = plan
            .url
            .first()
            .map(String::as_str)
            .or(plan.by_hand)
            .unwrap_or_default();
        let size = plan.size.or(plan.about).map_or_else(|| "?".to_owned(), bytes);
        let state = if plan.there { "  (there)" } else { "" };
        let _ = writeln!(
            text,
            "{size:>9}  {}{state}\n           from {}",
            plan.path.display(),
            printable(from)
        );
    }
    let _ = writeln!(
        text,
        "{} files, {}",
        plans.len(),
        size_of(choices.iter().map(|choice| &choice.file))
    );
    print(&text)?;
    Ok(Outcome::Done)
}

/// An entry as it is listed.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    /// Bytes of what is pulled without a group, as far as they are known.
    bytes: u64,
    /// Whether all of that has a receipt below the data root.
    there: bool,
}

pub(crate) fn list(kind: Kind, args: &TableArgs) -> anyhow::Result<Outcome> {
    let table = table(kind, args)?;
    let (text, listed) = listed(&table, args, "")?;
    if args.json {
        print_json(&listed)?;
    } else {
        print(&text)?;
    }
    Ok(Outcome::Done)
}

/// The entries whose name contains `word`, for people and for machines.
pub(crate) fn listed<'a>(
    table: &'a Table,
    args: &TableArgs,
    word: &str,
) -> anyhow::Result<(String, Vec<Listed<'a>>)> {
    let root = data_root(args.data_root.as_deref());
    let (mut text, mut listed) = (String::new(), Vec::new());
    for entry in table.entries.iter().filter(|entry| entry.name.contains(word)) {
        let chosen = table.select(&entry.name, None).map_err(wrong_usage)?;
        let files: Vec<&FileEntry> = chosen.files.iter().map(|choice| &choice.file).collect();
        let there = root
            .as_ref()
            .is_some_and(|root| files.iter().all(|file| is_there(file, root)));
        let mark = if there { " (there)" } else { "" };
        let _ = writeln!(
            text,
            "{}{mark}: {}",
            printable(&entry.name),
            printable(&entry.what)
        );
        let groups = entry.groups();
        if groups.len() > 1 {
            let default = if entry.default.is_empty() {
                "all"
            } else {
                &entry.default.join(", ")
            };
            let _ = writeln!(
                text,
                "    groups   {} (pulled without one: {default})",
                groups.join(", ")
            );
        }
        let by_hand = files.iter().any(|file| file.by_hand.is_some());
        let how = if by_hand { "; fetched by hand" } else { "" };
        let _ = writeln!(text, "    size     {}{how}", size_of(files.iter().copied()));
        let facts = [
            ("page", &entry.page),
            ("terms", &entry.terms),
            ("note", &entry.note),
        ];
        for (name, value) in facts {
            if let Some(value) = value {
                let _ = writeln!(text, "    {name:<8} {}", printable(value));
            }
        }
        listed.push(Listed {
            entry,
            bytes: files.iter().filter_map(|file| file.size.or(file.about)).sum(),
            there,
        });
    }
    Ok((text, listed))
}

/// The bytes of several files as a text that says how sure it is.
fn size_of<'a>(files: impl Iterator<Item = &'a FileEntry>) -> String {
    let (mut sum, mut rough, mut unknown) = (0_u64, false, false);
    for file in files {
        match (file.size, file.about) {
            (Some(size), _) => sum = sum.saturating_add(size),
            (None, Some(about)) => {
                sum = sum.saturating_add(about);
                rough = true;
            }
            (None, None) => unknown = true,
        }
    }
    match (sum, rough, unknown) {
        (0, _, _) => "not published".to_owned(),
        (sum, false, false) => bytes(sum),
        (sum, true, false) => format!("about {}", bytes(sum)),
        (sum, _, true) => format!("about {} and what is not published", bytes(sum)),
    }
}

/// Bytes for people: `1.9 GB`.
fn bytes(count: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} bytes")
    } else {
        format!("{value:.1} {}", units[unit])
    }
}
