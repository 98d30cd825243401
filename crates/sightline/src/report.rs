//! The report page: one self-contained HTML file that shows what was found, and how good it was.
//!
//! No scripts, no fonts, nothing fetched: it opens from a disk without a network, on a phone and with a screen
//! reader. Verdicts are written out, not only coloured.

mod sections;

pub use sections::{sections, thumbnail, verdict};

use base64::Engine as _;
use std::fmt::Write as _;

/// Everything a report page shows.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The page's heading.
    pub title: String,
    /// Paragraphs below the heading: what was done, with which model.
    pub notes: Vec<String>,
    /// Figures of the whole run: name and printed value.
    pub figures: Vec<(String, String)>,
    /// One section a query.
    pub queries: Vec<QuerySection>,
    /// The card, as pretty-printed JSON.
    pub card: String,
}

/// One query and its answers.
#[derive(Clone, Debug)]
pub struct QuerySection {
    /// The query's name.
    pub name: String,
    /// Average precision, if the query has positives.
    pub average_precision: Option<f64>,
    /// Whether average precision is meant to be there (false for collections without ground truth).
    pub judged: bool,
    /// The query's thumbnail: JPEG bytes. Empty: no picture is shown.
    pub thumbnail: Vec<u8>,
    /// Best answers first.
    pub answers: Vec<Answer>,
}

/// One answer to a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer's name.
    pub name: String,
    /// Its score (larger is better).
    pub score: f32,
    /// What the ground truth says of it.
    pub verdict: Verdict,
    /// JPEG bytes. Empty: no picture is shown.
    pub thumbnail: Vec<u8>,
}

/// What the ground truth says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It shows the query's object.
    Right,
    /// It shows something else.
    Wrong,
    /// It does not count.
    Junk,
    /// There is no ground truth.
    Unjudged,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Junk => "junk",
            Self::Unjudged => "answer",
        }
    }
}

impl Report {
    /// The page as HTML text.
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        let title = escape(&self.title);
        // Writing to a String cannot fail, so the results are dropped.
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
             <body>\n<header>\n<h1>{title}</h1>\n"
        );
        for note in &self.notes {
            let _ = writeln!(page, "<p>{}</p>", escape(note));
        }
        if !self.figures.is_empty() {
            page.push_str("<dl class=\"figures\">\n");
            for (name, value) in &self.figures {
                let _ = writeln!(
                    page,
                    "<div><dt>{}</dt><dd>{}</dd></div>",
                    escape(name),
                    escape(value)
                );
            }
            page.push_str("</dl>\n");
        }
        page.push_str("</header>\n<main>\n");
        self.chart(&mut page);
        for (index, query) in self.queries.iter().enumerate() {
            query.write(index, &mut page);
        }
        if !self.card.is_empty() {
            let _ = writeln!(
                page,
                "<section class=\"card\"><h2>Card</h2><p>What made these numbers.</p><pre>{}</pre></section>",
                escape(&self.card)
            );
        }
        page.push_str("</main>\n</body>\n</html>\n");
        page
    }

    /// A bar a query, worst first, each a link to its section.
    fn chart(&self, page: &mut String) {
        let mut bars: Vec<(usize, f64)> = self
            .queries
            .iter()
            .enumerate()
            .filter_map(|(index, query)| query.average_precision.map(|precision| (index, precision)))
            .collect();
        if bars.is_empty() {
            return;
        }
        bars.sort_by(|a, b| a.1.total_cmp(&b.1));
        page.push_str("<section><h2>Average precision of every query</h2>\n<ol class=\"bars\">\n");
        for (index, precision) in bars {
            let _ = writeln!(
                page,
                "<li><a href=\"#q{index}\">{}</a><span class=\"bar\"><span style=\"width:{:.1}%\"></span></span>\
                 <b>{precision:.3}</b></li>",
                escape(&self.queries[index].name),
                100.0 * precision.clamp(0.0, 1.0)
            );
        }
        page.push_str("</ol></section>\n");
    }
}

impl QuerySection {
    fn write(&self, index: usize, page: &mut String) {
        let _ = writeln!(
            page,
            "<section class=\"query\" id=\"q{index}\">\n<h2>{}</h2>",
            escape(&self.name)
        );
        let precision = match (self.judged, self.average_precision) {
            (true, Some(precision)) => format!("<p>Average precision {precision:.3}</p>"),
            (true, None) => "<p>No positive in the ground truth: no average precision.</p>".to_owned(),
            (false, _) => String::new(),
        };
        let _ = writeln!(page, "{precision}\n<ul class=\"strip\">");
        let _ = writeln!(
            page,
            "<li class=\"asked\"><figure>{}<figcaption><b>query</b></figcaption></figure></li>",
            picture(&self.thumbnail, &format!("query {}", self.name))
        );
        for (rank, answer) in self.answers.iter().enumerate() {
            let verdict = answer.verdict.word();
            let _ = writeln!(
                page,
                "<li class=\"{verdict}\"><figure>{}<figcaption><b>{}. {verdict}</b> <span>{}</span> <i>{:.4}</i>\
                 </figcaption></figure></li>",
                picture(
                    &answer.thumbnail,
                    &format!("answer {}, {verdict}: {}", rank + 1, answer.name)
                ),
                rank + 1,
                escape(&answer.name),
                answer.score
            );
        }
        page.push_str("</ul>\n</section>\n");
    }
}

fn picture(jpeg: &[u8], description: &str) -> String {
    if jpeg.is_empty() {
        return format!("<span class=\"missing\">{}</span>", escape(description));
    }
    let data = base64::engine::general_purpose::STANDARD.encode(jpeg);
    format!(
        "<img alt=\"{}\" loading=\"lazy\" src=\"data:image/jpeg;base64,{data}\">",
        escape(description)
    )
}

/// Text for an HTML text node or a quoted attribute: names of files are strangers' text.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(character),
        }
    }
    safe
}

const STYLE: &str = include_str!("report/style.css");

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let answer = |verdict, name: &str| Answer {
            name: name.into(),
            score: 0.5,
            verdict,
            thumbnail: vec![1, 2, 3],
        };
        Report {
            title: "A & B".into(),
            figures: vec![("mAP".into(), "0.5".into())],
            queries: vec![QuerySection {
                name: "<script>alert(1)</script>".into(),
                average_precision: Some(0.25),
                judged: true,
                thumbnail: vec![9],
                answers: vec![answer(Verdict::Right, "one"), answer(Verdict::Wrong, "\"two\"")],
            }],
            ..Report::default()
        }
    }

    #[test]
    fn strangers_names_stay_text() {
        let page = report().to_html();
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("&lt;script&gt;alert(1)"));
        assert!(page.contains("&quot;two&quot;"));
        assert!(page.contains("<title>A &amp; B</title>"));
    }

    #[test]
    fn nothing_is_fetched_and_verdicts_are_written_out() {
        let page = report().to_html();
        assert!(!page.contains("http:") && !page.contains("https:"));
        assert!(page.contains("1. right") && page.contains("2. wrong") && page.contains("0.250"));
    }
}
