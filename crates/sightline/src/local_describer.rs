//! A model with local features and a recipe made ready: pictures in, local features out.

use crate::describer::{circumstances, default_recipe, threads_or_cores};
use crate::whitenings::whitening_like;
use crate::{Error, FoundWhitening, Model, find_whitening};
use sightline_card::{Card, Difference, Identity, LocalIdentity, Scales};
use sightline_dataset::PictureIndex;
use sightline_descriptor::WhiteningSettings;
use sightline_extract::{Options, Picture, Prepare, Recipes, describe_pictures};
use sightline_image::recipe::Recipe;
use sightline_local::{CellGrid, DELG_SCALES, DelgSelection, LocalFeatures, LocalNetwork, Selection};
use sightline_nn::{Head, Network};
use sightline_plan::Executor;
use std::path::{Path, PathBuf};

/// HOW's scales (`how/examples/params/eccv20/eval_how_*.yml`).
pub const HOW_SCALES: [f64; 7] = [2.0, 1.414, 1.0, 0.707, 0.5, 0.353, 0.25];
/// HOW's number of features a picture.
pub const HOW_FEATURES: usize = 1000;

/// How local features are made, beyond the model.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The recipe; none: that of the model's project, else `photos`.
    pub recipe: Option<Recipe>,
    /// Scales at which every picture is described; none: those of the head's project ([`HOW_SCALES`], or DELG's for `delg`
    /// and `delf`).
    pub scales: Vec<f64>,
    /// At most so many features a picture, the strongest over all scales; none: all. Those of `delg` and `delf` are chosen as
    /// DELG does ([`DelgSelection`]).
    pub features: Option<usize>,
    /// Name of a whitening of the model or of a file ([`find_whitening`]), and how to apply it to every feature.
    pub whitening: Option<(String, WhiteningSettings)>,
    /// Where the network runs (see [`Model::executor`]).
    pub device: String,
    /// Threads of the network on the CPU; 0: one a core.
    pub threads: usize,
    /// Pictures with more pixels are refused.
    pub max_pixels: u64,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            recipe: None,
            scales: Vec::new(),
            features: Some(HOW_FEATURES),
            whitening: None,
            device: "cpu".to_owned(),
            threads: 0,
            max_pixels: sightline_image::decode::DecodeOptions::default().max_pixels,
        }
    }
}

impl LocalSettings {
    /// The settings that made features with this card, for describing more pictures like them; on the CPU.
    ///
    /// # Errors
    /// When the recipe is not understood.
    pub fn like(card: &Card) -> Result<Self, Error> {
        let identity = &card.identity;
        Ok(Self {
            recipe: Some(Recipe::from_json(&identity.recipe)?),
            scales: identity.scales.values.clone(),
            features: identity.local.as_ref().and_then(|local| local.features),
            whitening: whitening_like(identity),
            ..Self::default()
        })
    }
}

/// A model with local features and a recipe made ready.
pub struct LocalDescriber {
    executor: Box<dyn Executor>,
    recipes: Recipes,
    scales: Vec<f64>,
    grid: CellGrid,
    selection: Selection,
    whitening: Option<FoundWhitening>,
    threads: usize,
    card: Card,
}

impl LocalDescriber {
    /// Makes a model ready.
    ///
    /// # Errors
    /// When the model has no local features, the device is not there, the recipe prepares a picture in several ways, or the
    /// whitening is not in the model or does not fit its features.
    pub fn new(model: &Model, settings: LocalSettings) -> Result<Self, Error> {
        let recipe = match settings.recipe {
            Some(recipe) => recipe,
            None => default_recipe(model)?,
        };
        if recipe.passes() != 1 {
            return Err(Error::LocalPasses {
                passes: recipe.passes(),
            });
        }
        let Some(dim) = model.local_dim() else {
            return Err(Error::NoLocal {
                architecture: model.architecture(),
            });
        };
        // Their attention has a threshold, and their maps are those of the third stage wherever the trunk ends.
        let head = model.network().map(|network| network.architecture().head());
        let of_delg = matches!(head, Some(Head::Delg(_) | Head::Delf));
        let scales = match settings.scales {
            none if none.is_empty() && of_delg => DELG_SCALES.to_vec(),
            none if none.is_empty() => HOW_SCALES.to_vec(),
            scales => scales,
        };
        let (chosen, selection) = match of_delg {
            true => {
                let most = settings.features.unwrap_or(usize::MAX);
                let rule = DelgSelection {
                    most,
                    ..DelgSelection::default()
                };
                ("delg", Selection::Delg(rule))
            }
            false => {
                let features = settings.features;
                ("strongest", Selection::Strongest { features })
            }
        };
        let whitening = settings
            .whitening
            .map(|(name, how)| find_whitening(&model.whitenings, &name, &how))
            .transpose()?;
        if let Some(found) = &whitening {
            found.fits(dim)?;
        }
        let threads = threads_or_cores(settings.threads);
        let (executor, grid) = model.local_executor(&settings.device, threads)?;
        let runtime = executor.describe();
        let prepared = LocalNetwork::prepared_scales(&scales);
        let recipes = Recipes::new(recipe, prepared, settings.max_pixels);
        let identity = Identity {
            architecture: model.architecture(),
            weights: model.weights_sha256.clone(),
            recipe: recipes.recipe().spelled_out(),
            scales: Scales {
                values: scales.clone(),
                ..Scales::single()
            },
            whitening: whitening.as_ref().map(|found| found.whitening.identity().clone()),
            dim: whitening
                .as_ref()
                .map_or(dim, |found| found.whitening.output_dim()),
            seed: model.seed,
            local: Some(LocalIdentity {
                selection: chosen.to_owned(),
                features: settings.features,
                aggregation: None,
            }),
        };
        let circumstances = circumstances(model, &runtime);
        Ok(Self {
            executor,
            recipes,
            scales,
            grid,
            selection,
            whitening,
            threads,
            card: Card::new(identity, circumstances),
        })
    }

