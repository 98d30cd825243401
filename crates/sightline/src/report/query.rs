//! One query of a report page, with its answers.

use super::escape;
use base64::Engine as _;
use std::fmt::Write as _;

/// One query and its answers.
#[derive(Clone, Debug)]
pub struct QuerySection {
    /// Index of the query in the data set.
    pub query: usize,
    /// The query's name.
    pub name: String,
    /// Average precision, if the query has positives.
    pub average_precision: Option<f64>,
    /// Whether average precision is meant to be there (false for collections without ground truth).
    pub judged: bool,
    /// Whether a box is drawn into the thumbnail.
    pub boxed: bool,
    /// The query's thumbnail: JPEG bytes. Empty: its name is shown instead.
    pub thumbnail: Vec<u8>,
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
    pub(super) fn write(&self, page: &mut String) {
        let (id, name) = (self.query, escape(&self.name));
        let _ = writeln!(
            page,
            "<article id=\"q{id}\" aria-labelledby=\"q{id}-heading\">\n<h3 id=\"q{id}-heading\">{name}</h3>"
        );
        let _ = match (self.judged, self.average_precision) {
            (true, Some(precision)) => writeln!(page, "<p>Average precision {precision:.3}</p>"),
            (true, None) => writeln!(page, "<p>No average precision.</p>"),
            (false, _) => Ok(()),
        };
        let caption = if self.boxed {
            "query (the part in the box)"
        } else {
            "query"
        };
        let _ = writeln!(
            page,
            "<ol class=\"strip\">\n<li class=\"asked\"><figure>{}<figcaption><b>{caption}</b></figcaption></figure></li>",
            picture(&self.thumbnail, &self.name)
        );
        for (place, answer) in (1..).zip(&self.answers) {
            answer.write(place, page);
        }
        page.push_str("</ol>\n</article>\n");
    }
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
        if let Some(score) = self.score {
            let _ = write!(page, "<i>{score:.4}</i>");
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
