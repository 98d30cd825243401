//! The page around the queries: head, figures, overview, what is missing, the card.

use super::{QueryLine, Report, chart, escape};
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
    chart::section(&report.curves, &mut page);
    overview(report, &mut page);
    queries(report, &mut page);
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

fn navigation(report: &Report, page: &mut String) {
    let parts = [
        (!report.figures.is_empty(), "figures", "Figures"),
        (!report.curves.is_empty(), "curve", "Precision and recall"),
        (!report.lines.is_empty(), "overview", "All queries"),
        (!report.queries.is_empty(), "queries", "Answers"),
        (!report.missing.is_empty(), "missing", "Missing pictures"),
        (!report.card.is_empty(), "card", "Card"),
    ];
    if parts.iter().filter(|part| part.0).count() < 2 {
        return;
    }
    page.push_str("<nav aria-label=\"On this page\">\n<ul>\n");
    for (_, id, name) in parts.iter().filter(|part| part.0) {
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
        let _ = write!(page, "<th scope=\"col\">{}</th>", escape(column));
    }
    page.push_str(
        "<th scope=\"col\">First right answer</th><th scope=\"col\">Right answers</th></tr>\n</thead>\n<tbody>\n",
    );
    for line in report.lines.iter().take(MOST_LINES) {
        row(report, line, page);
    }
    page.push_str("</tbody>\n</table>\n</div>\n</section>\n");
}

fn row(report: &Report, line: &QueryLine, page: &mut String) {
    let name = escape(&line.name);
    let shown = report.queries.iter().any(|query| query.query == line.query);
    let _ = if shown {
        write!(
            page,
            "<tr><th scope=\"row\"><a href=\"#q{}\">{name}</a></th>",
            line.query
        )
    } else {
        write!(page, "<tr><th scope=\"row\">{name}</th>")
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
    let first = line.first.map_or("none".to_owned(), |first| first.to_string());
    let _ = writeln!(page, "<td>{first}</td><td>{}</td></tr>", line.positives);
}

fn queries(report: &Report, page: &mut String) {
    if report.queries.is_empty() {
        return;
    }
    open(page, "queries", "Queries and their answers");
    if !report.queries_note.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escape(&report.queries_note));
    }
    for query in &report.queries {
        query.write(page);
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