    /// What makes the features.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// In which fields the whitening was learned from features that were made otherwise: worth a remark.
    pub fn whitening_remarks(&self) -> Vec<Difference> {
        self.whitening
            .as_ref()
            .map_or_else(Vec::new, |found| found.learned_otherwise(&self.card.identity))
    }

    /// The recipe that pictures go through.
    pub fn recipe(&self) -> &Recipe {
        self.recipes.recipe()
    }

    /// The two halves of an extraction: what prepares pictures, and what makes features of them.
    pub fn parts(&mut self) -> (&dyn Prepare, LocalNetwork<'_>) {
        let network = LocalNetwork::new(
            self.executor.as_mut(),
            [Network::LOCAL, Network::STRENGTH],
            &self.scales,
            self.grid,
            self.selection,
        )
        .with_whitening(self.whitening.as_ref().map(|found| &found.whitening));
        (&self.recipes, network)
    }

    /// How an extraction uses the machine, as far as this describer decides it.
    pub fn options(&self) -> Options {
        Options {
            workers: self.threads,
            ..Options::default()
        }
    }

    /// Describes pictures in memory: for each its features, or a sentence that says why there are none.
    ///
    /// # Errors
    /// When no picture can be described by this network.
    pub fn describe(&mut self, pictures: &[Picture]) -> Result<Vec<Result<LocalFeatures, String>>, Error> {
        let (options, dim) = (self.options(), self.card.identity.dim);
        let (prepare, mut network) = self.parts();
        let rows = describe_pictures(pictures, prepare, &mut network, &options)?;
        let features = |row: Vec<f32>| {
            LocalFeatures::from_row(&row, dim).ok_or_else(|| "Its features came out damaged.".to_owned())
        };
        Ok(rows.into_iter().map(|row| row.and_then(features)).collect())
    }

    /// Describes the pictures of a folder and of the folders in it, each with its path below the folder; those that cannot be
    /// read are left out.
    ///
    /// # Errors
    /// When the folder cannot be read, or no picture can be described by this network.
    pub fn describe_folder(
        &mut self,
        folder: impl AsRef<Path>,
    ) -> Result<Vec<(String, LocalFeatures)>, Error> {
        let folder = folder.as_ref();
        let index = PictureIndex::scan(folder)?;
        let picture = |path: &PathBuf| Picture::new(path.to_string_lossy(), folder.join(path));
        let pictures: Vec<Picture> = index.relative_paths().iter().map(picture).collect();
        let described = self.describe(&pictures)?;
        Ok(pictures
            .into_iter()
            .zip(described)
            .filter_map(|(picture, features)| Some((picture.name, features.ok()?)))
            .collect())
    }

    /// Describes one picture, or the part of it in `bbox` (left, top, right, bottom in pixels).
    ///
    /// # Errors
    /// When the picture cannot be read.
    pub fn describe_file(
        &mut self,
        path: impl AsRef<Path>,
        bbox: Option<[f64; 4]>,
    ) -> Result<LocalFeatures, Error> {
        let path = path.as_ref();
        let picture = Picture {
            name: path.display().to_string(),
            path: path.to_owned(),
            bbox,
        };
        let described = self.describe(std::slice::from_ref(&picture))?.pop();
        described
            .unwrap_or_else(|| Err("nothing was computed".to_owned()))
            .map_err(|reason| Error::Picture {
                path: path.to_owned(),
                reason,
            })
    }
}
