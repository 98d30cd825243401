//! A model and a recipe made ready: pictures in, descriptors out.

use crate::whitenings::whitening_like;
use crate::{Error, FoundWhitening, Model, find_whitening};
use sightline_card::{Card, Circumstances, Difference, Identity};
use sightline_dataset::PictureIndex;
use sightline_descriptor::{DescriptorSet, ScalePooling, WhiteningSettings};
use sightline_extract::{Network, Options, Picture, Prepare, Recipes, describe_pictures};
use sightline_image::recipe::{Recipe, Rule};
use sightline_plan::{Executor, Runtime, Tensor};
use std::path::{Path, PathBuf};

/// How pictures are described, beyond the model.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The recipe; none: that of the model's project, else `photos`.
    pub recipe: Option<Recipe>,
    /// Scales at which every picture is described.
    pub scales: Vec<f64>,
    /// How descriptors over several scales or transform texts become one; none: as the model's project does.
    pub pooling: Option<ScalePooling>,
    /// Name of a whitening of the model or of a file ([`find_whitening`]), and how to apply it.
    pub whitening: Option<(String, WhiteningSettings)>,
    /// Where the network runs: `cpu`, `burn`, `ort`, `ort-cuda`, `cuda`, `cuda:1`, `wgpu` (see [`Model::executor`]).
    pub device: String,
    /// Threads of the network on the CPU; 0: one a core.
    pub threads: usize,
    /// Pictures with more pixels are refused.
    pub max_pixels: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recipe: None,
            scales: vec![1.0],
            pooling: None,
            whitening: None,
            device: "cpu".to_owned(),
            threads: 0,
            max_pixels: sightline_image::decode::DecodeOptions::default().max_pixels,
        }
    }
}

impl Settings {
    /// The settings that made the descriptors of a card, so that a query is described as they were.
    ///
    /// # Errors
    /// When the card holds a recipe that this version does not know.
    pub fn like(card: &Card) -> Result<Self, Error> {
        let identity = &card.identity;
        let recipe = Recipe::from_json(&identity.recipe)?;
        let pooling = ScalePooling::of_card(&identity.scales).ok_or_else(|| Error::UnknownPooling {
            name: identity.scales.pooling.clone(),
        })?;
        Ok(Self {
            // The card lists every pass; a recipe with several transform texts makes several at each scale.
            scales: identity
                .scales
                .values
                .iter()
                .copied()
                .step_by(recipe.passes())
                .collect(),
            recipe: Some(recipe),
            pooling: Some(pooling),
            whitening: whitening_like(identity),
            ..Self::default()
        })
    }
}

/// A model and a recipe made ready.
pub struct Describer {
    executor: Box<dyn Executor>,
    recipes: Recipes,
    pooling: ScalePooling,
    whitening: Option<FoundWhitening>,
    /// The scale of each pass of the network over a picture.
    passes: Vec<f64>,
    threads: usize,
    card: Card,
}

impl Describer {
    /// Makes a model ready.
    ///
    /// # Errors
    /// When the device is not there, the whitening is not in the model or does not fit it.
    pub fn new(model: &Model, settings: Settings) -> Result<Self, Error> {
        let recipe = match settings.recipe {
            Some(recipe) => recipe,
            None => default_recipe(model)?,
        };
        let threads = threads_or_cores(settings.threads);
        let scales = if settings.scales.is_empty() {
            vec![1.0]
        } else {
            settings.scales
        };
        let pooling = settings
            .pooling
            .unwrap_or_else(|| pooling_of(model.recipe.as_deref().unwrap_or("photos"), model, &scales));
        let recipes = Recipes::new(recipe, pooling.scales_to_run(&scales), settings.max_pixels);
        let passes = recipes.pass_scales();
        let whitening = settings
            .whitening
            .map(|(name, how)| find_whitening(&model.whitenings, &name, &how))
            .transpose()?;
        check_picture_size(model, recipes.recipe(), &passes)?;
        let mut executor = if pooling.takes_local_maps(&passes) {
            model.local_executor(&settings.device, threads)?.0
        } else {
            model.executor(&settings.device, threads)?
        };
        let dim = match model.dim() {
            Some(dim) => dim,
            None => dim_by_running(model, executor.as_mut(), recipes.recipe(), settings.max_pixels)?,
        };
        let runtime = executor.describe();
        let identity = Identity {
            architecture: model.architecture(),
            weights: model.weights_sha256.clone(),
            recipe: recipes.recipe().spelled_out(),
            scales: pooling.spelled_out(&passes),
            whitening: whitening.as_ref().map(|found| found.whitening.identity().clone()),
            dim: whitening
                .as_ref()
                .map_or(dim, |found| found.whitening.output_dim()),
            seed: model.seed,
            local: None,
        };
        let circumstances = circumstances(model, &runtime);
        Ok(Self {
            executor,
            recipes,
            pooling,
            whitening,
            passes,
            threads,
            card: Card::new(identity, circumstances),
        })
    }

