//! Whole evaluations on small data sets whose numbers are known by hand.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sightline_dataset::{ClassicLists, Dataset, Query, RevisitedLists, Truth};
use sightline_eval::ranking::{Rank, Ties, rank_all};
use sightline_eval::ranks::RankedLists;
use sightline_eval::{EvalError, Evaluation, Options, Protocol, Ranking, ScoreMatrix, evaluate};

fn dataset(images: usize, queries: usize, truth: Truth) -> Dataset {
    let query = |i: usize| Query {
        name: format!("q{i}"),
        bbox: None,
    };
    Dataset {
        name: "small".into(),
        images: (0..images).map(|i| format!("i{i}")).collect(),
        queries: (0..queries).map(query).collect(),
        truth,
        ..Dataset::default()
    }
}

fn lists(easy: &[u32], hard: &[u32], junk: &[u32]) -> RevisitedLists {
    RevisitedLists {
        easy: easy.to_vec(),
        hard: hard.to_vec(),
        junk: junk.to_vec(),
    }
}

fn by_lists(ranked: &[&[u32]]) -> RankedLists {
    RankedLists::new(ranked.iter().map(|list| list.to_vec()).collect(), false).unwrap()
}

fn run(dataset: &Dataset, ranking: &dyn Ranking, protocol: Protocol) -> Evaluation {
    evaluate(dataset, ranking, Some(protocol), &Options::default()).unwrap()
}

fn close(got: Option<f64>, want: f64) {
    assert!((got.unwrap() - want).abs() < 1e-12, "{got:?} instead of {want}");
}

#[test]
fn a_revisited_set_gets_three_setups() {
    let truth = Truth::Revisited(vec![
        lists(&[0], &[2], &[1]),
        lists(&[3], &[], &[]),
        lists(&[], &[], &[0]),
    ]);
    let set = dataset(4, 3, truth);
    let ranking = by_lists(&[&[1, 0, 3, 2], &[0, 3, 1, 2], &[0, 1, 2, 3]]);
    let got = run(&set, &ranking, Protocol::Cirtorch);
    // Query 0 without junk: 0, 3, 2. Medium: places 1 and 3; easy (2 removed): place 1; hard (0 removed): place 2.
    let medium = (1.0 + 1.0 + 0.5 + 2.0 / 3.0) / 4.0;
    let metric = |name: &str| got.metrics.get(name);
    close(metric("mAP-easy"), (1.0 + 0.25) / 2.0);
    close(metric("mAP-medium"), (medium + 0.25) / 2.0);
    assert_eq!(metric("mAP"), metric("mAP-medium"));
    close(metric("mAP-hard"), 0.25);
    close(metric("R@1"), 0.5);
    close(metric("mP@1-medium"), 0.5);
    close(metric("mP@10-medium"), (2.0 / 3.0 + 0.5) / 2.0);
    assert_eq!(got.queries[2].ap, None);
    assert_eq!(got.queries[0].first_positive_rank, Some(1));
    assert_eq!(got.queries[1].first_positive_rank, Some(2));

    let json = serde_json::to_value(&got).unwrap();
    assert_eq!(json["protocol"], "cirtorch");
    assert_eq!(json["metrics"]["mP@5-hard"], 0.5);
    assert_eq!(json["queries"][1]["name"], "q1");
    assert_eq!(json["queries"][1]["ap-hard"], serde_json::Value::Null);
    assert!(json["queries"][1].as_object().unwrap().contains_key("ap-hard"));
    assert!(json["confidence_interval"]["low"].as_f64().unwrap() <= metric("mAP").unwrap());
    assert_eq!(json["confidence_interval"]["resamples"], 10_000);
    let back: Evaluation = serde_json::from_value(json).unwrap();
    assert_eq!(back.queries[1].name, "q1");
    assert_eq!(
        back.queries[0].setups.get("ap-hard"),
        got.queries[0].setups.get("ap-hard")
    );
    assert_eq!(back.metrics.get("mAP"), metric("mAP"));
    assert_eq!(back.confidence_interval, got.confidence_interval);
}

#[test]
fn without_any_positive_everything_is_null() {
    let set = dataset(2, 1, Truth::Revisited(vec![lists(&[], &[], &[])]));
    let got = run(&set, &by_lists(&[&[0, 1]]), Protocol::Cirtorch);
    assert!(got.metrics.iter().all(|(_, value)| value.is_none()));
    assert_eq!(got.confidence_interval, None);
}

