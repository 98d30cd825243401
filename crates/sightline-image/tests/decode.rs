//! Decoding through the public interface: golden files, limits, broken files, and whatever bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sightline_image::RgbImage;
use sightline_image::decode::{
    DecodeError, DecodeOptions, Format, Orientation, Truncated, decode, decode_cv2, probe,
};
use sightline_image::encode;

/// Two rows of three different pixels.
const PPM: &[u8] = b"P6\n3 2\n255\n\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12";

fn ppm() -> RgbImage {
    decode(PPM, &DecodeOptions::default()).unwrap()
}

/// A TIFF directory entry of one short value.
fn entry(tag: u16, value: u16) -> Vec<u8> {
    [
        &tag.to_le_bytes()[..],
        &3u16.to_le_bytes(),
        &1u32.to_le_bytes(),
        &value.to_le_bytes(),
        &[0, 0],
    ]
    .concat()
}

/// A JPEG of the picture with the orientation in an Exif segment.
fn jpeg_with_orientation(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    let jpeg = encode::jpeg(picture, 95).unwrap();
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend(entry(274, orientation));
    exif.extend([0; 4]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

/// A gray ramp large enough for several JPEG blocks.
fn ramp(width: u32, height: u32) -> RgbImage {
    let data = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [(x * 5) as u8, (y * 7) as u8, (x + y) as u8]))
        .collect();
    RgbImage::new(width, height, data).unwrap()
}

#[test]
fn lossless_formats_give_back_the_pixels() {
    let picture = ramp(37, 11);
    let png = encode::png(&picture).unwrap();
    assert_eq!(decode(&png, &DecodeOptions::default()).unwrap(), picture);
    assert_eq!(probe(&png).unwrap().format, Format::Png);
    assert_eq!(
        (probe(&png).unwrap().width, probe(&png).unwrap().height),
        (37, 11)
    );
}

#[test]
fn cv2_swaps_red_and_blue() {
    let bgr = decode_cv2(PPM, &DecodeOptions::default()).unwrap();
    assert_eq!(bgr.pixel(0, 0), Some([3, 2, 1]));
    assert_eq!(ppm().pixel(0, 0), Some([1, 2, 3]));
}