    /// What makes the descriptors.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// In which fields the whitening was learned from descriptors that were made otherwise: worth a remark.
    pub fn whitening_remarks(&self) -> Vec<Difference> {
        self.whitening
            .as_ref()
            .map_or_else(Vec::new, |found| found.learned_otherwise(&self.card.identity))
    }

    /// The recipe that pictures go through.
    pub fn recipe(&self) -> &Recipe {
        self.recipes.recipe()
    }

    /// The two halves of an extraction: what prepares pictures, and what describes them.
    pub fn parts(&mut self) -> (&dyn Prepare, Network<'_>) {
        let network = Network::new(self.executor.as_mut(), self.card.identity.dim)
            .with_scales(self.passes.clone(), self.pooling)
            .with_whitening(self.whitening.as_ref().map(|found| found.whitening.clone()));
        (&self.recipes, network)
    }

    /// What prepares pictures, and the executor as it is.
    pub(crate) fn halves(&mut self) -> (&dyn Prepare, &mut dyn Executor) {
        (&self.recipes, self.executor.as_mut())
    }

    /// How an extraction uses the machine, as far as this describer decides it.
    pub fn options(&self) -> Options {
        Options {
            workers: self.threads,
            ..Options::default()
        }
    }

    /// Describes pictures in memory: for each its descriptor, or a sentence that says why there is none.
    ///
    /// # Errors
    /// When no picture can be described by this network.
    pub fn describe(&mut self, pictures: &[Picture]) -> Result<Vec<Result<Vec<f32>, String>>, Error> {
        let options = self.options();
        let (prepare, mut network) = self.parts();
        Ok(describe_pictures(pictures, prepare, &mut network, &options)?)
    }

    /// Describes the pictures of a folder and of the folders in it; those that cannot be read are left out.
    ///
    /// # Errors
    /// When the folder cannot be read, or no picture can be described by this network.
    pub fn describe_folder(&mut self, folder: impl AsRef<Path>) -> Result<DescriptorSet, Error> {
        let folder = folder.as_ref();
        let index = PictureIndex::scan(folder)?;
        let picture = |path: &PathBuf| Picture::new(path.to_string_lossy(), folder.join(path));
        let pictures: Vec<Picture> = index.relative_paths().iter().map(picture).collect();
        let described = self.describe(&pictures)?;
        let (mut names, mut rows) = (Vec::new(), Vec::new());
        for (picture, row) in pictures.into_iter().zip(described) {
            if let Ok(row) = row {
                names.push(picture.name);
                rows.extend(row);
            }
        }
        Ok(DescriptorSet::from_rows(
            names,
            self.card.identity.dim,
            rows,
            Some(self.card.clone()),
        )?)
    }

    /// Describes one picture, or the part of it in `bbox` (left, top, right, bottom in pixels).
    ///
    /// # Errors
    /// When the picture cannot be read.
    pub fn describe_file(
        &mut self,
        path: impl AsRef<Path>,
        bbox: Option<[f64; 4]>,
    ) -> Result<DescriptorSet, Error> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let picture = Picture {
            name: name.clone(),
            path: path.to_owned(),
            bbox,
        };
        let described = self.describe(std::slice::from_ref(&picture))?.pop();
        let row = described
            .unwrap_or_else(|| Err("nothing was computed".to_owned()))
            .map_err(|reason| Error::Picture {
                path: path.to_owned(),
                reason,
            })?;
        Ok(DescriptorSet::from_rows(
            vec![name],
            self.card.identity.dim,
            row,
            Some(self.card.clone()),
        )?)
    }
}

