//! Recipes and transform texts: overriding, spelling out, scales, boxes, limits, and hostile requests.

#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;
use sightline_image::decode::{Orientation, Truncated};
use sightline_image::recipe::{Recipe, Rule};
use sightline_image::resize::{Filter, thumbnail};
use sightline_image::transforms::{Names, Transforms};
use sightline_image::{ImageTensor, RgbImage, normalise};

const LIMIT: u64 = 1_000_000;

fn picture(width: u32, height: u32) -> RgbImage {
    let data = (0..width * height * 3)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    RgbImage { width, height, data }
}

/// A file without losses.
fn file(image: &RgbImage) -> Vec<u8> {
    let mut file = format!("P6 {} {} 255\n", image.width, image.height).into_bytes();
    file.extend(&image.data);
    file
}

fn imagenet(image: &RgbImage) -> ImageTensor {
    normalise::normalised(image, normalise::IMAGENET_MEAN, normalise::IMAGENET_STD)
}

#[test]
fn cirtorch_is_a_lanczos_thumbnail_normalised() {
    let image = picture(60, 40);
    let mut recipe = Recipe::named("cirtorch").unwrap();
    recipe.set_longer_side(24).unwrap();
    let small = thumbnail(&image, (24.0, 24.0), Filter::Lanczos).unwrap();
    assert_eq!(recipe.pixels(&file(&image), None, LIMIT).unwrap(), small);
    assert_eq!(
        recipe.prepare(&file(&image), None, LIMIT).unwrap(),
        imagenet(&small)
    );
    // Nothing is enlarged.
    recipe.set_longer_side(600).unwrap();
    assert_eq!(recipe.pixels(&file(&image), None, LIMIT).unwrap(), image);
}

#[test]
fn a_box_shares_the_size_of_the_whole_or_not() {
    let image = picture(60, 40);
    let mut recipe = Recipe::named("cirtorch").unwrap();
    recipe.set_longer_side(30).unwrap();
    let region = Some([10.0, 5.0, 40.0, 25.0]);
    let part = recipe.pixels(&file(&image), region, LIMIT).unwrap();
    assert_eq!((part.width, part.height), (15, 10));
    recipe.set("box.shares_size", json!(false)).unwrap();
    let part = recipe.pixels(&file(&image), region, LIMIT).unwrap();
    assert_eq!((part.width, part.height), (30, 20));
}

#[test]
fn every_step_can_be_overridden_and_is_spelled_out() {
    let mut recipe = Recipe::named("photos").unwrap();
    recipe.set_shorter_side(256).unwrap();
    recipe.set("resize.filter", json!("bicubic")).unwrap();
    recipe.set("crop.size", json!(224)).unwrap();
    recipe.set("channels", json!("bgr")).unwrap();
    recipe.set_truncated(Truncated::Tolerate);
    recipe.set_orientation(Orientation::Ignore).unwrap();
    recipe
        .set_normalisation([0.5, 0.25, 0.1], [1.0, 1.0, 2.0])
        .unwrap();
    let spelled = recipe.spelled_out();
    assert_eq!(
        spelled["resize"],
        json!({"rule": "shorter-to", "size": 256, "filter": "bicubic", "reducing_gap": 2.0})
    );
    assert_eq!(spelled["crop"]["size"], 224);
    assert_eq!(spelled["mean"], json!([0.5, 0.25, 0.1]));
    assert_eq!(spelled["truncated"], "tolerate");
    assert_eq!(spelled["orientation"], "ignore");
    assert_eq!(spelled.get("name"), None);
    assert_eq!(recipe.name, "photos");
    assert_eq!(Recipe::from_json(&spelled).unwrap().spelled_out(), spelled);
}

#[test]
fn what_contradicts_itself_is_refused_and_changes_nothing() {
    let mut recipe = Recipe::named("delg").unwrap();
    let before = recipe.clone();
    for (path, value, part) in [
        ("orientation", json!("ignore"), "OpenCV always applies"),
        ("resize.rule", json!("square"), "needs a size"),
        ("resize.filtre", json!("box"), "there is no such value"),
        ("decoder", json!("gimp"), "gimp"),
        ("std", json!([1, 0, 1]), "zero"),
        ("mean", json!([1, 2]), "mean"),
        ("transforms", json!(["Scale(3)"]), "byte samples"),
    ] {
        let error = recipe.set(path, value).unwrap_err().to_string();
        assert!(error.contains(part), "{path}: {error}");
        assert_eq!(recipe, before);
    }
    assert!(Recipe::named("photos").unwrap().set_square(0).is_err());
    assert!(Recipe::from_json(&json!({"decoder": "pillow"})).is_err());
}

