//! The report page: one self-contained HTML file that shows what was found, and how good it was.
//!
//! No scripts, no fonts, nothing fetched: it opens from a disk without a network, on a phone and with a screen
//! reader. Verdicts are written out and marked, not only coloured; the curve has a table beside it.

mod chart;
mod choice;
mod methods;
mod page;
mod query;
mod sections;
mod thumbnail;

pub use choice::{Choice, chosen, chosen_by_change, worst_first};
pub use methods::sentence;
pub use query::{Answer, QuerySection, Strip, Verdict};
pub use sections::{
    Found, Pictures, RankedAnswers, figures, lines, lines_of_methods, listed, rule, sections, verdict,
};
pub use thumbnail::{Thumbnail, thumbnail};

use sightline_eval::Comparison;
use sightline_eval::curve::Curve;

/// Everything a report page shows. What is empty is left out.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The page's heading.
    pub title: String,
    /// Paragraphs below the heading: what was done, with which model.
    pub notes: Vec<String>,
    /// Figures of the whole run.
    pub figures: Vec<Figure>,
    /// Precision-recall curves.
    pub curves: Vec<Curve>,
    /// Names of the values in [`QueryLine::values`].
    pub columns: Vec<String>,
    /// A line a query, worst first.
    pub lines: Vec<QueryLine>,
    /// Several methods beside each other.
    pub comparison: Option<Comparison>,
    /// The queries that are shown with their answers, under a heading each.
    pub groups: Vec<Group>,
    /// Pictures that could not be described: name and reason.
    pub missing: Vec<(String, String)>,
    /// The card, as pretty-printed JSON.
    pub card: String,
}

/// Queries with their answers under one heading.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The heading; also its name in the page's navigation.
    pub heading: String,
    /// The sentence below: which queries are shown, and what counts as right.
    pub note: String,
    /// One section a query.
    pub queries: Vec<QuerySection>,
}

impl Group {
    /// The only group of a page.
    #[must_use]
    pub fn answers(note: String, queries: Vec<QuerySection>) -> Self {
        Self {
            heading: "Queries and their answers".to_owned(),
            note,
            queries,
        }
    }
}

/// A number of the whole run.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Such as `mAP-medium`.
    pub name: String,
    /// As printed.
    pub value: String,
    /// Its interval or another remark; empty for none.
    pub remark: String,
}

/// What the overview says of a query.
#[derive(Clone, Debug, Default)]
pub struct QueryLine {
    /// Index of the query in the data set.
    pub query: usize,
    /// Its name.
    pub name: String,
    /// Average precision by setup, as [`Report::columns`] names them; none where it is undefined.
    pub values: Vec<Option<f64>>,
    /// Place of the first right answer, junk left out, counted from 1.
    pub first: Option<usize>,
    /// How many right answers there are.
    pub positives: usize,
    /// How the main measure changed by re-ranking; none where nothing was re-ranked, or the query does not count.
    pub change: Option<f64>,
}

impl Report {
    /// The page as HTML text.
    pub fn to_html(&self) -> String {
        page::html(self)
    }
}

/// Text for an HTML text node or a quoted attribute: names of files are strangers' text.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in HTML.
            _ if character.is_control() && character != '\n' => safe.push('\u{fffd}'),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report() -> Report {
        let answer = |verdict, name: &str| Answer {
            name: name.into(),
            score: Some(0.5),
            steps: Vec::new(),
            verdict,
            distractor: false,
            thumbnail: vec![1, 2, 3],
        };
        let name = "<script>alert(1)</script>";
        Report {
            title: "A & B".into(),
            figures: vec![Figure {
                name: "mAP".into(),
                value: "0.5".into(),
                remark: String::new(),
            }],
            columns: vec!["AP".into()],
            lines: vec![QueryLine {
                query: 4,
                name: name.into(),
                values: vec![Some(0.25)],
                first: Some(2),
                positives: 3,
                change: None,
            }],
            groups: vec![Group::answers(
                String::new(),
                vec![QuerySection {
                    query: 4,
                    name: name.into(),
                    judged: true,
                    boxed: true,
                    thumbnail: vec![9],
                    strips: vec![Strip {
                        label: String::new(),
                        average_precision: Some(0.25),
                        answers: vec![
                            answer(Verdict::Right, "one"),
                            answer(Verdict::Wrong, "\"two\""),
                            answer(Verdict::Junk, "three"),
                        ],
                    }],
                }],
            )],
            missing: vec![("gone.jpg".into(), "It is gone.".into())],
            card: "{}".into(),
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
        assert_eq!(escape("a\u{0}\u{1b}b"), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn nothing_is_fetched_and_verdicts_are_written_out() {
        let page = report().to_html();
        assert!(!page.contains("http:") && !page.contains("https:"));
        for verdict in [
            "1. right",
            "2. wrong",
            "3. junk",
            "0.250",
            "gone.jpg",
            "href=\"#queries-q4\"",
        ] {
            assert!(page.contains(verdict), "the page lacks {verdict}");
        }
    }

    /// The report with a second strip below the first.
    fn before_and_after(after: &[(Verdict, &str, Option<usize>)]) -> String {
        let mut report = report();
        let query = &mut report.groups[0].queries[0];
        query.strips[0].label = "before".into();
        let step = |method, rank, score| sightline_rerank::Step { method, rank, score };
        let answer = |(verdict, name, was): &(Verdict, &str, Option<usize>)| Answer {
            name: (*name).into(),
            score: Some(0.8),
            steps: vec![
                step("search", *was, was.map(|_| 0.91)),
                step("csa", Some(1), Some(34.0)),
            ],
            verdict: *verdict,
            distractor: false,
            thumbnail: Vec::new(),
        };
        query.strips.push(Strip {
            label: "after".into(),
            average_precision: Some(0.75),
            answers: after.iter().map(answer).collect(),
        });
        report.to_html()
    }

    #[test]
    fn before_and_after_stand_one_above_the_other() {
        let page = before_and_after(&[
            (Verdict::Right, "far", Some(40)),
            (Verdict::Right, "one", Some(1)),
            (Verdict::Wrong, "found", None),
        ]);
        for text in [
            "before 0.250, after 0.750",
            "+0.500",
            ">before</h4>",
            ">after</h4>",
            "was 40",
            "was 1<",
            "new",
            ">search 0.910<",
            ">csa 34.0<",
        ] {
            assert!(page.contains(text), "the page lacks {text}");
        }
        let place = |text: &str| page.find(text).unwrap();
        assert!(place(">before</h4>") < place("three") && place("three") < place(">after</h4>"));
    }

    #[test]
    fn answers_that_stay_are_shown_once() {
        let page = before_and_after(&[
            (Verdict::Right, "one", Some(1)),
            (Verdict::Wrong, "\"two\"", Some(2)),
            (Verdict::Junk, "three", Some(3)),
        ]);
        assert!(page.contains("The first 3 answers are the same before and after."));
        assert_eq!(page.matches("2. wrong").count(), 1);
        assert!(page.contains("+0.500") && !page.contains("was "));
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let page = Report::default().to_html();
        for heading in ["Figures", "recall", "Card", "Missing", "<nav", "<table"] {
            assert!(!page.contains(heading), "{heading}");
        }
    }
}