/// How the project of that recipe pools descriptors over scales; HOW's networks pool as HOW does, whatever the recipe.
pub fn pooling_of(recipe: &str, model: &Model, scales: &[f64]) -> ScalePooling {
    if model.adds_local_features() {
        return ScalePooling::How;
    }
    match recipe {
        "dirtorch" => ScalePooling::DirtorchGem { power: 3.0 },
        "token" => ScalePooling::Token,
        "delg" => ScalePooling::Delg,
        "superglobal" => ScalePooling::SuperglobalMax,
        _ => ScalePooling::Cirtorch {
            msp: if scales.len() > 1 {
                model.multiscale_power()
            } else {
                1.0
            },
        },
    }
}

/// So many threads, or one a core for 0.
pub(crate) fn threads_or_cores(threads: usize) -> usize {
    match threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

/// What a card says of the machine that ran a model today.
pub(crate) fn circumstances(model: &Model, runtime: &Runtime) -> Circumstances {
    Circumstances {
        runtime: format!("{} {}", runtime.name, runtime.version),
        precision: runtime.precision.clone(),
        device: runtime.device.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        date: sightline_card::date::today(),
        exported_from: model.exported_from.clone().unwrap_or_default(),
    }
}

/// The recipe of the model's project, with the mean and deviation that the checkpoint says.
pub(crate) fn default_recipe(model: &Model) -> Result<Recipe, Error> {
    let mut recipe = Recipe::named(model.recipe.as_deref().unwrap_or("photos"))?;
    if let Some(preprocess) = &model.preprocess {
        for (step, values) in [("mean", &preprocess.mean), ("std", &preprocess.std)] {
            recipe.set(step, values.clone().into())?;
        }
    }
    Ok(recipe)
}

/// Height and width of every picture that a recipe makes, where they are the same for all.
fn recipe_size(recipe: &Recipe) -> Option<u32> {
    match (recipe.transforms.is_empty(), recipe.crop.size, recipe.resize.rule) {
        (false, _, _) => None,
        (true, Some(size), _) => Some(size),
        (true, None, Rule::Square) => recipe.resize.size,
        _ => None,
    }
}

/// Refuses a recipe that makes other pictures than a network for one size takes. What transform texts make is seen when
/// it is run.
fn check_picture_size(model: &Model, recipe: &Recipe, passes: &[f64]) -> Result<(), Error> {
    let Some([height, width]) = model.picture_size() else {
        return Ok(());
    };
    let refused = |remedy: &str| {
        Err(Error::Onnx {
            path: model.source.clone(),
            reason: format!("it takes pictures of {width}x{height} pixels only, and {remedy}"),
        })
    };
    if passes.iter().any(|scale| *scale != 1.0) {
        return refused("several scales make other sizes. Leave --scales out.");
    }
    let made = recipe_size(recipe).map(|size| size as usize);
    if !recipe.transforms.is_empty() || made.is_some_and(|size| [size, size] == [height, width]) {
        return Ok(());
    }
    match made {
        _ if height == width => refused(&format!(
            "this recipe does not make all pictures so. Add --square {width}{}.",
            if recipe.crop.size.is_some() {
                " --set crop.size=null"
            } else {
                ""
            }
        )),
        Some(size) => refused(&format!(
            "this recipe makes all of them {size}x{size}. Use another, or export the model with a free height and width."
        )),
        // Pictures may happen to have that size; those of another are refused one by one.
        None => Ok(()),
    }
}

/// Length of the descriptors of a network whose file does not say it: that of a gray picture.
fn dim_by_running(
    model: &Model,
    executor: &mut dyn Executor,
    recipe: &Recipe,
    max_pixels: u64,
) -> Result<usize, Error> {
    const USUAL: u32 = 224;
    let side = recipe_size(recipe).unwrap_or(USUAL) as usize;
    let [height, width] = model.picture_size().unwrap_or([side, side]);
    if (height as u64).saturating_mul(width as u64) > max_pixels {
        return Err(Error::Onnx {
            path: model.source.clone(),
            reason: format!(
                "it takes pictures of {width}x{height} pixels, and pictures with more than {max_pixels} are refused."
            ),
        });
    }
    let picture = Tensor {
        shape: vec![1, 3, height, width],
        data: vec![0.0; 3 * height * width],
    };
    let outputs = executor.run(&picture).map_err(|error| Error::Onnx {
        path: model.source.clone(),
        reason: format!(
            "it does not say how long its descriptors are, and running it on a picture of {width}x{height} pixels failed: {error}"
        ),
    })?;
    Ok(outputs
        .first()
        .and_then(|(_, tensor)| tensor.shape.last().copied())
        .unwrap_or(0))
}
