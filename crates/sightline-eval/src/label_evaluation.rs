//! Evaluation against labels: metric learning's recall and dirtorch's labelled sets.

use crate::curve::Curve;
use crate::evaluation::{Found, Options, QueryResult, for_each_query, recall_ks, share};
use crate::ranking::{Rank, Ranked, Ranking, Ties};
use crate::{Protocol, dirtorch, recall};
use std::collections::BTreeMap;

/// Classes of a gallery and of its queries.
pub(crate) struct Labels<'a> {
    images: &'a [usize],
    /// None where the gallery queries itself.
    queries: Option<&'a [usize]>,
    members: BTreeMap<usize, Vec<u32>>,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(images: &'a [usize], queries: Option<&'a [usize]>) -> Self {
        let mut members: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (image, class) in images.iter().enumerate() {
            members.entry(*class).or_default().push(image as u32);
        }
        Self {
            images,
            queries,
            members,
        }
    }

    /// All images of the query's class, the query itself included where it is one of them.
    fn members(&self, query: usize) -> &[u32] {
        let class = self.queries.unwrap_or(self.images)[query];
        self.members.get(&class).map_or(&[], Vec::as_slice)
    }

    /// The image that is the query.
    fn own(&self, query: usize) -> Option<u32> {
        self.queries.is_none().then_some(query as u32)
    }

    /// The class members that answer the query.
    fn others(&self, query: usize) -> impl Iterator<Item = u32> {
        let own = self.own(query);
        self.members(query)
            .iter()
            .copied()
            .filter(move |image| Some(*image) != own)
    }
}

pub(crate) fn evaluate(
    labels: &Labels<'_>,
    ranking: &dyn Ranking,
    protocol: Protocol,
    options: &Options,
) -> Found {
    if protocol == Protocol::Dirtorch {
        dirtorch(labels, ranking, options)
    } else {
        recall(labels, ranking, options)
    }
}

/// 0-based positions of the query's other class members, the query itself taken out of the ranking.
fn positions(labels: &Labels<'_>, query: usize, ranked: &Ranked<'_>) -> Vec<usize> {
    let position = |image| ranked.get(image).map(|rank: Rank| rank.position(Ties::LowFirst));
    let own = labels.own(query).and_then(position);
    let mut positions: Vec<usize> = labels
        .others(query)
        .filter_map(position)
        .map(|place| place - usize::from(own.is_some_and(|own| own < place)))
        .collect();
    positions.sort_unstable();
    positions
}

/// Recall@k over all queries; R-precision and MAP@R over those with other members of their class.
fn recall(labels: &Labels<'_>, ranking: &dyn Ranking, options: &Options) -> Found {
    let mut found = Found::default();
    let (mut precisions, mut maps) = (Vec::new(), Vec::new());
    let mut curve = Curve::new("all");
    for_each_query(
        ranking,
        |query| labels.members(query).to_vec(),
        |query, ranked| {
            let positions = positions(labels, query, ranked);
            let members = labels.others(query).count();
            precisions.push(recall::r_precision(&positions, members));
            let map = recall::map_at_r(&positions, members);
            maps.push(map);
            curve.add(&positions, members);
            found.queries.push(QueryResult {
                map_at_r: map.is_finite().then_some(map),
                first_positive_rank: positions.first().map(|first| first + 1),
                positives: members,
                ..QueryResult::default()
            });
        },
    );
    found.metrics.push("mAP", f64::NAN);
    let gallery = ranking.gallery().unwrap_or(labels.images.len());
    for k in recall_ks(options, &recall::KS) {
        // The last neighbour of a vector is the vector itself, so with k at the size of the gallery all are right.
        let meets_itself = labels.queries.is_none() && k >= gallery;
        let hits = found.queries.iter().map(|query| query.first_positive_rank);
        let right = share(hits.map(|first| meets_itself || first.is_some_and(|first| first <= k)));
        found.metrics.push(format!("R@{k}"), right);
    }
    found.metrics.push("MAP@R", recall::mean_defined(&maps));
    found
        .metrics
        .push("R-precision", recall::mean_defined(&precisions));
    let with_others = found.queries.iter().filter(|query| query.positives > 0);
    found.metrics.push(
        "P@1",
        share(with_others.map(|query| query.first_positive_rank == Some(1))),
    );
    maps.retain(|value| value.is_finite());
    found.counted = Some(("MAP@R", maps));
    found.curves = vec![curve];
    found
}

/// AP by steps without the query; top-k with it.
fn dirtorch(labels: &Labels<'_>, ranking: &dyn Ranking, options: &Options) -> Found {
    let images = ranking.gallery().unwrap_or(labels.images.len());
    let tops: Vec<usize> = options
        .kappas
        .as_deref()
        .unwrap_or(&dirtorch::TOPS)
        .iter()
        .copied()
        .filter(|k| *k < images)
        .collect();
    let mut hits = vec![0_usize; tops.len()];
    let mut found = Found::default();
    let mut aps = Vec::new();
    let mut curve = Curve::new("all");
    for_each_query(
        ranking,
        |query| labels.members(query).to_vec(),
        |query, ranked| {
            let own = labels.own(query).and_then(|own| ranked.get(own));
            let others: Vec<Rank> = labels
                .others(query)
                .filter_map(|image| ranked.get(image))
                .collect();
            let members = labels.others(query).count();
            let with_label: Vec<Rank> = others.iter().chain(own.as_ref()).copied().collect();
            for (count, k) in hits.iter_mut().zip(&tops) {
                *count += usize::from(dirtorch::top(&with_label, *k));
            }
            let ap = dirtorch::label_ap(&others, own, members);
            aps.push(ap);
            let positions = positions(labels, query, ranked);
            curve.add(&positions, members);
            found.queries.push(QueryResult {
                ap: (ap >= 0.0).then_some(ap),
                first_positive_rank: positions.first().map(|first| first + 1),
                positives: members,
                ..QueryResult::default()
            });
        },
    );
    found.metrics.push("mAP", dirtorch::mean(&aps));
    let with_others = found.queries.iter().filter(|query| query.positives > 0);
    found.metrics.push(
        "R@1",
        share(with_others.map(|query| query.first_positive_rank == Some(1))),
    );
    for (k, count) in tops.iter().zip(hits) {
        found
            .metrics
            .push(format!("top-{k}"), count as f64 / aps.len() as f64);
    }
    aps.retain(|ap| *ap >= 0.0);
    found.counted = Some(("mAP", aps));
    found.curves = vec![curve];
    found
}