#[test]
fn transform_texts_are_passes_and_two_spellings_are_one_recipe() {
    let image = picture(30, 20);
    let mut recipe = Recipe::named("dirtorch").unwrap();
    assert_eq!(
        recipe.prepare(&file(&image), None, LIMIT).unwrap(),
        imagenet(&image)
    );
    recipe
        .set_transforms(&["Scale(10)".into(), "Scale(0.5), CenterCrop(8)".into()])
        .unwrap();
    let prepared = recipe.prepared(&file(&image), None, LIMIT).unwrap();
    let sizes: Vec<_> = prepared
        .tensors()
        .iter()
        .map(|tensor| (tensor.width, tensor.height))
        .collect();
    assert_eq!((recipe.passes(), sizes), (2, vec![(15, 10), (8, 8)]));
    let refused = recipe.scaled(&prepared, 0.5).unwrap_err().to_string();
    assert!(refused.contains("no other scales"), "{refused}");

    let spelled = |text: &str| {
        let mut recipe = Recipe::named("dirtorch").unwrap();
        recipe.set_transforms(&[text.to_owned()]).unwrap();
        recipe.spelled_out()
    };
    assert_eq!(
        spelled("Scale(2*10,Image.CUBIC)"),
        spelled("Scale( size=20, interpolation = Image.BICUBIC ), ToTensor(), Normalize(mean, std)")
    );
    assert_ne!(spelled("Scale(20)"), spelled("Scale(21)"));
}

#[test]
fn scales_follow_the_recipe() {
    let image = picture(40, 30);
    let all = |recipe: &Recipe| {
        recipe
            .prepare_scales(&file(&image), None, LIMIT, &[1.0, 0.5, 1.3])
            .unwrap()
    };
    let scales = |name: &str| all(&Recipe::named(name).unwrap());
    for name in ["cirtorch", "how", "delg", "superglobal"] {
        let tensors = scales(name);
        let sizes: Vec<_> = tensors
            .iter()
            .map(|tensor| (tensor.width, tensor.height))
            .collect();
        assert_eq!(sizes, [(40, 30), (20, 15), (52, 39)], "{name}");
    }
    // At one half, interpolated tensors and pixels are the mean of 2 x 2 alike, up to the rounding of bytes.
    let mut loader = Recipe::named("superglobal").unwrap();
    loader.set("scales", "pixels-area-or-linear".into()).unwrap();
    for (a, b) in scales("delg")[1].data.iter().zip(&all(&loader)[1].data) {
        assert!((a - b).abs() <= 0.5 / 255.0 / 0.224 + 1e-5, "{a} and {b}");
    }
    // Where the sizes are not exactly the scale, coordinates by the scale and by the sizes differ.
    let third = |name: &str| {
        let recipe = Recipe::named(name).unwrap();
        let prepared = recipe.prepared(&file(&image), None, LIMIT).unwrap();
        recipe.scaled(&prepared, 1.33).unwrap().remove(0)
    };
    assert!((third("cirtorch").width, third("cirtorch").height) == (53, 39));
    assert!(third("cirtorch") != third("how"));
}

#[test]
fn sizes_beyond_the_limit_are_refused_before_anything_is_allocated() {
    let bytes = file(&picture(8, 8));
    let refused = |recipe: &Recipe, bbox| recipe.prepare(&bytes, bbox, LIMIT).unwrap_err().to_string();
    let mut recipe = Recipe::named("photos").unwrap();
    assert!(refused(&recipe, Some([0.0, 0.0, 4e9, 4e9])).contains("more than the limit of 1000000"));
    assert!(refused(&recipe, Some([3.0, 3.0, 3.0, 9.0])).contains("holds no pixel"));
    assert!(refused(&recipe, Some([f64::NAN, 0.0, 1.0, 1.0])).contains("cannot be cut out"));
    recipe.set_square(4_000_000_000).unwrap();
    assert!(refused(&recipe, None).contains("more than the limit"));
    recipe.set_shorter_side(2_000).unwrap();
    assert_eq!(recipe.resize.rule, Rule::ShorterTo);
    assert!(refused(&recipe, None).contains("2000 x 2000"));
    for text in [
        "Scale(100000)",
        "Pad(2000000000)",
        "PadSquare(20000)",
        "CenterCrop(9999)",
        "CenterCrop(4, 2000000000)",
    ] {
        let mut recipe = Recipe::named("dirtorch").unwrap();
        recipe.set_transforms(&[text.to_owned()]).unwrap();
        assert!(
            refused(&recipe, None).contains("more than the limit of 1000000"),
            "{text}"
        );
    }
    let recipe = Recipe::named("cirtorch").unwrap();
    let prepared = recipe.prepared(&bytes, None, LIMIT).unwrap();
    assert!(
        recipe
            .scaled(&prepared, 1e9)
            .unwrap_err()
            .to_string()
            .contains("more than the limit")
    );
    for scale in [0.0, -1.0, f64::NAN, 0.01] {
        assert!(recipe.scaled(&prepared, scale).is_err(), "{scale}");
    }
}

