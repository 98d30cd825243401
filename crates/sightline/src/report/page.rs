//! The page around the queries: head, figures, overview, what is missing, the card.

use super::query::change;
use super::{Group, QueryLine, Report, chart, escape, methods};
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// Queries in the overview at most; the worst come first.
const MOST_LINES: usize = 1000;
/// Missing pictures that are listed at most.
const MOST_MISSING: usize = 200;

/// The whole page. Writing to a String cannot fail, so the results of `write!` are dropped here and in the other files.
pub(super) fn html(report: &Report) -> String {
    let mut page = String::new();
    let title = escape(&report.title);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header>\n<h1>{title}</h1>\n"
    );
    for note in &report.notes {
        let _ = writeln!(page, "<p>{}</p>", escape(note));
    }
    page.push_str("</header>\n");
    navigation(report, &mut page);
    page.push_str("<main id=\"main\">\n");
    figures(report, &mut page);
    methods::section(report, &mut page);
    chart::section(&report.curves, &mut page);
    overview(report, &mut page);
    for (number, group) in report.groups.iter().enumerate() {
        queries(group, number, &mut page);
    }
    missing(report, &mut page);
    if !report.card.is_empty() {
        open(&mut page, "card", "Card");
        let _ = writeln!(
            page,
            "<p>What made these numbers.</p>\n<pre role=\"region\" tabindex=\"0\" aria-labelledby=\"card-heading\">{}</pre>\n</section>",
            escape(&report.card)
        );
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// Begins a section that its heading names.
pub(super) fn open(page: &mut String, id: &str, heading: &str) {
    let _ = writeln!(
        page,
        "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h2 id=\"{id}-heading\">{heading}</h2>"
    );
}

/// The anchor of a group of queries.
fn anchor(group: usize) -> String {
    match group {
        0 => "queries".to_owned(),
        later => format!("queries-{}", later + 1),
    }
}

fn navigation(report: &Report, page: &mut String) {
    let part = |there: bool, id: &str, name: &str| there.then(|| (id.to_owned(), escape(name)));
    let mut parts = vec![
        part(!report.figures.is_empty(), "figures", "Figures"),
        part(report.comparison.is_some(), "methods", "Methods"),
        part(!report.curves.is_empty(), "curve", "Precision and recall"),
        part(!report.lines.is_empty(), "overview", "All queries"),
    ];
    for (number, group) in report.groups.iter().enumerate() {
        parts.push(part(!group.queries.is_empty(), &anchor(number), &group.heading));
    }
    parts.push(part(!report.missing.is_empty(), "missing", "Missing pictures"));
    parts.push(part(!report.card.is_empty(), "card", "Card"));
    let parts: Vec<(String, String)> = parts.into_iter().flatten().collect();
    if parts.len() < 2 {
        return;
    }
    page.push_str("<nav aria-label=\"On this page\">\n<ul>\n");
    for (id, name) in parts {
        let _ = writeln!(page, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    page.push_str("</ul>\n</nav>\n");
}

fn figures(report: &Report, page: &mut String) {
    if report.figures.is_empty() {
        return;
    }
    open(page, "figures", "Figures");
    page.push_str("<dl class=\"figures\">\n");
    for figure in &report.figures {
        let _ = write!(
            page,
            "<div><dt>{}</dt><dd>{}",
            escape(&figure.name),
            escape(&figure.value)
        );
        if !figure.remark.is_empty() {
            let _ = write!(page, " <small>{}</small>", escape(&figure.remark));
        }
        page.push_str("</dd></div>\n");
    }
    page.push_str("</dl>\n</section>\n");
}

/// A table with a row a query, worst first; the name leads to its answers where they are shown.
fn overview(report: &Report, page: &mut String) {
    if report.lines.is_empty() {
        return;
    }
    open(page, "overview", "All queries, worst first");
    let left_out = report.lines.len().saturating_sub(MOST_LINES);
    if left_out > 0 {
        let _ = writeln!(
            page,
            "<p>The worst {MOST_LINES}; {left_out} better ones are left out (the JSON output has all).</p>"
        );
    }
    page.push_str(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-labelledby=\"overview-heading\">\n<table>\n<thead>\n<tr>\
         <th scope=\"col\">Query</th>",
    );
    for column in &report.columns {
        let _ = write!(page, "<th scope=\"col\">{}</th>", methods::breakable(column));
    }
    let changed = report.lines.iter().any(|line| line.change.is_some());
    if changed {
        page.push_str("<th scope=\"col\">Change</th>");
    }
    page.push_str(
        "<th scope=\"col\">First right answer</th><th scope=\"col\">Right answers</th></tr>\n</thead>\n<tbody>\n",
    );
    for line in report.lines.iter().take(MOST_LINES) {
        row(report, line, changed, page);
    }
    page.push_str("</tbody>\n</table>\n</div>\n</section>\n");
}

fn row(report: &Report, line: &QueryLine, changed: bool, page: &mut String) {
    let name = escape(&line.name);
    let shows = |group: &Group| group.queries.iter().any(|query| query.query == line.query);
    let _ = match report.groups.iter().position(shows) {
        Some(group) => write!(
            page,
            "<tr><th scope=\"row\"><a href=\"#{}-q{}\">{name}</a></th>",
            anchor(group),
            line.query
        ),
        None => write!(page, "<tr><th scope=\"row\">{name}</th>"),
    };
    for value in &line.values {
        let _ = match value {
            Some(value) => write!(
                page,
                "<td>{value:.3}<span class=\"bar\"><span style=\"width:{:.1}%\"></span></span></td>",
                100.0 * value.clamp(0.0, 1.0)
            ),
            None => write!(page, "<td>undefined</td>"),
        };
    }
    if changed {
        let text = line.change.map_or("undefined".to_owned(), change);
        let _ = write!(page, "<td>{text}</td>");
    }
    let first = line.first.map_or("none".to_owned(), |first| first.to_string());
    let _ = writeln!(page, "<td>{first}</td><td>{}</td></tr>", line.positives);
}

fn queries(group: &Group, number: usize, page: &mut String) {
    if group.queries.is_empty() {
        return;
    }
    let id = anchor(number);
    open(page, &id, &escape(&group.heading));
    if !group.note.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escape(&group.note));
    }
    for query in &group.queries {
        query.write(&format!("{id}-q{}", query.query), page);
    }
    page.push_str("</section>\n");
}

fn missing(report: &Report, page: &mut String) {
    if report.missing.is_empty() {
        return;
    }
    open(page, "missing", "Missing pictures");
    let count = report.missing.len();
    let pictures = if count == 1 {
        "picture has"
    } else {
        "pictures have"
    };
    let _ = writeln!(
        page,
        "<p>{count} {pictures} no descriptor and cannot be found.</p>\n<ul>"
    );
    for (name, reason) in report.missing.iter().take(MOST_MISSING) {
        let _ = writeln!(page, "<li><b>{}</b>: {}</li>", escape(name), escape(reason));
    }
    if count > MOST_MISSING {
        let _ = writeln!(page, "<li>and {} more</li>", count - MOST_MISSING);
    }
    page.push_str("</ul>\n</section>\n");
}
