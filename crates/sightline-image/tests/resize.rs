//! Resizing against a slow twin written straight from the formulas, and its edge cases.

#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use sightline_image::resize::{
    Filter, ResizeError, reduce, resize, resize_reducing_gap, thumbnail, thumbnail_size,
};
use sightline_image::{GrayImage, RgbImage};
use std::f64::consts::PI;

/// The weight functions as the facts state them, independent of the crate's.
fn weight(filter: Filter, x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) };
    let a = x.abs();
    match filter {
        Filter::Nearest => unreachable!(),
        Filter::Box => f64::from(u8::from(x > -0.5 && x <= 0.5)),
        Filter::Bilinear => (1.0 - a).max(0.0),
        Filter::Hamming if a >= 1.0 => 0.0,
        Filter::Hamming => sinc(a) * (0.54 + 0.46 * (PI * a).cos()),
        Filter::Bicubic if a < 1.0 => 1.5 * a.powi(3) - 2.5 * a.powi(2) + 1.0,
        Filter::Bicubic if a < 2.0 => -0.5 * a.powi(3) + 2.5 * a.powi(2) - 4.0 * a + 2.0,
        Filter::Bicubic => 0.0,
        Filter::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
        Filter::Lanczos => 0.0,
    }
}

/// One axis in floating point, not rounded: `line` resampled to `output` values from the part `from..to`.
fn axis(line: &[f64], filter: Filter, from: f64, to: f64, output: usize) -> Vec<f64> {
    let scale = (to - from) / output as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..output)
        .map(|index| {
            let center = from + (index as f64 + 0.5) * scale;
            let low = (center - support + 0.5).max(0.0) as usize;
            let high = ((center + support + 0.5) as usize).min(line.len());
            let weights: Vec<f64> = (low..high)
                .map(|j| weight(filter, (j as f64 - center + 0.5) / stretch))
                .collect();
            let sum: f64 = weights.iter().sum();
            let value: f64 = weights.iter().zip(&line[low..high]).map(|(w, v)| w * v).sum();
            if sum == 0.0 { value } else { value / sum }
        })
        .collect()
}

/// Both axes, rows first, clipped to 0..=255 after each but never rounded.
fn twin(image: &RgbImage, size: (u32, u32), filter: Filter, region: [f64; 4]) -> Vec<f64> {
    let (width, height) = (image.width as usize, image.height as usize);
    let (out_width, out_height) = (size.0 as usize, size.1 as usize);
    let mut result = vec![0.0; out_width * out_height * 3];
    for channel in 0..3 {
        let between: Vec<Vec<f64>> = (0..height)
            .map(|y| {
                let line: Vec<f64> = (0..width)
                    .map(|x| f64::from(image.data[3 * (y * width + x) + channel]))
                    .collect();
                let line = axis(&line, filter, region[0], region[2], out_width);
                line.iter().map(|v| v.clamp(0.0, 255.0)).collect()
            })
            .collect();
        for x in 0..out_width {
            let column: Vec<f64> = between.iter().map(|line| line[x]).collect();
            for (y, value) in axis(&column, filter, region[1], region[3], out_height)
                .iter()
                .enumerate()
            {
                result[3 * (y * out_width + x) + channel] = value.clamp(0.0, 255.0);
            }
        }
    }
    result
}

fn picture(width: u32, height: u32, seed: u64) -> RgbImage {
    let mut state = seed;
    let data = (0..width * height * 3)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    RgbImage { width, height, data }
}

