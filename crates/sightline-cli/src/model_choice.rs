//! From the model options to a describer that is ready to run.

use crate::args::{ModelArgs, PoolingChoice, RecipeArgs};
use crate::output::usage;
use crate::progress::Screen;
use crate::{recipe_choice, whitening_choice};
use sightline::card::Card;
use sightline::descriptor::{ScalePooling, WhiteningSettings};
use sightline::image::recipe::{Recipe, Scales};
use sightline::nn::Architecture;
use sightline::plan::OutputPooling;
use sightline::{
    Describer, LocalDescriber, LocalSettings, Model, OnnxSettings, Settings, is_onnx_path, pooling_of,
};

/// Architecture of the seeded network: without training, early layers tell more than late ones.
const SEEDED: &str = "resnet18:layer1/gem";

/// Power of a whitening's eigenvalues where dirtorch evaluates (`test_dir.py`).
pub(crate) const EVALUATING: f64 = 0.25;
/// The same where it extracts (`extract_features.py`).
pub(crate) const EXTRACTING: f64 = 0.5;

/// Refuses what is wrong in the options by themselves, before any file is looked at.
pub(crate) fn check(args: &ModelArgs, recipe: &RecipeArgs) -> anyhow::Result<()> {
    known_architecture(args)?;
    whitening_choice::check(args.whitenp, args.whitenv, args.whitenm)?;
    let fits = |scale: &f64| *scale > 0.0 && *scale <= 16.0;
    if let Some(wrong) = args.scales.iter().find(|scale| !fits(scale)) {
        return Err(usage(format!(
            "--scales {wrong}: a scale is a number above 0 and at most 16"
        )));
    }
    // Without a name the model's own recipe is changed, which is only known once it was opened.
    if recipe.recipe.is_some() || !recipe.trfs.is_empty() {
        recipe_choice::recipe(recipe, recipe_choice::TEXTS, None)?;
    }
    Ok(())
}

fn known_architecture(args: &ModelArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.arch {
        Architecture::parse(name).map_err(|error| usage(error.to_string()))?;
    }
    Ok(())
}

/// Opens the model that was asked for.
pub(crate) fn model(args: &ModelArgs, screen: &Screen) -> anyhow::Result<Model> {
    known_architecture(args)?;
    let Some(path) = &args.model else {
        return Err(usage(
            "No model was given. Name a checkpoint with --model FILE (and --arch NAME where it does not say its own), or try \
             --model seeded, a network with random weights.",
        ));
    };
    if !is_onnx_path(path) && onnx_settings(args) != OnnxSettings::default() {
        return Err(usage(
            "--model-output, --token-pooling, --special-tokens and --map-pooling are for ONNX files (.onnx) only.",
        ));
    }
    let seedless = path.as_os_str() == "seeded" || is_onnx_path(path);
    if args.head_seed.is_some() && seedless {
        return Err(usage(
            "--head-seed completes a checkpoint that holds a trunk; seeded networks and ONNX files are whole.",
        ));
    }
    if path.as_os_str() == "seeded" {
        screen.say("The seeded network has random weights: it tells colours and textures apart, no more.");
        return Ok(Model::seeded(args.arch.as_deref().unwrap_or(SEEDED), 0)?);
    }
    let model = if is_onnx_path(path) {
        if args.arch.is_some() {
            return Err(usage("An ONNX file holds its own network: leave --arch out."));
        }
        Model::open_onnx(path, &onnx_settings(args))?
    } else if let (Some(name), Some(seed)) = (&args.arch, args.head_seed) {
        let model = Model::open_with_seeded_head(path, name, seed)?;
        screen.say(&match (model.seeded_tensors.len(), model.seeded_tensors.first()) {
            (count, Some(first)) => format!(
                "{} lacks {count} of the tensors of the head of {}, the first is `{first}`. They were made from seed {seed}: the head \
                 is untrained.",
                path.display(),
                model.architecture()
            ),
            _ => format!("{} holds the whole head: --head-seed made nothing.", path.display()),
        });
        model
    } else {
        Model::open(path, args.arch.as_deref())?
    };
    if let Some(remark) = model.remark() {
        match model.network() {
            Some(_) => screen.warn(&remark),
            None => screen.say(&remark),
        }
    }
    Ok(model)
}

/// What was asked of somebody else's ONNX file.
fn onnx_settings(args: &ModelArgs) -> OnnxSettings {
    let default = OutputPooling::default();
    OnnxSettings {
        output: args.model_output.clone(),
        pooling: OutputPooling {
            tokens: args.token_pooling.unwrap_or(default.tokens),
            special_tokens: args.special_tokens.unwrap_or(default.special_tokens),
            map: args.map_pooling.unwrap_or(default.map),
        },
    }
}

/// Makes a model ready to describe a query as the descriptors of `card` were made. `--whiten` says where the card's whitening is
/// to be found; what it says of power, axes and multiplier is taken from the card where it is not given.
pub(crate) fn describer_like(
    card: &Card,
    model: &Model,
    args: &ModelArgs,
    recipe: &RecipeArgs,
    threads: usize,
) -> anyhow::Result<Describer> {
    let mut settings = Settings {
        device: args.device.clone(),
        threads,
        max_pixels: recipe.max_pixels,
        ..Settings::like(card)?
    };
    if let (Some((name, how)), Some(wanted)) = (&mut settings.whitening, &args.whiten) {
        *name = wanted.clone();
        *how = whitening_choice::settings(args.whitenp, args.whitenv, args.whitenm, *how);
    }
    let named = settings.whitening.as_ref().map(|(name, _)| name.clone());
    Describer::new(model, settings).map_err(|error| match (error, named) {
        (error @ sightline::Error::NoWhitening { .. }, Some(name)) if args.whiten.is_none() => {
            anyhow::Error::new(error).context(format!(
                "The descriptors are whitened with `{name}`. Name its file with --whiten FILE"
            ))
        }
        (error, _) => error.into(),
    })
}

