//! Which queries a page shows, and in what order.

use sightline_eval::paired::largest_changes;
use sightline_eval::{Evaluation, QueryResult};

/// How good a query's answers are, for sorting: its AP, else by the place of the first right answer. Queries without
/// right answers come last.
fn goodness(query: &QueryResult) -> f64 {
    if query.positives == 0 {
        return f64::INFINITY;
    }
    let by_place = || query.first_positive_rank.map_or(0.0, |first| 1.0 / first as f64);
    query.ap.unwrap_or_else(by_place)
}

/// Indices of all queries, worst first; equal ones in the data set's order.
pub fn worst_first(evaluation: &Evaluation) -> Vec<usize> {
    let mut order: Vec<usize> = (0..evaluation.queries.len()).collect();
    order.sort_by(|a, b| goodness(&evaluation.queries[*a]).total_cmp(&goodness(&evaluation.queries[*b])));
    order
}

/// The queries to show, worst first: all, or half of `most` from the worst and half from the best end.
pub fn chosen(evaluation: &Evaluation, most: usize) -> Vec<usize> {
    let order = worst_first(evaluation);
    if order.len() <= most {
        return order;
    }
    let (worst, best) = (most.div_ceil(2), most / 2);
    let mut chosen = order[..worst].to_vec();
    // The very best, not those without right answers behind them.
    let counted = order
        .iter()
        .filter(|query| evaluation.queries[**query].positives > 0)
        .count();
    let end = counted.max(worst + best);
    chosen.extend(&order[end - best..end]);
    chosen
}

/// The queries that a page of a re-ranking shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Those that lost, the largest loss first.
    pub lost: Vec<usize>,
    /// Those that gained, the largest gain first.
    pub gained: Vec<usize>,
    /// Others, worst first.
    pub others: Vec<usize>,
}

impl Choice {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.lost.iter().chain(&self.gained).chain(&self.others).copied()
    }
}

/// The queries to show of a re-ranking, at most `most`: half of them those that lost most and half those that gained most, as
/// `changes` (one a query) says; where these are fewer, the worst of the others.
pub fn chosen_by_change(evaluation: &Evaluation, changes: &[Option<f64>], most: usize) -> Choice {
    let (mut lost, mut gained) = largest_changes(changes, most);
    // What one side does not need is the other's.
    let half = most.div_ceil(2);
    lost.truncate(half.max(most.saturating_sub(gained.len())));
    gained.truncate(most - lost.len());
    let room = most - lost.len() - gained.len();
    let stayed = |query: &usize| changes.get(*query).copied().flatten().unwrap_or(0.0) == 0.0;
    let others = worst_first(evaluation).into_iter().filter(stayed).take(room);
    Choice {
        others: others.collect(),
        lost,
        gained,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sightline_eval::{Metrics, Protocol};

    fn evaluation(aps: &[Option<f64>]) -> Evaluation {
        let query = |(index, ap): (usize, &Option<f64>)| QueryResult {
            name: format!("q{index}"),
            ap: *ap,
            positives: usize::from(ap.is_some()),
            ..QueryResult::default()
        };
        Evaluation {
            protocol: Protocol::Cirtorch,
            metrics: Metrics::default(),
            confidence_interval: None,
            queries: aps.iter().enumerate().map(query).collect(),
            curves: Vec::new(),
        }
    }

    #[test]
    fn the_worst_and_the_best_are_chosen() {
        let found = evaluation(&[Some(0.5), None, Some(0.1), Some(0.9), Some(0.1), Some(1.0)]);
        assert_eq!(chosen(&found, 6), [2, 4, 0, 3, 5, 1]);
        assert_eq!(chosen(&found, 3), [2, 4, 5]);
        assert_eq!(chosen(&found, 4), [2, 4, 3, 5]);
        assert_eq!(chosen(&found, 0), [0_usize; 0]);
        assert_eq!(chosen(&evaluation(&[None, None, None]), 2), [0, 1]);
        let (columns, lines) = super::super::lines(&found, &[]);
        assert_eq!(columns, ["AP"]);
        assert_eq!(lines[0].name, "q2");
        assert_eq!(lines[5].values, [None]);
    }

    #[test]
    fn what_changed_comes_first() {
        let found = evaluation(&[Some(0.5), None, Some(0.1), Some(0.9), Some(0.2), Some(1.0)]);
        let changes = [Some(0.1), None, Some(0.3), Some(-0.2), Some(0.0), Some(0.4)];
        let choice = |most| {
            let Choice { lost, gained, others } = chosen_by_change(&found, &changes, most);
            (lost, gained, others)
        };
        assert_eq!(choice(9), (vec![3], vec![5, 2, 0], vec![4, 1]));
        assert_eq!(choice(5), (vec![3], vec![5, 2, 0], vec![4]));
        assert_eq!(choice(3), (vec![3], vec![5, 2], vec![]));
        assert_eq!(choice(1), (vec![3], vec![], vec![]));
        assert_eq!(choice(0), (vec![], vec![], vec![]));
        let falling = [Some(-0.1), None, Some(-0.3), Some(-0.2), Some(0.5), Some(-0.4)];
        let got = chosen_by_change(&found, &falling, 4);
        assert_eq!((got.lost.len(), got.gained.len()), (3, 1));
    }
}
