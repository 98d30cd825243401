//! Pictures: every decoder, strict and tolerant, with both libraries' rules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_image::decode::{DecodeOptions, Orientation, Truncated, decode, decode_cv2, probe};

fuzz_target!(|bytes: &[u8]| {
    let max_pixels = 1 << 18;
    let _ = probe(bytes);
    let strict = DecodeOptions { max_pixels, ..DecodeOptions::default() };
    let tolerant =
        DecodeOptions { max_pixels, truncated: Truncated::Tolerate, orientation: Orientation::Apply };
    for options in [&strict, &tolerant] {
        if let Ok(picture) = decode(bytes, options) {
            assert_eq!(picture.data.len() as u64, 3 * u64::from(picture.width) * u64::from(picture.height));
            assert!(u64::from(picture.width) * u64::from(picture.height) <= max_pixels);
        }
    }
    let _ = decode_cv2(bytes, &strict);
});
