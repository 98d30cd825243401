//! Several methods beside each other: a table a measure, with the interval of each difference drawn.

use super::page::open;
use super::query::change;
use super::{Report, escape};
use sightline_eval::bootstrap::Interval;
use sightline_eval::comparison::{AgainstFirst, Comparison, Row, Table};
use std::fmt::Write as _;

/// Size of the drawing of an interval, in units of its own.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 20.0;

/// A p value with as many digits as say something.
fn p_text(p: f64) -> String {
    if p < 0.0005 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// What re-ranking changed, as a sentence: the last row of `comparison` beside its first. Empty where there is one row only.
pub fn sentence(comparison: &Comparison) -> String {
    let Table { metric, rows, .. } = &comparison.main;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return String::new();
    };
    let Some(AgainstFirst { paired, .. }) = last.against_first else {
        return String::new();
    };
    let interval = paired.difference_interval.map_or_else(String::new, |interval| {
        let level = 100.0 * comparison.judging.bootstrap.level;
        format!(
            "{level:.0} % interval {:+.4} to {:+.4}, ",
            interval.low, interval.high
        )
    });
    let p = match p_text(paired.p) {
        text if text.starts_with('<') => text,
        text => format!("= {text}"),
    };
    format!(
        "Re-ranking changed {metric} from {:.4} to {:.4} ({:+.4}; {interval}p {p}): {} queries gained, {} lost, {} stayed.",
        first.mean, last.mean, paired.difference, paired.wins, paired.losses, paired.ties
    )
}

pub(super) fn section(report: &Report, page: &mut String) {
    let Some(comparison) = &report.comparison else {
        return;
    };
    open(page, "methods", "Methods");
    let first = comparison.main.rows.first().map_or("", |row| row.name.as_str());
    let level = 100.0 * comparison.judging.bootstrap.level;
    let _ = writeln!(
        page,
        "<p>Each method beside <b>{}</b>, query by query. Intervals hold {level:.0} % of resamples of the queries; a difference whose \
         interval spans 0 may be chance. p: how often chance alone gives such a difference (two-sided, signs flipped at random); in \
         brackets for the number of methods (Holm).</p>",
        escape(first)
    );
    for (number, table) in comparison.tables().into_iter().enumerate() {
        write_table(table, number, page);
    }
    page.push_str("</section>\n");
}

fn write_table(table: &Table, number: usize, page: &mut String) {
    let metric = escape(&table.metric);
    let _ = writeln!(
        page,
        "<h3 id=\"methods-{number}\">{metric} over {} queries</h3>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" \
         aria-labelledby=\"methods-{number}\">\n<table class=\"methods\">\n<thead>\n<tr><th scope=\"col\">Method</th><th scope=\"col\">\
         {metric}</th><th scope=\"col\">Interval</th><th scope=\"col\">Difference</th><th scope=\"col\">Its interval</th>\
         <th scope=\"col\">Won</th><th scope=\"col\">Lost</th><th scope=\"col\">Tied</th><th scope=\"col\">p (Holm)</th></tr>\n\
         </thead>\n<tbody>",
        table.queries
    );
    let reach = reach(table);
    for row in &table.rows {
        write_row(row, reach, page);
    }
    page.push_str("</tbody>\n</table>\n</div>\n");
}

/// The largest distance of a difference's interval from 0: what all drawings of a table are scaled by.
fn reach(table: &Table) -> f64 {
    let ends = table.rows.iter().filter_map(|row| row.against_first.as_ref());
    ends.flat_map(|one| {
        let interval = one.paired.difference_interval;
        let ends = interval.map_or([0.0; 2], |Interval { low, high }| [low, high]);
        [ends[0].abs(), ends[1].abs(), one.paired.difference.abs()]
    })
    .fold(0.0, f64::max)
}

fn write_row(row: &Row, reach: f64, page: &mut String) {
    let between = |interval: Option<Interval>| {
        interval.map_or_else(String::new, |Interval { low, high }| {
            format!("{low:.3} to {high:.3}")
        })
    };
    let _ = write!(
        page,
        "<tr><th scope=\"row\">{}</th><td><b>{:.4}</b></td><td>{}</td>",
        breakable(&row.name),
        row.mean,
        between(row.interval)
    );
    match row.against_first {
        None => page.push_str("<td colspan=\"6\">what the others are compared with</td>"),
        Some(AgainstFirst { paired, p_holm }) => {
            let _ = write!(
                page,
                "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{} ({})</td>",
                change(paired.difference),
                drawing(paired.difference, paired.difference_interval, reach),
                paired.wins,
                paired.losses,
                paired.ties,
                escape(&p_text(paired.p)),
                escape(&p_text(p_holm))
            );
        }
    }
    page.push_str("</tr>\n");
}

/// A method's name, which may go on in the next line behind a setting or a stage.
pub(super) fn breakable(name: &str) -> String {
    let mut text = escape(name);
    for end in [":", ",", "+"] {
        text = text.replace(end, &format!("{end}<wbr/>"));
    }
    text
}

/// The interval as a line with its middle, over a line at 0; the numbers are its text.
fn drawing(difference: f64, interval: Option<Interval>, reach: f64) -> String {
    let Some(Interval { low, high }) = interval else {
        return String::new();
    };
    let scale = if reach > 0.0 {
        0.5 * (WIDTH - 12.0) / reach
    } else {
        0.0
    };
    let at = |value: f64| WIDTH / 2.0 + value * scale;
    let (zero, middle) = (WIDTH / 2.0, HEIGHT / 2.0);
    let class = match (low > 0.0, high < 0.0) {
        (true, _) => "gain",
        (_, true) => "loss",
        _ => "open",
    };
    format!(
        "<svg class=\"interval {class}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" aria-hidden=\"true\">\
         <path class=\"grid\" d=\"M{zero} 0V{HEIGHT}\"/><path d=\"M{:.1} {middle}H{:.1}\"/><circle cx=\"{:.1}\" cy=\"{middle}\" r=\"4\"/>\
         </svg><small>{low:+.3} to {high:+.3}</small>",
        at(low),
        at(high),
        at(difference)
    )
}
