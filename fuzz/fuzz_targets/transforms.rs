//! dirtorch's transform texts: parsed, printed, parsed again, applied.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_image::recipe::Recipe;
use sightline_image::transforms::{Names, Transforms};

fuzz_target!(|text: &str| {
    let Ok(read) = Transforms::parse(text, &Names::default()) else { return };
    let printed = read.to_string();
    let again = Transforms::parse(&printed, &Names::default());
    assert!(again.is_ok_and(|again| again.to_string() == printed), "{printed}");
    if let Ok(mut recipe) = Recipe::named("dirtorch")
        && recipe.set_transforms(&[text.to_owned()]).is_ok()
    {
        let picture = b"P6 4 3 255\nabcdefghijklmnopqrstuvwxyz0123456789";
        let _ = recipe.prepare(picture, Some([0.5, 0.0, 3.5, 2.0]), 1 << 16);
    }
});
