//! Rankings in a new order, by spatial verification: `--rerank spatial`.

use super::local::Sides;
use crate::args::EvalArgs;
use crate::output::usage;
use crate::progress::Screen;
use sightline::dataset::Dataset;
use sightline::eval::RankedLists;
use sightline::local::FeatureFile;
use sightline::local::spatial::{Placed, SpatialReranking};
use sightline::{LocalAnswers, query_places};

/// The local features of both sides, and how they are compared.
pub(super) struct Spatial {
    how: SpatialReranking,
    database: FeatureFile,
    /// None where the database queries itself.
    queries: Option<FeatureFile>,
    answers: LocalAnswers,
    /// Where each query's features lie.
    places: Vec<usize>,
}

impl Spatial {
    /// Takes the files of `--rerank-features`, else those that were compared.
    pub(super) fn new(
        how: SpatialReranking,
        args: &EvalArgs,
        compared: Option<Sides>,
        dataset: &Dataset,
    ) -> anyhow::Result<Self> {
        let expansion = &args.expansion;
        let (database, queries) = match (&expansion.rerank_features, compared) {
            (Some(path), _) => (
                Some(FeatureFile::open(path)?),
                expansion
                    .rerank_query_features
                    .as_ref()
                    .map(FeatureFile::open)
                    .transpose()?,
            ),
            (None, Some(sides)) => (sides.database, sides.queries),
            (None, None) => (None, None),
        };
        let Some(database) = database else {
            return Err(usage(
                "--rerank spatial compares local features: name the database's with --rerank-features and the queries' with \
                 --rerank-query-features (files of `local extract`)",
            ));
        };
        if queries.is_none() && !dataset.gallery_queries_itself() {
            return Err(usage(
                "--rerank spatial compares local features: name the queries' with --rerank-query-features",
            ));
        }
        let asked = queries.as_ref().unwrap_or(&database);
        Ok(Self {
            answers: LocalAnswers::new(database.source(), database.names(), dataset)?,
            places: query_places(asked.source(), asked.names(), dataset)?,
            how,
            database,
            queries,
        })
    }

    /// Puts every query's first answers in their new order; distractors and images without features have no inliers.
    pub(super) fn rerank(&self, lists: &RankedLists, screen: &Screen) -> anyhow::Result<RankedLists> {
        let asked = self.queries.as_ref().unwrap_or(&self.database);
        let bar = screen.bar(lists.lists().len() as u64, "verified");
        let reordered = lists.lists().iter().zip(&self.places).map(|(list, place)| {
            let image = |at: usize| {
                let number = self.answers.number(*list.get(at)?)?;
                Some(Placed::from(self.database.picture(number)))
            };
            let query = Placed::from(asked.picture(*place));
            let found = self.how.rerank(query, list.len(), &[], image, || {});
            bar.inc(1);
            found.order.into_iter().map(|place| list[place]).collect()
        });
        let lists = RankedLists::new(reordered.collect(), false)?;
        bar.finish_and_clear();
        Ok(lists)
    }
}
