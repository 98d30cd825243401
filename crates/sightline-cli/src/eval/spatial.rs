//! The local features that `--rerank spatial` compares.

use super::local::Sides;
use crate::args::RerankArgs;
use crate::output::usage;
use sightline::dataset::Dataset;
use sightline::local::FeatureFile;
use sightline::local::spatial::Placed;
use sightline::{LocalAnswers, query_places};

/// The local features of both sides, by the data set's queries and images.
pub(super) struct LocalSides {
    database: FeatureFile,
    /// None where the database queries itself.
    queries: Option<FeatureFile>,
    answers: LocalAnswers,
    /// Where each query's features lie.
    places: Vec<usize>,
}

impl LocalSides {
    /// Takes the files of `--rerank-features`, else those that were compared.
    pub(super) fn new(args: &RerankArgs, compared: Option<Sides>, dataset: &Dataset) -> anyhow::Result<Self> {
        let (database, queries) = match (&args.rerank_features, compared) {
            (Some(path), _) => (
                Some(FeatureFile::open(path)?),
                args.rerank_query_features
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
            database,
            queries,
        })
    }

    /// Those of a query.
    pub(super) fn query(&self, query: usize) -> Option<Placed<'_>> {
        let asked = self.queries.as_ref().unwrap_or(&self.database);
        Some(Placed::from(asked.picture(*self.places.get(query)?)))
    }

    /// Those of an image; none for distractors and images without features.
    pub(super) fn image(&self, image: usize) -> Option<Placed<'_>> {
        let number = self.answers.number(u32::try_from(image).ok()?)?;
        Some(Placed::from(self.database.picture(number)))
    }
}
