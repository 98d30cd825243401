//! Recipes from JSON, as a card carries them, and what they do to a picture and its scales.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_image::recipe::Recipe;

fuzz_target!(|text: &str| {
    let Ok(value) = serde_json::from_str(text) else { return };
    let Ok(recipe) = Recipe::from_json(&value) else { return };
    assert!(Recipe::from_json(&recipe.spelled_out()).is_ok());
    let picture = b"P6 4 3 255\nabcdefghijklmnopqrstuvwxyz0123456789";
    for bbox in [None, Some([-2.5, 0.0, 3.5, 9.0])] {
        let _ = recipe.prepare_scales(picture, bbox, 1 << 16, &[1.0, 0.3]);
    }
});