#[test]
fn too_many_pixels_are_refused_before_anything_is_allocated() {
    let options = DecodeOptions {
        max_pixels: 5,
        ..DecodeOptions::default()
    };
    let expected = DecodeError::TooLarge {
        width: 3,
        height: 2,
        max_pixels: 5,
    };
    assert_eq!(decode(PPM, &options).unwrap_err(), expected);
    for huge in [
        b"P6 4000000000 4000000000 255\n".to_vec(),
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0\0".to_vec(),
        {
            let mut png = encode::png(&ramp(3, 3)).unwrap();
            png[16..24].copy_from_slice(&[0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]);
            png
        },
        {
            let mut jpeg = encode::jpeg(&ramp(3, 3), 90).unwrap();
            let frame = jpeg
                .windows(2)
                .position(|two| two[0] == 0xFF && two[1] == 0xC0)
                .unwrap();
            jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
            jpeg
        },
    ] {
        let error = decode(&huge, &DecodeOptions::default()).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn orientation_is_applied_on_request() {
    let picture = ramp(40, 24);
    let plain = decode(&jpeg_with_orientation(&picture, 1), &DecodeOptions::default()).unwrap();
    let (w, h) = (plain.width, plain.height);
    for orientation in 1..=8 {
        let file = jpeg_with_orientation(&picture, orientation);
        assert_eq!(decode(&file, &DecodeOptions::default()).unwrap(), plain);
        let apply = DecodeOptions {
            orientation: Orientation::Apply,
            ..DecodeOptions::default()
        };
        let upright = decode(&file, &apply).unwrap();
        // Where the first stored pixel ends up.
        let (x, y) = match orientation {
            1 => (0, 0),
            2 => (w - 1, 0),
            3 => (w - 1, h - 1),
            4 => (0, h - 1),
            5 => (0, 0),
            6 => (h - 1, 0),
            7 => (h - 1, w - 1),
            _ => (0, w - 1),
        };
        let size = if orientation > 4 { (h, w) } else { (w, h) };
        assert_eq!((upright.width, upright.height), size, "orientation {orientation}");
        assert_eq!(
            upright.pixel(x, y),
            plain.pixel(0, 0),
            "orientation {orientation}"
        );
        let bgr = decode_cv2(&file, &DecodeOptions::default()).unwrap();
        assert_eq!((bgr.width, bgr.height), size);
    }
}

#[test]
fn cut_jpegs_are_refused_or_filled_with_gray() {
    let file = encode::jpeg(&ramp(64, 64), 90).unwrap();
    let whole = decode(&file, &DecodeOptions::default()).unwrap();
    let cut = &file[..file.len() * 3 / 4];
    let error = decode(cut, &DecodeOptions::default()).unwrap_err();
    assert_eq!(error, DecodeError::Truncated { format: Format::Jpeg });
    let tolerate = DecodeOptions {
        truncated: Truncated::Tolerate,
        ..DecodeOptions::default()
    };
    let partial = decode(cut, &tolerate).unwrap();
    assert_eq!(partial.data[..64], whole.data[..64]);
    assert_ne!(partial.data, whole.data);
}

#[test]
fn cut_pngs_keep_their_first_rows() {
    let picture = ramp(50, 300);
    let file = encode::png(&picture).unwrap();
    let cut = &file[..file.len() * 2 / 3];
    let error = decode(cut, &DecodeOptions::default()).unwrap_err();
    assert_eq!(error, DecodeError::Truncated { format: Format::Png });
    let tolerate = DecodeOptions {
        truncated: Truncated::Tolerate,
        ..DecodeOptions::default()
    };
    let partial = decode(cut, &tolerate).unwrap();
    let same = partial
        .data
        .iter()
        .zip(&picture.data)
        .take_while(|(left, right)| left == right)
        .count();
    assert!(same >= 150, "only {same} bytes are the picture's");
    assert!(partial.data[150 * 299..].iter().all(|byte| *byte == 0));
}

#[test]
fn errors_are_sentences() {
    for bytes in [
        &b""[..],
        b"hello",
        b"\xFF\xD8\xFF\xE0",
        b"BM",
        b"RIFF\x04\0\0\0WEBP",
        b"II*\0",
        b"P6 1",
    ] {
        let message = decode(bytes, &DecodeOptions::default()).unwrap_err().to_string();
        assert!(message.starts_with("The ") && message.ends_with('.'), "{message}");
    }
}

/// The files of the repository's golden cases, small and of all formats.
fn golden_files() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/images");
    let Ok(entries) = std::fs::read_dir(folder) else {
        return vec![PPM.to_vec()];
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut files = vec![PPM.to_vec()];
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        let Ok(tensors) = safetensors::SafeTensors::deserialize(&bytes) else {
            continue;
        };
        files.extend(tensors.tensor("in.file").ok().map(|file| file.data().to_vec()));
    }
    files
}

fn webp_chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = [&name[..], &(data.len() as u32).to_le_bytes(), data].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

#[test]
fn webp_frames_of_another_size_inside_are_refused() {
    let is_lossy = |file: &&Vec<u8>| file.get(8..16) == Some(b"WEBPVP8 ");
    let files = golden_files();
    let lossy = files
        .iter()
        .find(is_lossy)
        .expect("a golden case holds a lossy WebP");
    let inside = probe(lossy).unwrap();
    let (width, height) = (inside.width + 40, inside.height + 6);
    let size = [&(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat();
    let bitstream = &lossy[12..];
    let alpha = webp_chunk(b"ALPH", &vec![0; (width * height) as usize + 1]);
    let frame = [&[0; 6][..], &size, &[0; 4], &alpha, bitstream].concat();
    let body = [
        &b"WEBP"[..],
        &webp_chunk(b"VP8X", &[&[0x12, 0, 0, 0][..], &size].concat()),
        &webp_chunk(b"ANIM", &[0; 6]),
        &webp_chunk(b"ANMF", &frame),
    ]
    .concat();
    let file = [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat();
    assert_eq!(probe(&file).unwrap().width, width);
    let error = decode(&file, &DecodeOptions::default()).unwrap_err();
    assert!(error.to_string().contains("different sizes"), "{error}");
}

#[test]
fn damaged_files_give_a_picture_or_an_error() {
    let files = golden_files();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let damage = (
        0..files.len(),
        proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        proptest::option::of(any::<prop::sample::Index>()),
    );
    for _ in 0..20_000 {
        let (file, changes, end) = damage.new_tree(&mut runner).unwrap().current();
        let mut bytes = files[file].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        let options = DecodeOptions {
            max_pixels: 1 << 16,
            truncated: Truncated::Tolerate,
            orientation: Orientation::Apply,
        };
        if let Ok(picture) = decode(&bytes, &options) {
            assert!(u64::from(picture.width) * u64::from(picture.height) <= 1 << 16);
            assert_eq!(
                picture.data.len(),
                3 * picture.width as usize * picture.height as usize
            );
        }
        let refused = decode_cv2(
            &bytes,
            &DecodeOptions {
                truncated: Truncated::Refuse,
                ..options
            },
        );
        assert!(refused.is_ok() || !refused.unwrap_err().to_string().is_empty());
    }
}