/// Makes a model ready with the recipe that was asked for; `power` is that of a whitening where none was given.
pub(crate) fn describer(
    model: &Model,
    args: &ModelArgs,
    recipe: &RecipeArgs,
    threads: usize,
    power: f64,
) -> anyhow::Result<Describer> {
    check(args, recipe)?;
    let recipe_made = recipe_of(model, recipe)?;
    let scales = if args.scales.is_empty() {
        vec![1.0]
    } else {
        args.scales.clone()
    };
    can_scale(&recipe_made, &scales)?;
    let named = recipe.recipe.as_deref().unwrap_or(fallback(model, recipe));
    let by_project = pooling_of(named, model, &scales);
    let pooling = pooling(args, by_project, model)?;
    let whitening = args
        .whiten
        .clone()
        .map(|name| (name, whitening_choice::of_model(args, power)));
    let settings = Settings {
        recipe: Some(recipe_made),
        scales,
        pooling: Some(pooling),
        whitening,
        device: args.device.clone(),
        threads,
        max_pixels: recipe.max_pixels,
    };
    Ok(Describer::new(model, settings)?)
}

/// Makes a model with local features ready with the recipe that was asked for. `features` of a picture are kept at most; `l2`
/// divides whitened features by their length.
pub(crate) fn local_describer(
    model: &Model,
    args: &ModelArgs,
    recipe: &RecipeArgs,
    threads: usize,
    features: Option<usize>,
    l2: bool,
) -> anyhow::Result<LocalDescriber> {
    check(args, recipe)?;
    if args.pooling.is_some() || args.gemp.is_some() {
        return Err(usage(
            "--pooling and --gemp pool descriptors over scales, and local features are not pooled",
        ));
    }
    let made = recipe_of(model, recipe)?;
    can_scale(&made, &args.scales)?;
    let whitening = WhiteningSettings {
        l2,
        ..whitening_choice::of_model(args, EXTRACTING)
    };
    let settings = LocalSettings {
        recipe: Some(made),
        scales: args.scales.clone(),
        features,
        whitening: args.whiten.clone().map(|name| (name, whitening)),
        device: args.device.clone(),
        threads,
        max_pixels: recipe.max_pixels,
    };
    Ok(LocalDescriber::new(model, settings)?)
}

/// The recipe that was asked for, else the one of the model's project.
pub(crate) fn recipe_of(model: &Model, recipe: &RecipeArgs) -> anyhow::Result<Recipe> {
    recipe_choice::recipe(recipe, fallback(model, recipe), model.preprocess.as_ref())
}

/// The name of the recipe to start from where none was given.
fn fallback<'a>(model: &'a Model, recipe: &RecipeArgs) -> &'a str {
    if recipe.trfs.is_empty() {
        model.recipe.as_deref().unwrap_or("photos")
    } else {
        recipe_choice::TEXTS
    }
}

/// Refuses scales with a recipe that makes none.
fn can_scale(recipe: &Recipe, scales: &[f64]) -> anyhow::Result<()> {
    if recipe.scales == Scales::None && scales != [1.0] {
        return Err(usage(
            "This recipe knows no scales: give several --trfs texts, one for each size, or set how a scale is made \
             with --set scales=tensor-given",
        ));
    }
    Ok(())
}

/// The pooling over scales that was asked for, else the project's.
fn pooling(args: &ModelArgs, by_project: ScalePooling, model: &Model) -> anyhow::Result<ScalePooling> {
    let power = |default: f64| args.gemp.unwrap_or(default);
    if let Some(wrong) = args.gemp.filter(|power| !(*power > 0.0 && power.is_finite())) {
        return Err(usage(format!("--gemp {wrong}: a power is a number above 0")));
    }
    let chosen = match args.pooling {
        None => match by_project {
            ScalePooling::DirtorchGem { power: default } => ScalePooling::DirtorchGem {
                power: power(default),
            },
            other => other,
        },
        Some(PoolingChoice::Mean) => ScalePooling::DirtorchMean,
        Some(PoolingChoice::Gem) => ScalePooling::DirtorchGem { power: power(3.0) },
        Some(PoolingChoice::Cirtorch) => ScalePooling::Cirtorch {
            msp: model.multiscale_power(),
        },
        Some(PoolingChoice::Token) => ScalePooling::Token,
        Some(PoolingChoice::SuperglobalMax) => ScalePooling::SuperglobalMax,
        Some(PoolingChoice::SuperglobalPower) => ScalePooling::SuperglobalPower { power: power(10.0) },
        Some(PoolingChoice::SuperglobalMean) => ScalePooling::SuperglobalMean,
        Some(PoolingChoice::Delg) => ScalePooling::Delg,
    };
    let takes_power = matches!(
        chosen,
        ScalePooling::DirtorchGem { .. } | ScalePooling::SuperglobalPower { .. } | ScalePooling::DirtorchMean
    );
    if args.gemp.is_some() && !takes_power {
        return Err(usage(
            "--gemp takes part in --pooling gem and --pooling superglobal-power only; say which is meant",
        ));
    }
    Ok(chosen)
}