#[test]
fn the_protocols_differ_where_they_are_known_to() {
    // Query 0: image 1 is positive and junk. Query 1 has no positive.
    let truth = vec![
        ClassicLists {
            ok: vec![1, 2],
            junk: vec![1],
        },
        ClassicLists {
            ok: vec![],
            junk: vec![0],
        },
    ];
    let set = dataset(4, 2, Truth::Classic(truth));
    let scores = ScoreMatrix::new(&[0.9, 0.8, 0.7, 0.7, 0.1, 0.2, 0.3, 0.4], 4).unwrap();
    let cirtorch = run(&set, &scores, Protocol::Cirtorch);
    // Positions 1 and 2 less one junk: both 1.
    close(cirtorch.metrics.get("mAP"), (0.0 + 0.5 + 1.0 + 1.0) / 4.0);
    assert_eq!(cirtorch.queries[1].ap, None);
    let dirtorch = run(&set, &scores, Protocol::Dirtorch);
    // One positive, behind 0 and (a tie, higher index first) 3; and the other query counts as 0.
    close(dirtorch.metrics.get("mAP"), 1.0 / 3.0 / 2.0 / 2.0);
    assert_eq!(dirtorch.queries[1].ap, Some(0.0));
    assert_eq!(dirtorch.metrics.get("mP@1"), None);
}

#[test]
fn labels_are_recalled() {
    let truth = Truth::Labels {
        images: vec![0, 0, 1, 1, 2],
        queries: None,
        class_names: vec!["a".into(), "b".into(), "c".into()],
    };
    let set = dataset(5, 0, truth);
    let points = [0.0_f32, 1.0, 2.5, 3.5, 9.0];
    let scores: Vec<f32> = points
        .iter()
        .flat_map(|a| points.iter().map(move |b| -(a - b).abs()))
        .collect();
    let ranking = ScoreMatrix::new(&scores, 5).unwrap();
    let got = evaluate(&set, &ranking, None, &Options::default()).unwrap();
    assert_eq!(got.protocol, Protocol::Recall);
    // The last image is alone in its class: a miss, until k reaches the gallery's size.
    let values: Vec<Option<f64>> = ["R@1", "R@2", "R@4", "R@8"]
        .iter()
        .map(|n| got.metrics.get(n))
        .collect();
    assert_eq!(values, [Some(0.8), Some(0.8), Some(0.8), Some(1.0)]);
    close(got.metrics.get("R-precision"), 1.0);
    close(got.metrics.get("MAP@R"), 1.0);
    assert_eq!(got.metrics.get("mAP"), None);
    assert_eq!(got.queries[4].name, "i4");
    assert_eq!(got.queries[4].first_positive_rank, None);

    let dirtorch = run(&set, &ranking, Protocol::Dirtorch);
    close(dirtorch.metrics.get("mAP"), 1.0);
    close(dirtorch.metrics.get("top-1"), 1.0);
    assert_eq!(dirtorch.metrics.get("top-5"), None);
    assert_eq!(dirtorch.queries[4].ap, None);
}

/// Lists over a gallery of two hundred images, some of which no list ever holds.
struct Incomplete(RankedLists);

impl Ranking for Incomplete {
    fn queries(&self) -> usize {
        self.0.queries()
    }

    fn images(&self) -> Option<usize> {
        None
    }

    fn gallery(&self) -> Option<usize> {
        Some(200)
    }

    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>> {
        self.0.ranks(first_query, wanted)
    }
}

#[test]
fn distractors_count_where_an_image_has_no_descriptor() {
    let truth = Truth::Labels {
        images: vec![0, 0, 1],
        queries: Some(vec![0]),
        class_names: vec!["a".into(), "b".into()],
    };
    let set = dataset(3, 1, truth);
    let ranking = Incomplete(by_lists(&[&[2, 0]]));
    let got = run(&set, &ranking, Protocol::Dirtorch);
    close(got.metrics.get("top-1"), 0.0);
    close(got.metrics.get("top-100"), 1.0);
}

