//! One query of a report page, with its answers.

use super::escape;
use base64::Engine as _;
use sightline_rerank::Step;
use std::fmt::Write as _;

/// One query and its answers, by one ranking or by several.
#[derive(Clone, Debug)]
pub struct QuerySection {
    /// Index of the query in the data set.
    pub query: usize,
    /// The query's name.
    pub name: String,
    /// Whether average precision is meant to be there (false for collections without ground truth).
    pub judged: bool,
    /// Whether a box is drawn into the thumbnail.
    pub boxed: bool,
    /// The query's thumbnail: JPEG bytes. Empty: its name is shown instead.
    pub thumbnail: Vec<u8>,
    /// The answers of each ranking, shown one above the other.
    pub strips: Vec<Strip>,
}

/// The answers of one ranking to a query.
#[derive(Clone, Debug, Default)]
pub struct Strip {
    /// Which ranking, such as `before`; empty where there is one only.
    pub label: String,
    /// Average precision, if the query has positives.
    pub average_precision: Option<f64>,
    /// Best answers first.
    pub answers: Vec<Answer>,
}

/// One answer to a query.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer's name.
    pub name: String,
    /// Its score (larger is better); none where the ranking came without.
    pub score: Option<f32>,
    /// Its way through the stages of a re-ranking; empty where there were none.
    pub steps: Vec<Step>,
    /// What the ground truth says of it.
    pub verdict: Verdict,
    /// Whether it is an image that answers no query.
    pub distractor: bool,
    /// JPEG bytes. Empty: its name is shown instead.
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

    /// A mark for eyes that do not tell the colours apart.
    fn mark(self) -> &'static str {
        match self {
            Self::Right => "✓",
            Self::Wrong => "✗",
            Self::Junk => "–",
            Self::Unjudged => "",
        }
    }
}

impl QuerySection {
    /// Whether all rankings give the same answers, as far as they are shown, so that showing them once is enough.
    #[must_use]
    pub fn stays(&self) -> bool {
        let names = |strip: &Strip| -> Vec<String> {
            let names = strip.answers.iter().map(|answer| answer.name.clone());
            names.collect()
        };
        let mut all = self.strips.iter().map(names);
        let first = all.next();
        self.strips.len() > 1 && all.all(|other| Some(other) == first)
    }

    /// The average precision of each ranking, `before 0.250, after 0.750`, and what the second gained.
    #[must_use]
    pub fn precisions(&self) -> (String, Option<f64>) {
        let one = |strip: &Strip| {
            let value = strip
                .average_precision
                .map_or_else(|| "undefined".to_owned(), |value| format!("{value:.3}"));
            format!("{} {value}", strip.label).trim().to_owned()
        };
        let texts: Vec<String> = self.strips.iter().map(one).collect();
        let gain = match self.strips.as_slice() {
            [before, after] => after
                .average_precision
                .zip(before.average_precision)
                .map(|(after, before)| after - before),
            _ => None,
        };
        (texts.join(", "), gain)
    }

    /// `id`: the anchor.
    pub(super) fn write(&self, id: &str, page: &mut String) {
        let name = escape(&self.name);
        let _ = writeln!(
            page,
            "<article id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h3 id=\"{id}-heading\">{name}</h3>"
        );
        self.write_precisions(page);
        match self.strips.as_slice() {
            [] => {}
            [only] => self.write_strip(only, page),
            [.., last] if self.stays() => {
                let labels: Vec<String> = self.strips.iter().map(|strip| escape(&strip.label)).collect();
                let _ = writeln!(
                    page,
                    "<p>The first {} answers are the same {}.</p>",
                    last.answers.len(),
                    labels.join(" and ")
                );
                self.write_strip(last, page);
            }
            _ => self.write_beside(page),
        }
        page.push_str("</article>\n");
    }

    fn write_precisions(&self, page: &mut String) {
        if !self.judged {
            return;
        }
        let defined = |strip: &Strip| strip.average_precision.is_some();
        if !self.strips.iter().any(defined) {
            page.push_str("<p>No average precision.</p>\n");
            return;
        }
        let (text, gain) = self.precisions();
        let _ = write!(page, "<p>Average precision {}", escape(&text));
        if let Some(gain) = gain {
            let _ = write!(page, " {}", change(gain));
        }
        page.push_str("</p>\n");
    }

