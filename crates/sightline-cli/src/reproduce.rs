//! `sightline reproduce`: evaluates a published row and puts the result beside the published figures.

mod needs;
mod row;

use crate::args::{Cli, Command, ReproduceArgs};
use crate::eval;
use crate::output::{Outcome, print, print_json, usage, write_whole};
use crate::progress::Screen;
use anyhow::Context as _;
use clap::Parser as _;
use needs::{Missing, Places, command_line};
use row::Published;
pub(crate) use row::{Row, rows};
use serde::Serialize;
use sightline::eval::Evaluation;
use std::fmt::Write as _;

/// A published figure beside ours.
#[derive(Serialize)]
struct Compared {
    metric: String,
    /// As the source prints it.
    published: f64,
    /// In the unit of the source; none where it is undefined or was not evaluated.
    got: Option<f64>,
    difference: Option<f64>,
    #[serde(skip)]
    digits: usize,
}

#[derive(Serialize)]
struct Output<'a> {
    row: &'a Row,
    command: String,
    /// The commands instead, where the row takes several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
    missing: &'a [Missing],
    figures: &'a [Compared],
    evaluation: Option<&'a Evaluation>,
    card: Option<serde_json::Value>,
}

pub(crate) fn run(args: &ReproduceArgs, threads: usize, screen: &Screen) -> anyhow::Result<Outcome> {
    let rows = rows(args.table.as_deref())?;
    let Some(name) = &args.name else {
        return list(args, &rows);
    };
    let Some(row) = rows.iter().find(|row| row.name.eq_ignore_ascii_case(name)) else {
        let known = rows.iter().map(|row| row.name.as_str());
        let near = sightline::dataset::suggestion(name, known);
        return Err(usage(format!(
            "there is no row `{name}`{near} (`sightline reproduce` lists all {})",
            rows.len()
        )));
    };
    let places = Places::of(row, args);
    let command = places.evaluation(row);
    let missing = places.missing(row);
    let steps = places.steps(row);
    if !steps.is_empty() {
        let figures = compare(&row.published, row.percent, None);
        let mut text = missing_text(&missing);
        for figure in &row.published {
            let _ = writeln!(text, "published: {} {}", figure.metric, figure.value);
        }
        let _ = writeln!(text, "source: {}", row.source);
        if let Some(note) = &row.note {
            let _ = writeln!(text, "note: {note}");
        }
        for step in &steps {
            let _ = writeln!(text, "step: {step}");
        }
        let output = Output {
            steps,
            ..output(row, &[], &missing, &figures, None)
        };
        write(args, &text, &output)?;
        anyhow::bail!(
            "The row {} was not evaluated: its figures take the commands that are listed. Run them one after another.",
            row.name
        );
    }
    if !missing.is_empty() {
        let figures = compare(&row.published, row.percent, None);
        let text = format!("{}{}", missing_text(&missing), command_text(&command));
        write(args, &text, &output(row, &command, &missing, &figures, None))?;
        let files = if missing.len() == 1 {
            "thing is"
        } else {
            "things are"
        };
        anyhow::bail!(
            "The row {} was not evaluated: {} {files} missing, as listed. Get what is listed, then run the command again.",
            row.name,
            missing.len()
        );
    }
    screen.say(&command_line(&command));
    let parsed = Cli::try_parse_from(&command).with_context(|| format!("the row {}", row.name))?;
    let Command::Eval(eval_args) = parsed.command else {
        anyhow::bail!("The row {} gives another command than eval.", row.name);
    };
    let found = eval::evaluate(&eval_args, threads, screen)?;
    let figures = compare(&row.published, row.percent, Some(&found.evaluation));
    let text = format!("{}{}", table(row, &figures), command_text(&command));
    write(args, &text, &output(row, &command, &[], &figures, Some(&found)))?;
    found.warn(screen);
    Ok(if found.missing.is_empty() {
        Outcome::Done
    } else {
        Outcome::SomeFailed
    })
}

fn list(args: &ReproduceArgs, rows: &[Row]) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.json {
        let value = serde_json::json!({ "rows": rows });
        if path.as_os_str() == "-" {
            print_json(&value)?;
        } else {
            write_whole(path, (serde_json::to_string_pretty(&value)? + "\n").as_bytes())?;
        }
        return Ok(Outcome::Done);
    }
    let longest = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let figures: Vec<String> = row
            .published
            .iter()
            .map(|figure| format!("{} {}", figure.metric, figure.value))
            .collect();
        let among = row
            .distractors
            .as_ref()
            .map_or(String::new(), |name| format!(" + {name}"));
        let _ = writeln!(
            text,
            "{:longest$}  {:9}{among}  {}",
            row.name,
            row.dataset,
            figures.join(", ")
        );
    }
    print(&text)?;
    Ok(Outcome::Done)
}

fn compare(published: &[Published], percent: bool, evaluation: Option<&Evaluation>) -> Vec<Compared> {
    let unit = if percent { 100.0 } else { 1.0 };
    published
        .iter()
        .map(|figure| {
            let got = evaluation
                .and_then(|found| found.metrics.get(&figure.metric))
                .map(|value| value * unit);
            Compared {
                metric: figure.metric.clone(),
                published: figure.number(),
                got,
                difference: got.map(|got| got - figure.number()),
                digits: figure.digits(),
            }
        })
        .collect()
}