#[test]
fn places_and_landmarks_read_classic_lists() {
    let truth = vec![
        ClassicLists {
            ok: vec![2],
            junk: vec![],
        },
        ClassicLists {
            ok: vec![],
            junk: vec![],
        },
    ];
    let set = dataset(4, 2, Truth::Classic(truth));
    let ranking = RankedLists::new(vec![vec![0, 0, 2], vec![]], true).unwrap();
    let got = run(&set, &ranking, Protocol::Netvlad);
    assert_eq!(
        (got.metrics.get("R@1"), got.metrics.get("R@5")),
        (Some(0.0), Some(0.5))
    );
    let got = run(&set, &ranking, Protocol::Gldv2);
    close(got.metrics.get("mAP@100"), 1.0 / 3.0);
    close(got.queries[0].ap, 1.0 / 3.0);
    assert_eq!(got.queries[1].ap, None);
}

#[test]
fn what_does_not_fit_is_said() {
    let set = dataset(2, 1, Truth::Revisited(vec![lists(&[0], &[], &[])]));
    let ranking = by_lists(&[&[0, 1]]);
    let with = |protocol, options: &Options| {
        evaluate(&set, &ranking, protocol, options)
            .unwrap_err()
            .to_string()
    };
    let text = with(Some(Protocol::Recall), &Options::default());
    assert!(
        text.contains("recall does not read a revisited") && text.contains("cirtorch, dirtorch, token"),
        "{text}"
    );
    let mut options = Options {
        kappas: Some(vec![0]),
        ..Options::default()
    };
    assert!(matches!(
        evaluate(&set, &ranking, None, &options),
        Err(EvalError::Kappas)
    ));
    options.kappas = None;
    options.bootstrap.resamples = 0;
    assert!(with(None, &options).contains("resamples"));
    let two = by_lists(&[&[0], &[1]]);
    let wrong = evaluate(&set, &two, None, &Options::default());
    assert!(matches!(
        wrong,
        Err(EvalError::Queries {
            ranked: 2,
            queries: 1
        })
    ));
    let narrow = ScoreMatrix::new(&[0.5], 1).unwrap();
    assert!(matches!(
        evaluate(&set, &narrow, None, &Options::default()),
        Err(EvalError::Images { .. })
    ));
    let list = dataset(2, 0, Truth::None);
    assert!(matches!(
        evaluate(&list, &ranking, None, &Options::default()),
        Err(EvalError::NoTruth(_))
    ));
    assert!(
        "cirtroch"
            .parse::<Protocol>()
            .unwrap_err()
            .to_string()
            .contains("cirtroch")
    );
    assert!(matches!(
        RankedLists::new(vec![vec![3, 1, 3]], false),
        Err(EvalError::Repeated { query: 0, image: 3 })
    ));
    assert!(RankedLists::from_columns(&[1, -7], 1, false).is_err());
    assert!(RankedLists::from_columns(&[1, 2, 3], 2, false).is_err());
    assert!(RankedLists::from_text("1 x", &[], false).is_err());
    assert_eq!(
        RankedLists::from_columns(&[1, -1, -1, 0], 2, false)
            .unwrap()
            .lists(),
        [vec![1], vec![0]]
    );
}

/// Indices of a set, from bits.
fn picked(bits: u32, images: u32) -> Vec<u32> {
    (0..images).filter(|i| bits >> i & 1 == 1).collect()
}

proptest! {
    #[test]
    fn scores_and_their_sorted_lists_agree(
        queries in prop::collection::vec((any::<u32>(), any::<u32>(), any::<u32>()), 1..5),
        grid in prop::collection::vec(0..12_u8, 5 * 20),
        images in 2..15_u32,
    ) {
        let columns = 20;
        let scores: Vec<f32> = grid.iter().take(queries.len() * columns).map(|v| f32::from(*v)).collect();
        let matrix = ScoreMatrix::new(&scores, columns).unwrap();
        let truth = queries.iter().map(|(easy, hard, junk)| {
            lists(&picked(*easy, images), &picked(hard & !easy, images), &picked(junk & !hard & !easy, images))
        });
        let set = dataset(images as usize, queries.len(), Truth::Revisited(truth.collect()));
        for (protocol, ties) in [(Protocol::Cirtorch, Ties::LowFirst), (Protocol::Dirtorch, Ties::HighFirst)] {
            let sorted = scores.chunks(columns).map(|row| rank_all(row, ties)).collect();
            let sorted = RankedLists::new(sorted, false).unwrap();
            let mut options = Options::default();
            options.bootstrap.resamples = 50;
            let from_scores = evaluate(&set, &matrix, Some(protocol), &options).unwrap();
            let from_lists = evaluate(&set, &sorted, Some(protocol), &options).unwrap();
            prop_assert_eq!(from_scores, from_lists);
        }
    }
}
