//! A comparison of methods as lines of text.

use sightline::eval::bootstrap::Interval;
use sightline::eval::comparison::{Comparison, Table};
use std::fmt::Write as _;

/// A table a measure.
pub(super) fn tables(comparison: &Comparison) -> String {
    let tables: Vec<String> = comparison.tables().into_iter().map(lines).collect();
    let judging = &comparison.judging;
    let exact = |table: &&Table| {
        let mut compared = table.rows.iter().filter_map(|row| row.against_first.as_ref());
        compared.all(|one| one.paired.exact)
    };
    let sampled = match comparison.tables().iter().all(exact) {
        true => "all ways to give signs counted".to_owned(),
        false => format!(
            "{} ways to give signs drawn, seed {}, where more than {} queries differ",
            judging.sign_flip.samples, judging.sign_flip.seed, judging.sign_flip.exact_up_to
        ),
    };
    format!(
        "{}\nDifferences to the first method with their {:.0} % intervals (paired bootstrap, {} resamples, seed {}); p: two-sided \
         sign-flip test ({sampled}); p(Holm): corrected for the number of methods.\n",
        tables.join("\n"),
        100.0 * judging.bootstrap.level,
        judging.bootstrap.resamples,
        judging.bootstrap.seed,
    )
}

/// One measure of all methods.
fn lines(table: &Table) -> String {
    let between = |interval: Option<Interval>, signed: bool| match interval {
        Some(Interval { low, high }) if signed => format!("{low:+.4} to {high:+.4}"),
        Some(Interval { low, high }) => format!("{low:.4} to {high:.4}"),
        None => String::new(),
    };
    let head = [
        "method",
        &table.metric,
        "interval",
        "difference",
        "its interval",
        "won",
        "lost",
        "tied",
        "p",
        "p(Holm)",
    ];
    let mut rows: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    for row in &table.rows {
        let mut cells = vec![
            row.name.clone(),
            format!("{:.4}", row.mean),
            between(row.interval, false),
        ];
        if let Some(one) = &row.against_first {
            let paired = &one.paired;
            cells.extend([
                format!("{:+.4}", paired.difference),
                between(paired.difference_interval, true),
                paired.wins.to_string(),
                paired.losses.to_string(),
                paired.ties.to_string(),
                p_text(paired.p),
                p_text(one.p_holm),
            ]);
        }
        rows.push(cells);
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let mut text = format!("{} over {} queries\n", table.metric, table.queries);
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            // Names begin where they begin; numbers end below one another.
            let _ = match column {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Four decimals; what is smaller is said to be.
fn p_text(p: f64) -> String {
    if p < 0.000_05 {
        "<0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use sightline::dataset::{ClassicLists, Dataset, Query, Truth};
    use sightline::eval::{Options, RankedLists, evaluate, paired::Judging};

    #[test]
    fn columns_stand_below_one_another() {
        let dataset = Dataset {
            images: vec!["a".into(), "b".into()],
            queries: vec![Query {
                name: "q".into(),
                bbox: None,
            }],
            truth: Truth::Classic(vec![ClassicLists {
                ok: vec![0],
                junk: Vec::new(),
            }]),
            ..Dataset::default()
        };
        let with = |list: Vec<u32>| {
            let lists = RankedLists::new(vec![list], false).unwrap();
            evaluate(&dataset, &lists, None, &Options::default()).unwrap()
        };
        let (before, after) = (with(vec![1, 0]), with(vec![0, 1]));
        let named = [("none", &before), ("a longer name", &after)];
        let text = tables(&Comparison::new(&named, Judging::default()).unwrap());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "mAP over 1 queries");
        assert!(lines[2].starts_with("none           0.2500  0.2500 to 0.2500"));
        assert!(lines[3].starts_with("a longer name  1.0000  1.0000 to 1.0000"));
        let end = |line: &str, cell: &str| line.find(cell).unwrap() + cell.len();
        assert_eq!(end(lines[1], "difference"), end(lines[3], "+0.7500"));
        assert!(text.contains("all ways to give signs counted"));
    }
}
