//! Preparing pictures by a recipe of `sightline-image`, at one or several scales.

use sightline_image::decode::probe;
use sightline_image::{ImageTensor, Recipe};

use crate::picture::Prepare;

/// Bytes that a pixel of the file needs on its way: decoded, in a half resized copy, and as three floats where a recipe
/// resizes nothing.
const BYTES_A_PIXEL: u64 = 20;

/// A recipe and the scales at which a picture is described.
#[derive(Debug, Clone)]
pub struct Recipes {
    recipe: Recipe,
    scales: Vec<f64>,
    max_pixels: u64,
}

impl Recipes {
    /// Prepares by `recipe` at each of `scales`; pictures of more than `max_pixels` pixels are refused, in the file and after
    /// any step.
    #[must_use]
    pub fn new(recipe: Recipe, scales: Vec<f64>, max_pixels: u64) -> Recipes {
        Recipes {
            recipe,
            scales,
            max_pixels,
        }
    }

    /// The recipe.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The scale of each tensor that a picture becomes, in their order: a recipe with several transform texts gives several at
    /// each scale. This is what [`crate::Network::with_scales`] and the card want.
    #[must_use]
    pub fn pass_scales(&self) -> Vec<f64> {
        self.scales
            .iter()
            .flat_map(|scale| std::iter::repeat_n(*scale, self.recipe.passes()))
            .collect()
    }
}

impl Prepare for Recipes {
    fn memory(&self, file: &[u8]) -> u64 {
        match probe(file) {
            // What is too large is refused before anything is allocated for it.
            Ok(found) => match u64::from(found.width) * u64::from(found.height) {
                pixels if pixels <= self.max_pixels => pixels.saturating_mul(BYTES_A_PIXEL),
                _ => 0,
            },
            Err(_) => 0,
        }
    }

    fn prepare(&self, file: &[u8], bbox: Option<[f64; 4]>) -> Result<Vec<ImageTensor>, String> {
        let prepared = self
            .recipe
            .prepared(file, bbox, self.max_pixels)
            .map_err(|error| error.to_string())?;
        let mut tensors = Vec::with_capacity(self.scales.len() * self.recipe.passes());
        for scale in &self.scales {
            tensors.extend(
                self.recipe
                    .scaled(&prepared, *scale)
                    .map_err(|error| error.to_string())?,
            );
        }
        Ok(tensors)
    }
}
