//! Evaluation against lists of positives and junk: revisited and classic sets.

use crate::average_precision::trapezoid;
use crate::curve::Curve;
use crate::evaluation::{Found, Metrics, Options, QueryResult, for_each_query, recall_ks, share};
use crate::positions::Positions;
use crate::ranking::{Ranked, Ranking, Ties};
use crate::revisited::{KAPPAS, Measure, Setup, Undefined, means, measure};
use crate::{Protocol, dirtorch, landmarks, place};
use sightline_dataset::{ClassicLists, RevisitedLists};

/// Revisited sets: three setups; `mAP` and `R@1` are those of the medium one.
pub(crate) fn revisited(
    lists: &[RevisitedLists],
    ranking: &dyn Ranking,
    protocol: Protocol,
    options: &Options,
) -> Found {
    let kappas = kappas(protocol, options);
    let mut measures: [Vec<Measure>; 3] = Default::default();
    let mut curves = Setup::ALL.map(|setup| Curve::new(setup.name()));
    let wanted = |query: usize| [&lists[query].easy[..], &lists[query].hard, &lists[query].junk].concat();
    for_each_query(ranking, wanted, |query, ranked| {
        let RevisitedLists { easy, hard, junk } = &lists[query];
        let places = measures.iter_mut().zip(&mut curves);
        for (setup, (measures, curve)) in Setup::ALL.into_iter().zip(places) {
            let (positives, removed) = setup.split(easy, hard, junk);
            measures.push(measure_lists(
                protocol, ranked, &positives, &removed, &kappas, false, curve,
            ));
        }
    });
    let [_, medium, _] = &measures;
    let mut found = Found::default();
    found.metrics.push("mAP", means(medium).map);
    for (setup, measures) in Setup::ALL.iter().zip(&measures) {
        found
            .metrics
            .push(format!("mAP-{}", setup.name()), means(measures).map);
    }
    found.metrics.push("R@1", first_right(medium));
    for (at, k) in kappas.iter().enumerate() {
        for (setup, measures) in Setup::ALL.iter().zip(&measures) {
            found
                .metrics
                .push(format!("mP@{k}-{}", setup.name()), means(measures).precisions[at]);
        }
    }
    for (query, lists) in lists.iter().enumerate() {
        let mut setups = Metrics::default();
        for (setup, measures) in Setup::ALL.iter().zip(&measures) {
            setups.push(format!("ap-{}", setup.name()), measures[query].ap);
        }
        found.queries.push(QueryResult {
            ap: finite(medium[query].ap),
            setups,
            first_positive_rank: medium[query].first.map(|first| first + 1),
            positives: lists.easy.len() + lists.hard.len(),
            ..QueryResult::default()
        });
    }
    found.counted = Some(("mAP", counted(medium)));
    found.curves = curves.into();
    found
}

/// Classic sets, and their lists read as place recognition's or Google Landmarks' positives.
pub(crate) fn classic(
    lists: &[ClassicLists],
    ranking: &dyn Ranking,
    protocol: Protocol,
    options: &Options,
) -> Found {
    match protocol {
        Protocol::Netvlad | Protocol::Gldv2 => return without_junk(lists, ranking, protocol, options),
        _ => {}
    }
    let kappas = kappas(protocol, options);
    let mut measures = Vec::new();
    let mut curve = Curve::new("all");
    let wanted = |query: usize| [&lists[query].ok[..], &lists[query].junk].concat();
    for_each_query(ranking, wanted, |query, ranked| {
        let ClassicLists { ok, junk } = &lists[query];
        measures.push(measure_lists(
            protocol,
            ranked,
            &[ok],
            &[junk],
            &kappas,
            true,
            &mut curve,
        ));
    });
    let mut found = Found::default();
    let means = means(&measures);
    found.metrics.push("mAP", means.map);
    found.metrics.push("R@1", first_right(&measures));
    for (k, precision) in kappas.iter().zip(means.precisions) {
        found.metrics.push(format!("mP@{k}"), precision);
    }
    found.queries = measures
        .iter()
        .zip(lists)
        .map(|(measure, lists)| QueryResult {
            ap: finite(measure.ap),
            first_positive_rank: measure.first.map(|first| first + 1),
            positives: lists.ok.len(),
            ..QueryResult::default()
        })
        .collect();
    found.counted = Some(("mAP", counted(&measures)));
    found.curves = vec![curve];
    found
}