proptest! {
    #[test]
    fn stays_within_rounding_of_the_exact_sums(
        width in 1_u32..40, height in 1_u32..40, size in (1_u32..60, 1_u32..60), filter in 1_usize..6, seed in any::<u64>(),
    ) {
        let image = picture(width, height, seed);
        let filter = Filter::ALL[filter];
        let got = resize(&image, size, filter, None).unwrap();
        prop_assert_eq!((got.width, got.height), size);
        let want = twin(&image, size, filter, [0.0, 0.0, width.into(), height.into()]);
        // Half a step for each of the two roundings; the first is weighted by at most 1.4 (Lanczos' absolute weights).
        // A box that ends on a pixel's centre may take either neighbour, so that filter is left to the exact cases.
        if filter != Filter::Box {
            for (got, want) in got.data.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() <= 0.5 + 0.7 + 0.01, "{} instead of {}", got, want);
            }
        }
    }

    #[test]
    fn constant_pictures_stay_constant(
        size in (1_u32..50, 1_u32..50), to in (1_u32..50, 1_u32..50), filter in 0_usize..6, value in any::<u8>(),
    ) {
        let image = RgbImage { width: size.0, height: size.1, data: vec![value; (size.0 * size.1 * 3) as usize] };
        let got = resize(&image, to, Filter::ALL[filter], None).unwrap();
        prop_assert!(got.data.iter().all(|got| *got == value));
    }

    #[test]
    fn gray_is_one_channel_of_colour(
        width in 1_u32..30, height in 1_u32..30, size in (1_u32..40, 1_u32..40), filter in 0_usize..6, seed in any::<u64>(),
    ) {
        let colour = picture(width, height, seed);
        let gray = GrayImage { width, height, data: colour.data.iter().skip(1).step_by(3).copied().collect() };
        let filter = Filter::ALL[filter];
        let colour = resize(&colour, size, filter, None).unwrap();
        let gray = sightline_image::resize::resize_gray(&gray, size, filter, None).unwrap();
        prop_assert!(colour.data.iter().skip(1).step_by(3).eq(&gray.data));
    }

    #[test]
    fn no_request_panics(
        width in 0_u32..9, height in 0_u32..9, to in (0_u32..20, 0_u32..20), filter in 0_usize..6,
        region in prop::array::uniform4(-3.0_f64..12.0), gap in -1.0_f64..9.0, request in (-2.0_f64..99.0, -2.0_f64..99.0),
    ) {
        let image = picture(width, height, 3);
        let filter = Filter::ALL[filter];
        for region in [None, Some(region), Some(region.map(f64::abs))] {
            let _ = resize(&image, to, filter, region);
            let _ = resize_reducing_gap(&image, to, filter, region, gap);
            let _ = reduce(&image, to, region.map(|region| region.map(|corner| corner as u32)));
        }
        let _ = thumbnail(&image, request, filter);
    }

    #[test]
    fn thumbnails_stay_within_the_request(size in (1_u32..5000, 1_u32..5000), request in (1.0_f64..6000.0, 1.0_f64..6000.0)) {
        let (x, y) = thumbnail_size(size, request).unwrap();
        prop_assert!(x >= 1 && y >= 1 && x <= size.0 && y <= size.1);
        prop_assert!(f64::from(x) <= request.0.ceil() && f64::from(y) <= request.1.ceil());
    }
}

#[test]
fn one_pixel_becomes_any_size_and_extreme_shapes_work() {
    let pixel = RgbImage {
        width: 1,
        height: 1,
        data: vec![9, 100, 255],
    };
    for filter in Filter::ALL {
        let large = resize(&pixel, (70, 3), filter, None).unwrap();
        assert!(
            large.data.chunks_exact(3).all(|value| value == [9, 100, 255]),
            "{filter}"
        );
        let line = picture(20_000, 1, 5);
        assert_eq!(resize(&line, (1, 1), filter, None).unwrap().data.len(), 3);
        assert_eq!(
            resize(&line, (3, 2_000), filter, None).unwrap().data.len(),
            18_000
        );
    }
}

#[test]
fn the_same_size_is_a_copy_whatever_the_filter() {
    let image = picture(7, 5, 1);
    for filter in Filter::ALL {
        assert_eq!(resize(&image, (7, 5), filter, None).unwrap(), image);
    }
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let image = picture(4, 4, 1);
    let refused = |result: Result<RgbImage, ResizeError>| result.unwrap_err().to_string();
    assert!(refused(resize(&image, (0, 4), Filter::Box, None)).contains("at least 1 pixel"));
    let outside = Some([0.0, 0.0, 4.5, 4.0]);
    assert!(refused(resize(&image, (2, 2), Filter::Box, outside)).contains("does not lie within"));
    let nothing = Some([f64::NAN, 0.0, 4.0, 4.0]);
    assert!(refused(resize(&image, (2, 2), Filter::Nearest, nothing)).contains("does not lie within"));
    assert!(refused(reduce(&image, (0, 1), None)).contains("at least 1"));
    assert!(refused(resize_reducing_gap(&image, (2, 2), Filter::Box, None, 0.5)).contains("1 or more"));
    assert!(refused(thumbnail(&image, (0.9, 3.0), Filter::Box)).contains("at least 1 pixel"));
    let lying = RgbImage {
        width: 4,
        height: 4,
        data: vec![0; 3],
    };
    assert!(refused(resize(&lying, (2, 2), Filter::Box, None)).contains("do not fit its size"));
    let huge = resize(&image, (u32::MAX, u32::MAX), Filter::Bilinear, None);
    assert!(refused(huge).contains("not enough memory"));
}
