//! The orientation in an Exif block, and turning a picture upright by it.

use crate::pixels::RgbImage;

/// The value of the orientation tag (274) in the first directory of an Exif block (a TIFF header and what follows);
/// `None` where there is none between 1 and 8.
pub(super) fn orientation(exif: &[u8]) -> Option<u8> {
    let big = match exif.get(..4)? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes: [u8; 2] = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    };
    let u32_at = |at: usize| -> Option<u32> {
        let bytes: [u8; 4] = exif.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    };
    let directory = u32_at(4)? as usize;
    for entry in 0..usize::from(u16_at(directory)?) {
        let at = directory.checked_add(2 + 12 * entry)?;
        if u16_at(at)? == 274 {
            let value = match u16_at(at + 2)? {
                1 => u16::from(*exif.get(at + 8)?),
                3 => u16_at(at + 8)?,
                4 => u16::try_from(u32_at(at + 8)?).ok()?,
                _ => return None,
            };
            return u8::try_from(value).ok().filter(|value| (1..=8).contains(value));
        }
    }
    None
}

/// Turns a picture upright as `ImageOps.exif_transpose` does; orientation 1 and unknown values leave it as it is.
pub(super) fn upright(image: RgbImage, orientation: u8) -> RgbImage {
    let (w, h) = (image.width as usize, image.height as usize);
    let swapped = matches!(orientation, 5..=8);
    if !matches!(orientation, 2..=8) || w == 0 || h == 0 {
        return image;
    }
    let (width, height) = if swapped { (h, w) } else { (w, h) };
    let mut data = Vec::with_capacity(image.data.len());
    for y in 0..height {
        for x in 0..width {
            let (sx, sy) = match orientation {
                2 => (w - 1 - x, y),
                3 => (w - 1 - x, h - 1 - y),
                4 => (x, h - 1 - y),
                5 => (y, x),
                6 => (y, h - 1 - x),
                7 => (w - 1 - y, h - 1 - x),
                _ => (w - 1 - y, x),
            };
            let start = 3 * (sy * w + sx);
            data.extend_from_slice(&image.data[start..start + 3]);
        }
    }
    RgbImage {
        width: width as u32,
        height: height as u32,
        data,
    }
}