    /// The query and the answers of one ranking, in as many lines as they need.
    fn write_strip(&self, strip: &Strip, page: &mut String) {
        let _ = writeln!(
            page,
            "<ol class=\"strip\">\n<li class=\"asked\">{}</li>",
            self.asked()
        );
        for (place, answer) in (1..).zip(&strip.answers) {
            answer.write(place, page);
        }
        page.push_str("</ol>\n");
    }

    /// The query at the side, and each ranking on a line of its own, so that equal places lie below one another.
    fn write_beside(&self, page: &mut String) {
        let most = self.strips.iter().map(|strip| strip.answers.len()).max();
        let _ = writeln!(
            page,
            "<div class=\"beside\">\n<div class=\"asked\">{}</div>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" \
             aria-label=\"Rankings of {}\" style=\"--places:{}\">",
            self.asked(),
            escape(&self.name),
            most.unwrap_or(0).max(1)
        );
        for strip in &self.strips {
            let _ = writeln!(
                page,
                "<h4>{}</h4>\n<ol class=\"strip line\">",
                escape(&strip.label)
            );
            for (place, answer) in (1..).zip(&strip.answers) {
                answer.write(place, page);
            }
            page.push_str("</ol>\n");
        }
        page.push_str("</div>\n</div>\n");
    }

    fn asked(&self) -> String {
        let caption = if self.boxed {
            "query (the part in the box)"
        } else {
            "query"
        };
        format!(
            "<figure>{}<figcaption><b>{caption}</b></figcaption></figure>",
            picture(&self.thumbnail, &self.name)
        )
    }
}

/// A change with its sign, coloured too.
pub(super) fn change(value: f64) -> String {
    // What rounds to 0 is no change.
    let text = format!("{value:+.3}");
    let class = match text.as_str() {
        "+0.000" | "-0.000" => return "<b class=\"same\">±0</b>".to_owned(),
        _ if value > 0.0 => "right",
        _ => "wrong",
    };
    // A minus sign of the width of a plus sign.
    format!(
        "<span class=\"{class}\"><b>{}</b></span>",
        text.replace('-', "\u{2212}")
    )
}

impl Answer {
    fn write(&self, place: usize, page: &mut String) {
        let (verdict, mark) = (self.verdict.word(), self.verdict.mark());
        let _ = write!(
            page,
            "<li class=\"{verdict}\"><figure>{}<figcaption><b>{place}. {verdict}</b>",
            picture(&self.thumbnail, &self.name)
        );
        if !mark.is_empty() {
            let _ = write!(page, "<b class=\"mark\" aria-hidden=\"true\">{mark}</b>");
        }
        match (self.steps.as_slice(), self.score) {
            ([], Some(score)) => {
                let _ = write!(page, "<i>{score:.4}</i>");
            }
            _ => self.write_steps(place, page),
        }
        if self.distractor {
            page.push_str("<span>distractor</span>");
        }
        // Where there is no picture the name stands in its place already.
        if !self.thumbnail.is_empty() {
            let name = escape(&self.name);
            let _ = write!(page, "<span class=\"name\" title=\"{name}\">{name}</span>");
        }
        page.push_str("</figcaption></figure></li>\n");
    }

    /// Where the answer stood before, and every stage's score.
    fn write_steps(&self, place: usize, page: &mut String) {
        match self.steps.first().map(|first| first.rank) {
            Some(Some(was)) if was != place => {
                let _ = write!(page, "<i>was {was}</i>");
            }
            Some(None) => page.push_str("<i>new</i>"),
            _ => {}
        }
        for step in &self.steps {
            if let Some(score) = step.score {
                let (method, score) = (escape(step.method), short(score));
                let _ = write!(page, "<span class=\"steps\">{method} {score}</span>");
            }
        }
    }
}

/// A score in few letters: similarities with three decimals, counts with fewer.
fn short(score: f32) -> String {
    match score.abs() {
        size if size < 10.0 => format!("{score:.3}"),
        size if size < 1000.0 => format!("{score:.1}"),
        _ => format!("{score:.0}"),
    }
}

/// The picture, or its name in its place.
fn picture(jpeg: &[u8], name: &str) -> String {
    let name = escape(name);
    if jpeg.is_empty() {
        return format!("<span class=\"nameless\">{name}</span>");
    }
    let data = base64::engine::general_purpose::STANDARD.encode(jpeg);
    // The verdict and the name are in the caption, so that a screen reader says them once.
    format!("<img alt=\"Picture {name}\" loading=\"lazy\" src=\"data:image/jpeg;base64,{data}\">")
}
