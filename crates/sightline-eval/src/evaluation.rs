//! One evaluation: a data set, a ranking and a protocol in, the numbers of the papers out.

use crate::bootstrap::{Bootstrap, Interval};
use crate::curve::Curve;
use crate::label_evaluation::{self, Labels};
use crate::list_evaluation;
use crate::ranking::{Ranked, Ranking};
use crate::revisited::Setup;
use crate::{EvalError, Protocol};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sightline_dataset::{Dataset, Truth};
use std::collections::BTreeMap;

/// Resamples of the bootstrap at most.
const MOST_RESAMPLES: u32 = 10_000_000;
/// Ranks that are asked for at once, so that memory does not grow with the number of queries.
const RANKS_AT_ONCE: usize = 4 << 20;

/// What may be chosen in an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The k of mP@k, R@k and top-k; none for the protocol's own.
    pub kappas: Option<Vec<usize>>,
    /// How the confidence interval is computed.
    pub bootstrap: Bootstrap,
}

/// Named numbers in the order in which they are printed; what is undefined is none (`null` in JSON).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<(String, Option<f64>)>);

impl Metrics {
    /// The number of that name; none where it is undefined or not there.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|(own, _)| own == name)
            .and_then(|(_, value)| *value)
    }

    /// All names with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<f64>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Takes the numbers whose names end so from another.
    fn replace(&mut self, other: &Self, ending: &str) {
        for (name, value) in self.0.iter_mut().filter(|(name, _)| name.ends_with(ending)) {
            *value = other.get(name);
        }
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, value: f64) {
        self.0.push((name.into(), value.is_finite().then_some(value)));
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Metrics {
    /// Names come back in alphabetical order.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
        Ok(Self(map.into_iter().collect()))
    }
}

/// The result of one query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueryResult {
    /// Name of the query as the data set writes it.
    pub name: String,
    /// Average precision in the setup of `metrics.mAP` (medium for revisited sets), or AP@100 of Google Landmarks; none
    /// where the query has no positives or the protocol no AP.
    pub ap: Option<f64>,
    /// Revisited sets: `ap-easy`, `ap-medium` (the same as `ap`) and `ap-hard`. Empty otherwise.
    #[serde(flatten)]
    pub setups: Metrics,
    /// MAP@R of the protocol `recall`, where the query's class has other members; none in other protocols.
    #[serde(rename = "map-at-r", default, skip_serializing_if = "Option::is_none")]
    pub map_at_r: Option<f64>,
    /// Place of the first positive among the answers without junk, counted from 1; none where none was found.
    pub first_positive_rank: Option<usize>,
    /// How many positives the ground truth gives the query.
    pub positives: usize,
}

/// An interval of plausible values of a metric over queries like these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// Which metric, such as `mAP`.
    pub metric: String,
    /// Its ends.
    #[serde(flatten)]
    pub interval: Interval,
    /// How it was computed.
    #[serde(flatten)]
    pub bootstrap: Bootstrap,
}

/// What one evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Whose rules were used.
    pub protocol: Protocol,
    /// The means: `mAP`, `mAP-easy`, `mP@5-medium`, `R@1`, ... by the protocol; shares in 0..1.
    pub metrics: Metrics,
    /// Interval of the mean AP over queries; none where the protocol has none or no query counts.
    pub confidence_interval: Option<Confidence>,
    /// One entry a query, in the data set's order.
    pub queries: Vec<QueryResult>,
    /// Precision-recall curves: one a setup that has positives. They are not part of the JSON.
    #[serde(skip)]
    pub curves: Vec<Curve>,
}

impl Evaluation {
    /// The evaluation of a revisited set whose three setups were ranked each for itself, as where junk leaves the rankings
    /// beforehand: of the easy, medium and hard rankings' evaluations the part that belongs to the setup. What belongs to none
    /// is the medium one's.
    #[must_use]
    pub fn of_setups([easy, medium, hard]: [Self; 3]) -> Self {
        let mut joined = medium;
        for (setup, of_setup) in [(Setup::Easy, easy), (Setup::Hard, hard)] {
            let ending = format!("-{}", setup.name());
            joined.metrics.replace(&of_setup.metrics, &ending);
            for (query, of_query) in joined.queries.iter_mut().zip(&of_setup.queries) {
                query.setups.replace(&of_query.setups, &ending);
            }
            let own = |curve: &Curve| curve.setup == setup.name();
            for curve in joined.curves.iter_mut().filter(|curve| own(curve)) {
                if let Some(other) = of_setup.curves.iter().find(|curve| own(curve)) {
                    curve.clone_from(other);
                }
            }
        }
        joined
    }
}