fn table(row: &Row, figures: &[Compared]) -> String {
    let mut text = format!(
        "{}: {} on {}, protocol {}\n{:14} {:>10} {:>10} {:>11}\n",
        row.name, row.model, row.dataset, row.protocol, "metric", "published", "got", "difference"
    );
    for figure in figures {
        // Two digits more than were published, so that rounding shows as rounding.
        let (published, more) = (figure.digits, figure.digits + 2);
        let _ = match (figure.got, figure.difference) {
            (Some(got), Some(difference)) => writeln!(
                text,
                "{:14} {:>10.published$} {got:>10.more$} {difference:>+11.more$}",
                figure.metric, figure.published
            ),
            _ => writeln!(
                text,
                "{:14} {:>10.published$} {:>10}",
                figure.metric, figure.published, "undefined"
            ),
        };
    }
    let _ = writeln!(text, "source: {}", row.source);
    if let Some(note) = &row.note {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

fn missing_text(missing: &[Missing]) -> String {
    let mut text = String::new();
    for one in missing {
        let _ = writeln!(text, "missing: {}\n  looked for: {}", one.what, one.place);
        for command in &one.get {
            let _ = writeln!(text, "  get it: {command}");
        }
    }
    text
}

fn command_text(command: &[String]) -> String {
    format!("command: {}\n", command_line(command))
}

fn output<'a>(
    row: &'a Row,
    command: &[String],
    missing: &'a [Missing],
    figures: &'a [Compared],
    found: Option<&'a eval::Evaluated>,
) -> Output<'a> {
    Output {
        row,
        command: command_line(command),
        steps: Vec::new(),
        missing,
        figures,
        evaluation: found.map(|found| &found.evaluation),
        card: found.and_then(eval::Evaluated::evaluated_card),
    }
}

fn write(args: &ReproduceArgs, text: &str, output: &Output<'_>) -> anyhow::Result<()> {
    match &args.json {
        Some(path) if path.as_os_str() == "-" => print_json(output),
        Some(path) => {
            write_whole(path, (serde_json::to_string_pretty(output)? + "\n").as_bytes())?;
            print(text)
        }
        None => print(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline::eval::Protocol;
    use sightline::image::recipe::Recipe;
    use sightline::nn::Architecture;

    #[test]
    fn every_row_that_is_built_in_can_be_run() {
        let rows = rows(None).unwrap();
        assert!(rows.len() > 40);
        for row in &rows {
            assert!(
                row.name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            Architecture::parse(&row.architecture).unwrap();
            Recipe::named(&row.recipe).unwrap();
            row.protocol.parse::<Protocol>().unwrap();
            assert!(
                sightline::dataset::KNOWN_NAMES.contains(&row.dataset.as_str()),
                "{}",
                row.name
            );
            assert!(
                !row.published.is_empty() && !row.source.is_empty(),
                "{}",
                row.name
            );
            for figure in &row.published {
                let most = if row.percent { 100.0 } else { 1.0 };
                assert!(figure.number() > 0.0 && figure.number() <= most, "{}", row.name);
                let known: &[&str] = match row.dataset.as_str() {
                    "roxford5k" | "rparis6k" if figure.metric.starts_with("mP@") => &[
                        "mP@1-medium",
                        "mP@5-medium",
                        "mP@10-medium",
                        "mP@1-hard",
                        "mP@5-hard",
                        "mP@10-hard",
                    ],
                    "roxford5k" | "rparis6k" => &["mAP-easy", "mAP-medium", "mAP-hard"],
                    "oxford5k" | "paris6k" => &["mAP"],
                    _ => &["R@1", "R@2", "R@4", "R@8", "R@10", "R@100", "R@1000"],
                };
                assert!(known.contains(&figure.metric.as_str()), "{}", row.name);
            }
            let typed = [
                "sightline",
                "reproduce",
                &row.name,
                "--data-root",
                "d",
                "--device",
                "cuda",
            ];
            let Command::Reproduce(args) = Cli::try_parse_from(typed).unwrap().command else {
                panic!("not reproduce");
            };
            let places = Places::of(row, &args);
            let command = places.evaluation(row);
            let parsed =
                Cli::try_parse_from(&command).unwrap_or_else(|error| panic!("{}: {error}", row.name));
            assert!(matches!(parsed.command, Command::Eval(_)));
            for step in places.steps(row) {
                Cli::try_parse_from(step.split(' ')).unwrap_or_else(|error| panic!("{}: {error}", row.name));
            }
            for command in places.missing(row).iter().flat_map(|one| &one.get) {
                assert!(command.starts_with("sightline "), "{command}");
            }
        }
        let example = |name: &str| {
            let row = rows.iter().find(|row| row.name == name).unwrap();
            row.published
                .iter()
                .map(|figure| figure.value.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            example("resnet101-ap-gem-rparis6k-readme"),
            ["0.907568", "0.803098", "0.608556"]
        );
        assert_eq!(
            example("resnet101-ap-gem-rparis6k-readme-old"),
            ["0.911001", "0.80115", "0.604583"]
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let words = ["a b", "it's", "plain-1.0,2", ""].map(str::to_owned);
        assert_eq!(command_line(&words), "'a b' 'it'\\''s' plain-1.0,2 ''");
    }
}