#[test]
fn texts_outside_the_grammar_are_refused_with_the_place_and_the_reason() {
    for (text, at, part) in [
        ("Scale(20", 9, "not closed"),
        ("Scale", 6, "needs its parentheses"),
        ("Scal(20)", 1, "there is no transform Scal"),
        ("Scale(20) Pad(3)", 11, "a comma must follow"),
        (
            "Identity(), RandomCrop(224)",
            13,
            "RandomCrop is a training transform",
        ),
        (
            "RandomTilting(0.5, directions='left,right')",
            1,
            "is a training transform",
        ),
        ("Scale(size=3, 4)", 15, "without a name cannot follow"),
        ("Scale(3, size=4)", 1, "given twice"),
        ("Scale(3, big=True)", 1, "takes no argument big"),
        ("Scale(1/0)", 10, "divided by zero"),
        ("Scale(os.system)", 7, "os.system is not known"),
        ("Scale(9999999999)", 1, "too large"),
        ("Scale(99999999999999999999)", 7, "is no number"),
        (
            "Normalize(mean=mean, std=(1,0,1)), ToTensor()",
            1,
            "deviation is zero",
        ),
    ] {
        let error = Transforms::parse(text, &Names::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("at character {at}:")) && error.contains(part),
            "{text}: {error}"
        );
    }
    let image = picture(9, 9);
    for text in [
        "ToTensor(), Scale(3)",
        "Normalize(mean, std), ToTensor()",
        "CropToBbox()",
        "PadSquare(-4)",
        "Scale((0, 4))",
    ] {
        let read = Transforms::parse(text, &Names::default()).unwrap();
        assert!(read.tensor(&image, None, LIMIT).is_err(), "{text}");
    }
    let deep = format!("Scale({}3{})", "(".repeat(5000), ")".repeat(5000));
    let error = Transforms::parse(&deep[..9000], &Names::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("nested deeper"), "{error}");
    let long = "Identity(), ".repeat(1000);
    assert!(
        Transforms::parse(&long, &Names::default())
            .unwrap_err()
            .to_string()
            .contains("more than the 10000")
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in r#"[A-Za-z0-9_.,()\[\]'"=+*/% \-#;é]{0,60}"#) {
        if let Ok(read) = Transforms::parse(&text, &Names::default()) {
            let _ = read.tensor(&picture(7, 5), Some([1.0, 1.0, 3.0, 4.0]), LIMIT);
        }
    }

    #[test]
    fn no_call_panics_and_what_is_read_comes_back_from_its_spelled_out_form(
        name in prop::sample::select(vec!["Scale", "Pad", "PadSquare", "CenterCrop", "CropToBbox", "Normalize", "tvf.Resize", "tvf.CenterCrop"]),
        arguments in prop::collection::vec(prop::sample::select(vec![
            "3", "-2", "0", "0.7", "(4, 6)", "(9,)", "[1,2,3]", "(.1, .2, 0.)", "True", "None", "mean", "Image.BOX", "1e3", "2**31", "5//2", "-7%3", "'x'",
        ]), 0..5),
        keyword in prop::sample::select(vec!["", "size=8", "color=(300, -1, 5)", "margin=1.5", "largest=1", "min_size=4", "std=std"]),
    ) {
        let mut arguments = arguments.join(", ");
        if !keyword.is_empty() {
            arguments = format!("{arguments}{}{keyword}", if arguments.is_empty() { "" } else { ", " });
        }
        let text = format!("{name}({arguments}), ToTensor()");
        if let Ok(read) = Transforms::parse(&text, &Names::default()) {
            let again = Transforms::parse(&read.to_string(), &Names::default()).unwrap();
            prop_assert_eq!(&again, &read);
            let bbox = Some([1.0, 1.0, 5.0, 4.0]);
            if let Ok(boxed) = read.pixels(&picture(7, 5), bbox, LIMIT) {
                prop_assert!(u64::from(boxed.image.width) * u64::from(boxed.image.height) <= LIMIT);
                prop_assert_eq!(boxed.image.data.len(), (boxed.image.width * boxed.image.height * 3) as usize);
            }
        }
    }

    #[test]
    fn no_box_or_size_panics(
        name in prop::sample::select(Recipe::names()), corners in prop::array::uniform4(-50.0_f64..90.0), size in 0_u32..70,
        side in 0_usize..3, scale in 0.0_f64..2.0,
    ) {
        let mut recipe = Recipe::named(&name).unwrap();
        let _ = match side {
            0 => recipe.set_longer_side(size),
            1 => recipe.set_shorter_side(size),
            _ => recipe.set_square(size),
        };
        for bbox in [None, Some(corners)] {
            if let Ok(prepared) = recipe.prepared(&file(&picture(37, 21)), bbox, LIMIT) {
                for tensor in prepared.tensors() {
                    prop_assert_eq!(tensor.data.len(), 3 * tensor.width * tensor.height);
                    prop_assert!(tensor.data.iter().all(|value| value.is_finite()));
                }
                let _ = recipe.scaled(&prepared, scale);
            }
        }
    }
}