/// Evaluates `ranking` on `dataset` by `protocol` (none: [`Protocol::default_for`] the data set).
///
/// The ranking may hold more images than the data set (distractors behind the gallery); they answer no query.
///
/// Errors: a data set that is inconsistent or without ground truth, a protocol that does not read it, another number of
/// queries in the ranking, or fewer images.
///
/// ```
/// use sightline_dataset::{ClassicLists, Dataset, Query, Truth};
/// use sightline_eval::{Options, ScoreMatrix, evaluate};
///
/// let dataset = Dataset {
///     images: vec!["a".into(), "b".into(), "c".into()],
///     queries: vec![Query { name: "q".into(), bbox: None }],
///     truth: Truth::Classic(vec![ClassicLists { ok: vec![2], junk: vec![1] }]),
///     ..Dataset::default()
/// };
/// let ranking = ScoreMatrix::new(&[0.3, 0.9, 0.8], 3).unwrap();
/// let got = evaluate(&dataset, &ranking, None, &Options::default())?;
/// assert_eq!(got.metrics.get("mAP"), Some(1.0));
/// assert_eq!(got.queries[0].first_positive_rank, Some(1));
/// # Ok::<(), sightline_eval::EvalError>(())
/// ```
pub fn evaluate(
    dataset: &Dataset,
    ranking: &dyn Ranking,
    protocol: Option<Protocol>,
    options: &Options,
) -> Result<Evaluation, EvalError> {
    let protocol = choose(dataset, ranking, protocol, options)?;
    let mut found = match &dataset.truth {
        Truth::Revisited(lists) => list_evaluation::revisited(lists, ranking, protocol, options),
        Truth::Classic(lists) => list_evaluation::classic(lists, ranking, protocol, options),
        Truth::Labels { images, queries, .. } => {
            let labels = Labels::new(images, queries.as_deref());
            label_evaluation::evaluate(&labels, ranking, protocol, options)
        }
        Truth::None => return Err(EvalError::NoTruth(dataset.name.clone())),
    };
    let names: Vec<&String> = if dataset.gallery_queries_itself() {
        dataset.images.iter().collect()
    } else {
        dataset.queries.iter().map(|query| &query.name).collect()
    };
    for (query, name) in found.queries.iter_mut().zip(names) {
        query.name.clone_from(name);
    }
    let confidence_interval = found.counted.and_then(|(metric, aps)| {
        Some(Confidence {
            metric: metric.to_owned(),
            interval: options.bootstrap.interval(&aps)?,
            bootstrap: options.bootstrap,
        })
    });
    Ok(Evaluation {
        protocol,
        metrics: found.metrics,
        confidence_interval,
        queries: found.queries,
        curves: found
            .curves
            .into_iter()
            .filter(|curve| curve.queries > 0)
            .collect(),
    })
}

/// Checks everything that could go wrong and settles the protocol.
fn choose(
    dataset: &Dataset,
    ranking: &dyn Ranking,
    protocol: Option<Protocol>,
    options: &Options,
) -> Result<Protocol, EvalError> {
    dataset.validate()?;
    let Some(default) = Protocol::default_for(&dataset.truth) else {
        return Err(EvalError::NoTruth(dataset.name.clone()));
    };
    let protocol = protocol.unwrap_or(default);
    if !protocol.reads(&dataset.truth) {
        return Err(EvalError::ProtocolDoesNotFit {
            protocol,
            kind: dataset.truth.kind(),
            fitting: Protocol::fitting(&dataset.truth),
        });
    }
    if ranking.queries() != dataset.query_count() {
        return Err(EvalError::Queries {
            ranked: ranking.queries(),
            queries: dataset.query_count(),
        });
    }
    if let Some(images) = ranking.images()
        && images < dataset.images.len()
    {
        return Err(EvalError::Images {
            ranked: images,
            images: dataset.images.len(),
        });
    }
    if options
        .kappas
        .as_ref()
        .is_some_and(|ks| ks.is_empty() || ks.contains(&0))
    {
        return Err(EvalError::Kappas);
    }
    let Bootstrap { resamples, level, .. } = options.bootstrap;
    if resamples == 0 || resamples > MOST_RESAMPLES || !(level > 0.0 && level < 1.0) {
        return Err(EvalError::Bootstrap {
            resamples,
            level,
            most: MOST_RESAMPLES,
        });
    }
    Ok(protocol)
}

/// What a kind of truth gives; names are filled in afterwards.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) metrics: Metrics,
    pub(crate) queries: Vec<QueryResult>,
    /// The metric that gets an interval, and the value of every query that counts in it.
    pub(crate) counted: Option<(&'static str, Vec<f64>)>,
    /// One a setup; those without queries are dropped afterwards.
    pub(crate) curves: Vec<Curve>,
}

/// The k of R@k: those chosen, else the protocol's; 1 is always among them.
pub(crate) fn recall_ks(options: &Options, own: &[usize]) -> Vec<usize> {
    let mut ks = options.kappas.clone().unwrap_or_else(|| own.to_vec());
    if !ks.contains(&1) {
        ks.insert(0, 1);
    }
    ks
}

/// Calls `measure` for every query with the ranks of the images that `wanted` names for it (repeats are allowed).
pub(crate) fn for_each_query(
    ranking: &dyn Ranking,
    wanted: impl Fn(usize) -> Vec<u32>,
    mut measure: impl FnMut(usize, &Ranked<'_>),
) {
    let queries = ranking.queries();
    let mut first = 0;
    while first < queries {
        let mut lists = Vec::new();
        let mut size = 0;
        while first + lists.len() < queries && (lists.is_empty() || size < RANKS_AT_ONCE) {
            let mut list = wanted(first + lists.len());
            list.sort_unstable();
            list.dedup();
            size += list.len();
            lists.push(list);
        }
        for (i, (list, ranks)) in lists.iter().zip(ranking.ranks(first, &lists)).enumerate() {
            measure(first + i, &Ranked::new(list, &ranks));
        }
        first += lists.len();
    }
}

/// Share of `hits` that are true; NaN where there is none.
pub(crate) fn share(hits: impl Iterator<Item = bool>) -> f64 {
    let (mut count, mut all) = (0_usize, 0_usize);
    for hit in hits {
        all += 1;
        count += usize::from(hit);
    }
    count as f64 / all as f64
}