/// Protocols that know no junk: every image but the positives is wrong.
fn without_junk(
    lists: &[ClassicLists],
    ranking: &dyn Ranking,
    protocol: Protocol,
    options: &Options,
) -> Found {
    let mut found = Found::default();
    let mut firsts = Vec::new();
    let mut aps = Vec::new();
    let mut curve = Curve::new("all");
    for_each_query(
        ranking,
        |query| lists[query].ok.clone(),
        |query, ranked| {
            let positions = Positions::from_ranks(ranked, &[&lists[query].ok], &[], Ties::LowFirst).positives;
            let mut distinct = lists[query].ok.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let ap = landmarks::ap_at(&positions, distinct.len(), landmarks::LIMIT);
            firsts.push(positions.first().copied());
            curve.add(&positions, distinct.len());
            found.queries.push(QueryResult {
                ap: finite(ap).filter(|_| protocol == Protocol::Gldv2),
                first_positive_rank: positions.first().map(|first| first + 1),
                positives: distinct.len(),
                ..QueryResult::default()
            });
            aps.extend(finite(ap));
        },
    );
    found.curves = vec![curve];
    found.metrics.push("mAP", f64::NAN);
    if protocol == Protocol::Gldv2 {
        let mean = aps.iter().sum::<f64>() / aps.len() as f64;
        found.metrics.push(format!("mAP@{}", landmarks::LIMIT), mean);
        let with_positives = found.queries.iter().filter(|query| query.positives > 0);
        let right = share(with_positives.map(|query| query.first_positive_rank == Some(1)));
        found.metrics.push("R@1", right);
        found.counted = Some(("mAP@100", aps));
    } else {
        for n in recall_ks(options, &place::NS) {
            found.metrics.push(format!("R@{n}"), place::recall(&firsts, n));
        }
    }
    found
}

/// dirtorch has no mP@k; the others' k.
fn kappas(protocol: Protocol, options: &Options) -> Vec<usize> {
    match protocol {
        Protocol::Dirtorch => Vec::new(),
        _ => options.kappas.clone().unwrap_or_else(|| KAPPAS.to_vec()),
    }
}

/// Adds the query to `curve`. `empty_is_zero`: dirtorch's classic evaluation counts a query without positives as AP 0, all others leave it out.
fn measure_lists(
    protocol: Protocol,
    ranked: &Ranked<'_>,
    positives: &[&[u32]],
    removed: &[&[u32]],
    kappas: &[usize],
    empty_is_zero: bool,
    curve: &mut Curve,
) -> Measure {
    if protocol != Protocol::Dirtorch {
        let undefined = match protocol {
            Protocol::Token => Undefined::Infinity,
            _ => Undefined::Nan,
        };
        let found = Positions::from_ranks(ranked, positives, removed, Ties::LowFirst);
        curve.add(&found.junk_free(), found.named);
        return measure(&found, kappas, undefined);
    }
    let found = dirtorch::positions_from_ranks(ranked, positives, removed);
    curve.add(&found.junk_free(), found.named);
    if found.named == 0 && !empty_is_zero {
        return measure(&found, kappas, Undefined::Nan);
    }
    let positions = found.junk_free();
    Measure {
        ap: trapezoid(&positions, found.named),
        precisions: Vec::new(),
        first: positions.first().copied(),
    }
}

/// Share of the queries that count whose first answer that is not junk is positive.
fn first_right(measures: &[Measure]) -> f64 {
    share(
        measures
            .iter()
            .filter(|m| m.is_defined())
            .map(|m| m.first == Some(0)),
    )
}

fn counted(measures: &[Measure]) -> Vec<f64> {
    measures.iter().filter_map(|m| finite(m.ap)).collect()
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
