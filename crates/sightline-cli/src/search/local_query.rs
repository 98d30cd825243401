//! The local features that a search's `--rerank spatial` compares: the query's, described on the spot, and the collection's.

use super::region;
use crate::args::SearchArgs;
use crate::model_choice;
use crate::output::usage;
use crate::progress::Screen;
use crate::rerank_choice::compares;
use sightline::local::spatial::Placed;
use sightline::local::{FeatureFile, LocalFeatures};
use sightline::rerank::{Chain, Compares};
use sightline::{LocalDescriber, LocalSettings};
use std::collections::HashMap;

/// Local features of a query and of the pictures that are searched.
pub(super) struct LocalQuery {
    query: LocalFeatures,
    database: FeatureFile,
    numbers: HashMap<String, usize>,
}

impl LocalQuery {
    /// Opens the collection's and describes the query as they were; none where no stage compares local features.
    pub(super) fn describe(
        args: &SearchArgs,
        chain: &Chain,
        threads: usize,
        screen: &Screen,
    ) -> anyhow::Result<Option<Self>> {
        if !compares(chain, Compares::LocalFeatures) {
            return match args.rerank.rerank_features {
                Some(_) => Err(usage("--rerank-features belongs to --rerank spatial")),
                None => Ok(None),
            };
        }
        let (Some(path), Some(weights)) = (&args.rerank.rerank_features, &args.rerank_model) else {
            return Err(usage(
                "--rerank spatial compares local features: name the collection's with --rerank-features (a file of `local extract`) and \
                 the network that describes the query's with --rerank-model",
            ));
        };
        let database = FeatureFile::open(path)?;
        let card = database.card().ok_or_else(|| {
            anyhow::anyhow!(
                "{} does not say how its features were made, so the query cannot be described like them. Make it with `local extract`.",
                path.display()
            )
        })?;
        let mut asked = args.model.clone();
        asked.model = Some(weights.clone());
        asked.arch.clone_from(&args.rerank_arch);
        let model = model_choice::model(&asked, screen)?;
        let settings = LocalSettings {
            device: args.model.device.clone(),
            threads,
            max_pixels: args.recipe.max_pixels,
            ..LocalSettings::like(card)?
        };
        let mut describer = LocalDescriber::new(&model, settings)?;
        sightline::card::refuse_to_mix(
            &path.display().to_string(),
            card,
            &args.query.display().to_string(),
            describer.card(),
        )?;
        let corners = region(&args.region)?.map(|[x, y, width, height]| [x, y, x + width, y + height]);
        let query = describer.describe_file(&args.query, corners)?;
        let numbers = database.names().iter().cloned().zip(0..).collect();
        Ok(Some(Self {
            query,
            database,
            numbers,
        }))
    }

    /// The query's.
    pub(super) fn query(&self) -> Placed<'_> {
        Placed::from(&self.query)
    }

    /// Those of the picture of that name; none where the file lacks it.
    pub(super) fn image(&self, name: &str) -> Option<Placed<'_>> {
        let number = *self.numbers.get(name)?;
        Some(Placed::from(self.database.picture(number)))
    }
}
