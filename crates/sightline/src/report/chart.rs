//! The precision-recall curve as a drawing, and as a table for those who do not see it.

use super::escape;
use super::page::open;
use sightline_eval::curve::{Curve, STEPS};
use std::fmt::Write as _;

/// Size of the plot, in units of the drawing; what is around it holds the labels.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 68.0;
const TOP: f64 = 12.0;

/// Lines differ in their dashes too.
const DASHES: [&str; 3] = ["none", "10 5", "2 5"];

pub(super) fn section(curves: &[Curve], page: &mut String) {
    if curves.is_empty() {
        return;
    }
    open(page, "curve", "Precision and recall");
    page.push_str(
        "<p>Mean over the queries with right answers of the interpolated precision: at each recall, the largest precision at that \
         recall or above.</p>\n",
    );
    drawing(curves, page);
    legend(curves, page);
    table(curves, page);
    page.push_str("</section>\n");
}

fn drawing(curves: &[Curve], page: &mut String) {
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let _ = writeln!(
        page,
        "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"curve-title curve-desc\">\n\
         <title id=\"curve-title\">Precision-recall curve</title>\n<desc id=\"curve-desc\">{}</desc>",
        right + 24.0,
        bottom + 48.0,
        escape(&description(curves))
    );
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let (x, y) = (LEFT + share * WIDTH, bottom - share * HEIGHT);
        let _ = writeln!(
            page,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}M{LEFT} {y:.1}H{right}\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1}</text>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{share:.1}</text>",
            bottom + 20.0,
            LEFT - 8.0,
            y + 5.0
        );
    }
    let (middle, height) = (LEFT + WIDTH / 2.0, TOP + HEIGHT / 2.0);
    let _ = writeln!(
        page,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">recall</text>\n\
         <text transform=\"translate(14 {height}) rotate(-90)\" text-anchor=\"middle\">precision</text>",
        bottom + 42.0
    );
    for (index, curve) in curves.iter().enumerate() {
        let points: Vec<String> = (0..=STEPS)
            .filter_map(|step| {
                let precision = curve.precision(step)?;
                let x = LEFT + WIDTH * step as f64 / STEPS as f64;
                Some(format!("{x:.1},{:.1}", bottom - HEIGHT * precision))
            })
            .collect();
        let _ = writeln!(
            page,
            "<polyline class=\"line{}\" stroke-dasharray=\"{}\" points=\"{}\"/>",
            index % DASHES.len(),
            DASHES[index % DASHES.len()],
            points.join(" ")
        );
    }
    page.push_str("</svg>\n");
}

/// The curves in a sentence each.
fn description(curves: &[Curve]) -> String {
    let at = |curve: &Curve, step: usize| curve.precision(step).unwrap_or(f64::NAN);
    let sentence = |curve: &Curve| {
        format!(
            "{}: precision {:.2} at recall 0, {:.2} at recall 0.5, {:.2} at recall 1.",
            label(curve),
            at(curve, 0),
            at(curve, STEPS / 2),
            at(curve, STEPS)
        )
    };
    let sentences: Vec<String> = curves.iter().map(sentence).collect();
    format!("{} The table below has the numbers.", sentences.join(" "))
}

fn label(curve: &Curve) -> String {
    match curve.setup.as_str() {
        "all" => "All queries".to_owned(),
        setup => format!("Setup {setup}"),
    }
}

fn legend(curves: &[Curve], page: &mut String) {
    page.push_str("<ul class=\"legend\">\n");
    for (index, curve) in curves.iter().enumerate() {
        let queries = if curve.queries == 1 { "query" } else { "queries" };
        let _ = writeln!(
            page,
            "<li><svg viewBox=\"0 0 48 10\" aria-hidden=\"true\"><path class=\"line{}\" stroke-dasharray=\"{}\" d=\"M0 5H48\"/></svg> \
             {} ({} {queries})</li>",
            index % DASHES.len(),
            DASHES[index % DASHES.len()],
            escape(&label(curve)),
            curve.queries
        );
    }
    page.push_str("</ul>\n");
}

/// The eleven classic points.
fn table(curves: &[Curve], page: &mut String) {
    page.push_str(
        "<details>\n<summary>The curve as a table</summary>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" \
         aria-label=\"The curve as a table\">\n<table>\n<thead>\n<tr><th scope=\"col\">Recall</th>",
    );
    for curve in curves {
        let _ = write!(
            page,
            "<th scope=\"col\">Precision, {}</th>",
            escape(&label(curve).to_lowercase())
        );
    }
    page.push_str("</tr>\n</thead>\n<tbody>\n");
    for step in (0..=STEPS).step_by(STEPS / 10) {
        let _ = write!(
            page,
            "<tr><th scope=\"row\">{:.1}</th>",
            step as f64 / STEPS as f64
        );
        for curve in curves {
            let _ = match curve.precision(step) {
                Some(precision) => write!(page, "<td>{precision:.3}</td>"),
                None => write!(page, "<td>undefined</td>"),
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</div>\n</details>\n");
}
