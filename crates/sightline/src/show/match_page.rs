//! Matches as a page: the pictures as JPEG, the lines as SVG over them.

use super::gradient;
use super::matches::{Layout, MatchesDrawing};
use crate::report::escape;
use base64::Engine as _;
use sightline_image::encode::{self, EncodeError};
use std::fmt::Write as _;

const STYLE: &str = "
:root { color-scheme: dark; }
body { background: #181a1e; color: #ebeef2; font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 110rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 0.25rem; overflow-wrap: anywhere; }
p { margin: 0.25rem 0; }
label { cursor: pointer; margin-right: 1.5rem; }
svg { display: block; height: auto; margin-top: 0.5rem; width: 100%; }
line, circle { vector-effect: non-scaling-stroke; }
.shadow { stroke: #000; stroke-opacity: 0.35; stroke-width: 3.4; }
.in { stroke-width: 1.8; }
.out { stroke: #e13c3c; stroke-opacity: 0.5; stroke-width: 1; }
g.pair:hover .in { stroke: #fff; stroke-width: 3; }
#lines:not(:checked) ~ svg .in, #lines:not(:checked) ~ svg .shadow { stroke: none; }
#wrong:not(:checked) ~ svg .out { display: none; }
";

/// The page. Writing to a String cannot fail, so the results of `write!` are dropped.
pub(super) fn html(drawing: &MatchesDrawing) -> Result<String, EncodeError> {
    let layout = Layout::of(drawing);
    let [first, second] = drawing.pictures.each_ref().map(|shown| escape(&shown.name));
    let notes = escape(&drawing.notes.join(" "));
    let [width, height] = layout.size;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{first} and {second}</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<h1>{first} and {second}</h1>\n<p>{notes}</p>\n\
         <input type=\"checkbox\" id=\"lines\" checked> <label for=\"lines\">lines</label>\n"
    );
    if !drawing.outliers.is_empty() {
        page.push_str(
            "<input type=\"checkbox\" id=\"wrong\"> <label for=\"wrong\">matches that do not agree</label>\n",
        );
    }
    let _ = writeln!(
        page,
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">{first} and {second} with lines between what they have in common</title>\n<desc id=\"desc\">{notes}</desc>"
    );
    for (picture, [left, top, width, height]) in layout.pictures.iter().zip(layout.boxes) {
        let jpeg = base64::engine::general_purpose::STANDARD.encode(encode::jpeg(picture, 88)?);
        let _ = writeln!(
            page,
            "<image x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" href=\"data:image/jpeg;base64,{jpeg}\"/>"
        );
    }
    // In SVG a pixel's upper left corner is at whole numbers, on the canvas its centre.
    let ends = |line| layout.ends(drawing, line).map(|end| end.map(|value| value + 0.5));
    let place = |[[x1, y1], [x2, y2]]: [[f64; 2]; 2]| {
        format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"")
    };
    for line in &drawing.outliers {
        let _ = writeln!(page, "<line class=\"out\" {}/>", place(ends(line)));
    }
    for (index, line) in drawing.inliers.iter().enumerate().rev() {
        let ([red, green, blue], ends) = (gradient(drawing.strength(index)), ends(line));
        let (colour, at) = (format!("#{red:02x}{green:02x}{blue:02x}"), place(ends));
        let _ = write!(
            page,
            "<g class=\"pair\"><line class=\"shadow\" {at}/><line class=\"in\" stroke=\"{colour}\" {at}/>"
        );
        for [x, y] in ends {
            let _ = write!(
                page,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\" stroke=\"#000\" stroke-opacity=\"0.6\"/>"
            );
        }
        page.push_str("</g>\n");
    }
    page.push_str("</svg>\n</body>\n</html>\n");
    Ok(page)
}
