//! Resizing in two steps and thumbnails (Pillow's `reducing_gap` and `Image.thumbnail`).

use super::reduce::reduce_view;
use super::{Filter, ResizeError, View, check_target, resize_view};
use crate::pixels::RgbImage;

/// The reducing gap of Pillow's `thumbnail`.
pub const REDUCING_GAP: f64 = 2.0;

/// Resizes in two steps where that is quicker: whole factors first, then the filter (`Image.resize(..., reducing_gap)`).
///
/// `gap` (1 or more) says how many times larger than the result the picture must stay before the filter; the larger, the
/// closer to [`super::resize`]. [`Filter::Nearest`] takes no first step.
///
/// # Errors
/// As [`super::resize`], and when `gap` is below 1.
pub fn resize_reducing_gap(
    image: &RgbImage,
    size: (u32, u32),
    filter: Filter,
    region: Option<[f64; 4]>,
    gap: f64,
) -> Result<RgbImage, ResizeError> {
    if gap.is_nan() || gap < 1.0 {
        return Err(ResizeError::BadGap(gap));
    }
    check_target(size)?;
    let source = View::rgb(image)?;
    let whole = source.all();
    let [left, top, right, bottom] = region.unwrap_or(whole);
    let (across, down) = (
        (right - left) / f64::from(size.0),
        (bottom - top) / f64::from(size.1),
    );
    // Truncated towards zero, and at least 1; a box that is no number or turned round is refused further down.
    let factors = (((across / gap) as u32).max(1), ((down / gap) as u32).max(1));
    let copies = [left, top, right, bottom] == whole && (image.width, image.height) == size;
    let data = if copies || filter == Filter::Nearest || factors == (1, 1) {
        resize_view(source, size, filter, region)?
    } else {
        super::check_region(&source, [left, top, right, bottom])?;
        let reach = filter.support() - 0.5;
        // What the filter can see of the picture, in whole pixels.
        let safe = [
            (left - reach * across).max(0.0) as u32,
            (top - reach * down).max(0.0) as u32,
            (right + reach * across).ceil().min(whole[2]) as u32,
            (bottom + reach * down).ceil().min(whole[3]) as u32,
        ];
        let (reduced, (width, height)) = reduce_view(source, factors, Some(safe))?;
        let (fx, fy) = (f64::from(factors.0), f64::from(factors.1));
        let within = [
            (left - f64::from(safe[0])) / fx,
            (top - f64::from(safe[1])) / fy,
            (right - f64::from(safe[0])) / fx,
            (bottom - f64::from(safe[1])) / fy,
        ];
        resize_view(View::new(width, height, 3, &reduced)?, size, filter, Some(within))?
    };
    Ok(RgbImage {
        width: size.0,
        height: size.1,
        data,
    })
}

/// The size that a thumbnail gets: within the request, in the aspect ratio of the picture, never enlarged.
///
/// `size` and `request` are (width, height); the request is floored first. Where it is not smaller than the picture in
/// either axis, the answer is `size`.
///
/// # Errors
/// When a side of the request is below 1 or no number, or the picture is empty.
pub fn thumbnail_size(size: (u32, u32), request: (f64, f64)) -> Result<(u32, u32), ResizeError> {
    let (x, y) = (request.0.floor(), request.1.floor());
    if x.is_nan() || y.is_nan() || x < 1.0 || y < 1.0 {
        return Err(ResizeError::EmptyTarget {
            width: request.0,
            height: request.1,
        });
    }
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    if size.0 == 0 || size.1 == 0 {
        return Err(ResizeError::BadPicture {
            width: size.0,
            height: size.1,
        });
    }
    if x >= width && y >= height {
        return Ok(size);
    }
    let aspect = width / height;
    let nearest = |value: f64, miss: &dyn Fn(f64) -> f64| {
        let (floor, ceil) = (value.floor(), value.ceil());
        (if miss(ceil) < miss(floor) { ceil } else { floor }).max(1.0)
    };
    let (x, y) = if x / y >= aspect {
        (nearest(y * aspect, &|n| (aspect - n / y).abs()), y)
    } else {
        let miss = |n: f64| if n == 0.0 { 0.0 } else { (aspect - x / n).abs() };
        (x, nearest(x / aspect, &miss))
    };
    Ok((x as u32, y as u32))
}

/// A thumbnail: [`thumbnail_size`], then [`resize_reducing_gap`] with a gap of 2 (`Image.thumbnail(request, filter)`).
///
/// # Errors
/// As [`thumbnail_size`].
pub fn thumbnail(image: &RgbImage, request: (f64, f64), filter: Filter) -> Result<RgbImage, ResizeError> {
    let size = thumbnail_size((image.width, image.height), request)?;
    if size == (image.width, image.height) {
        return Ok(image.clone());
    }
    resize_reducing_gap(image, size, filter, None, REDUCING_GAP)
}
