//! The numbers of an evaluation as lines of text.

use sightline::dataset::Dataset;
use sightline::eval::{Evaluation, Protocol};
use std::fmt::Write as _;

/// The numbers as lines of text.
pub(crate) fn table(dataset: &Dataset, distractors: usize, evaluation: &Evaluation) -> String {
    let mut text = title(dataset, distractors, evaluation.protocol);
    for (name, value) in evaluation.metrics.iter() {
        let _ = match value {
            Some(value) => write!(text, "{name:<14} {value:.4}"),
            None => write!(text, "{name:<14} undefined"),
        };
        if let Some(confidence) = evaluation
            .confidence_interval
            .as_ref()
            .filter(|one| one.metric == name)
        {
            let (interval, level) = (&confidence.interval, 100.0 * confidence.bootstrap.level);
            let _ = write!(
                text,
                "  ({level:.0} % interval over queries {:.4} to {:.4})",
                interval.low, interval.high
            );
        }
        text.push('\n');
    }
    text
}

/// What was evaluated, as the line above the numbers.
pub(super) fn title(dataset: &Dataset, distractors: usize, protocol: Protocol) -> String {
    format!(
        "{}: {} queries, {} images{}, protocol {}\n",
        dataset.name,
        dataset.query_count(),
        dataset.images.len(),
        among(distractors),
        protocol.name()
    )
}

/// What was evaluated, as the sentence of a page.
pub(super) fn head(dataset: &Dataset, distractors: usize, protocol: Protocol) -> String {
    format!(
        "{} queries against {} images{}, protocol {}.",
        dataset.query_count(),
        dataset.images.len(),
        among(distractors),
        protocol.name()
    )
}

/// How many distractors the images stand among; nothing where there are none.
fn among(distractors: usize) -> String {
    match distractors {
        0 => String::new(),
        1 => " and 1 distractor".to_owned(),
        many => format!(" and {many} distractors"),
    }
}
