//! Small pictures for the page, with the part that was asked for in a frame.

use sightline_image::RgbImage;
use sightline_image::decode::{DecodeOptions, Orientation, Truncated, decode};
use sightline_image::encode;
use sightline_image::resize::{self, Filter};

/// Longer side of a thumbnail in pixels.
const SIDE: u32 = 192;

const FRAME: [u8; 3] = [255, 220, 0];
const EDGE: [u8; 3] = [0, 0, 0];

/// A small picture.
#[derive(Clone, Debug, Default)]
pub struct Thumbnail {
    /// A JPEG file; empty where there is no picture.
    pub jpeg: Vec<u8>,
    /// Whether a box is drawn into it.
    pub boxed: bool,
}

/// A small JPEG of a picture file; empty where the file cannot be decoded. A picture is shown upright; one with a box
/// (left, top, right, bottom in pixels of the stored picture) as it is stored, with the box drawn
/// unless it is the whole picture.
pub fn thumbnail(file: &[u8], max_pixels: u64, bbox: Option<[f64; 4]>) -> Thumbnail {
    let options = DecodeOptions {
        max_pixels,
        truncated: Truncated::Tolerate,
        orientation: match bbox {
            Some(_) => Orientation::Ignore,
            None => Orientation::Apply,
        },
    };
    let Ok(picture) = decode(file, &options) else {
        return Thumbnail::default();
    };
    let (width, height) = (picture.width, picture.height);
    let side = f64::from(SIDE);
    let mut small = resize::thumbnail(&picture, (side, side), Filter::Bicubic).unwrap_or(picture);
    let whole = |bbox: &[f64; 4]| {
        bbox[0] <= 0.0 && bbox[1] <= 0.0 && bbox[2] >= f64::from(width) && bbox[3] >= f64::from(height)
    };
    let bbox = bbox.filter(|bbox| !whole(bbox));
    if let Some(bbox) = bbox {
        let across = f64::from(small.width) / f64::from(width.max(1));
        let down = f64::from(small.height) / f64::from(height.max(1));
        draw(
            &mut small,
            [bbox[0] * across, bbox[1] * down, bbox[2] * across, bbox[3] * down],
        );
    }
    let jpeg = encode::jpeg(&small, 82).unwrap_or_default();
    Thumbnail {
        boxed: bbox.is_some() && !jpeg.is_empty(),
        jpeg,
    }
}

/// Draws a frame that shows on bright and on dark ground: a bright line between dark edges.
fn draw(picture: &mut RgbImage, bbox: [f64; 4]) {
    for (inset, colour) in [(0, EDGE), (1, FRAME), (2, FRAME), (3, EDGE)] {
        let edge = |value: f64, length: u32, inward: i64| {
            (value.round() as i64 + inward).clamp(0, i64::from(length.max(1)) - 1) as usize
        };
        let left = edge(bbox[0], picture.width, inset);
        let top = edge(bbox[1], picture.height, inset);
        let right = edge(bbox[2] - 1.0, picture.width, -inset);
        let bottom = edge(bbox[3] - 1.0, picture.height, -inset);
        if left > right || top > bottom {
            return;
        }
        let row = picture.width as usize;
        let mut paint = |x: usize, y: usize| {
            if let Some(pixel) = picture.data.get_mut(3 * (y * row + x)..3 * (y * row + x + 1)) {
                pixel.copy_from_slice(&colour);
            }
        };
        for x in left..=right {
            paint(x, top);
            paint(x, bottom);
        }
        for y in top..=bottom {
            paint(left, y);
            paint(right, y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32) -> RgbImage {
        let size = (width * height * 3) as usize;
        RgbImage::new(width, height, vec![128; size]).unwrap_or_else(|| unreachable!())
    }

    #[test]
    fn a_box_is_framed_where_it_is() {
        let mut picture = gray(60, 40);
        draw(&mut picture, [10.0, 5.0, 50.0, 35.0]);
        assert_eq!(picture.pixel(10, 5), Some(EDGE));
        assert_eq!(picture.pixel(11, 20), Some(FRAME));
        assert_eq!(picture.pixel(49, 34), Some(EDGE));
        assert_eq!(picture.pixel(48, 20), Some(FRAME));
        assert_eq!(picture.pixel(9, 20), Some([128; 3]));
        assert_eq!(picture.pixel(50, 20), Some([128; 3]));
        assert_eq!(picture.pixel(30, 20), Some([128; 3]));
    }

    #[test]
    fn a_box_beyond_the_picture_or_without_sense_is_survived() {
        for bbox in [
            [-50.0, -50.0, 500.0, 500.0],
            [30.0, 20.0, 10.0, 5.0],
            [f64::NAN, 1e300, f64::INFINITY, -1e300],
            [5.0, 5.0, 6.0, 6.0],
        ] {
            draw(&mut gray(60, 40), bbox);
        }
        let file = encode::jpeg(&gray(300, 200), 90).unwrap_or_default();
        let small = |bbox| thumbnail(&file, 1 << 20, Some(bbox));
        assert!(small([10.0, 10.0, 100.0, 100.0]).boxed);
        assert!(!small([0.0, 0.0, 300.0, 200.0]).boxed);
        assert!(thumbnail(b"no picture", 1 << 20, None).jpeg.is_empty());
    }
}
