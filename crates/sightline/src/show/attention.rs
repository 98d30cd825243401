//! Where a network looks: maps over a picture, drawn as light.

use super::{Canvas, Colour, ShownPicture, gradient};
use crate::report::escape;
use base64::Engine as _;
use sightline_image::RgbImage;
use sightline_image::encode::{self, EncodeError};
use std::fmt::Write as _;

const GAP: u32 = 10;
const CAPTION: u32 = 26;
const GROUND: Colour = [24, 26, 30];
const WORDS: Colour = [235, 238, 242];
/// How much of the picture's own brightness is kept where nothing is looked at.
const DARK: f64 = 0.25;

/// How strongly each place of a picture is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionMap {
    /// What looks, such as `token 1`.
    pub name: String,
    /// Rows and columns of the map.
    pub size: [usize; 2],
    /// A value for each place, row by row; larger is stronger. Only their order and ratio count.
    pub values: Vec<f32>,
    /// The place that looks, in pixels of the prepared picture, where one was asked for.
    pub from: Option<[f64; 2]>,
}

/// A picture and the maps over it.
#[derive(Clone, Debug)]
pub struct AttentionDrawing {
    /// The picture as the network saw it.
    pub picture: ShownPicture,
    /// The maps.
    pub maps: Vec<AttentionMap>,
}

impl AttentionMap {
    /// The value at a pixel, between the cells around it, from 0 (least) to 1 (most); 0 everywhere for a flat map.
    fn at(&self, x: f64, y: f64, [low, high]: [f32; 2]) -> f64 {
        let [rows, columns] = self.size;
        let cell = |row: usize, column: usize| {
            let value = self.values.get(row * columns + column).copied().unwrap_or(low);
            let range = f64::from(high - low);
            if range > 0.0 && value.is_finite() {
                (f64::from(value - low) / range).clamp(0.0, 1.0)
            } else {
                0.0
            }
        };
        let (x, y) = (
            x.clamp(0.0, columns.saturating_sub(1) as f64),
            y.clamp(0.0, rows.saturating_sub(1) as f64),
        );
        let (column, row) = (x as usize, y as usize);
        let (right, below) = (
            (column + 1).min(columns.saturating_sub(1)),
            (row + 1).min(rows.saturating_sub(1)),
        );
        let (across, down) = (x - column as f64, y - row as f64);
        let upper = (1.0 - across) * cell(row, column) + across * cell(row, right);
        let lower = (1.0 - across) * cell(below, column) + across * cell(below, right);
        (1.0 - down) * upper + down * lower
    }

    /// Values from which on places are dark and bright: all but the weakest and the strongest fiftieth lie between, so that a
    /// single place does not darken the others.
    fn range(&self) -> [f32; 2] {
        let mut finite: Vec<f32> = self
            .values
            .iter()
            .copied()
            .filter(|value| value.is_finite())
            .collect();
        finite.sort_by(f32::total_cmp);
        let last = finite.len().saturating_sub(1) as f64;
        [0.02, 0.98].map(|share| {
            finite
                .get((share * last).round() as usize)
                .copied()
                .unwrap_or(0.0)
        })
    }

    /// The picture, bright and tinted where the map is strong.
    fn over(&self, picture: &RgbImage) -> RgbImage {
        let mut drawn = picture.clone();
        let (width, height) = (f64::from(picture.width.max(1)), f64::from(picture.height.max(1)));
        let (rows, columns) = (self.size[0] as f64, self.size[1] as f64);
        let range = self.range();
        let stride = 3 * (picture.width as usize).max(1);
        for (y, row) in drawn.data.chunks_exact_mut(stride).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                // Cells share the picture out evenly.
                let share = self.at(
                    (x as f64 + 0.5) * columns / width - 0.5,
                    (y as f64 + 0.5) * rows / height - 0.5,
                    range,
                );
                let tint = gradient(share);
                for (value, tint) in pixel.iter_mut().zip(tint) {
                    let bright = f64::from(*value) * (DARK + (1.0 - DARK) * share);
                    *value = (bright + 0.45 * share * (f64::from(tint) - bright))
                        .round()
                        .clamp(0.0, 255.0) as u8;
                }
            }
        }
        let Some(from) = self.from else {
            return drawn;
        };
        let mut canvas = Canvas::new(picture.width, picture.height, GROUND);
        canvas.paste(&drawn, 0, 0);
        canvas.disc(from, 7.0, [0; 3], 1.0);
        canvas.disc(from, 5.0, [255; 3], 1.0);
        canvas.picture().clone()
    }
}

impl AttentionDrawing {
    /// The picture and each map over it, with their names.
    fn panels(&self) -> Vec<(String, RgbImage)> {
        let plain = (self.picture.name.clone(), self.picture.picture.clone());
        let maps = self
            .maps
            .iter()
            .map(|map| (map.name.clone(), map.over(&self.picture.picture)));
        std::iter::once(plain).chain(maps).collect()
    }

    /// All of them in rows of three, names below.
    #[must_use]
    pub fn draw(&self) -> RgbImage {
        let panels = self.panels();
        let columns = panels.len().min(3) as u32;
        let rows = panels.len().div_ceil(3) as u32;
        let (width, height) = (self.picture.picture.width, self.picture.picture.height + CAPTION);
        let mut canvas = Canvas::new(GAP + columns * (width + GAP), GAP + rows * (height + GAP), GROUND);
        for (place, (name, panel)) in (0_u32..).zip(&panels) {
            let left = GAP + place % 3 * (width + GAP);
            let top = GAP + place / 3 * (height + GAP);
            canvas.paste(panel, left, top);
            canvas.text(name, left, top + height - CAPTION + 8, 2, WORDS);
        }
        canvas.picture().clone()
    }

    /// [`Self::draw`] as a PNG file.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, EncodeError> {
        encode::png(&self.draw())
    }

    /// The same as a self-contained HTML page.
    ///
    /// # Errors
    /// When a picture cannot be written as JPEG.
    pub fn to_html(&self) -> Result<String, EncodeError> {
        let title = escape(&self.picture.name);
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n\
             body {{ background: #181a1e; color: #ebeef2; font: 16px/1.5 system-ui, sans-serif; margin: 1rem; }}\n\
             main {{ display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }}\n\
             figure {{ margin: 0; }} img {{ height: auto; width: 100%; }}\n</style>\n</head>\n<body>\n<h1>{title}</h1>\n<main>\n"
        );
        for (name, panel) in self.panels() {
            let jpeg = base64::engine::general_purpose::STANDARD.encode(encode::jpeg(&panel, 88)?);
            let name = escape(&name);
            let _ = writeln!(
                page,
                "<figure><img alt=\"{name}\" src=\"data:image/jpeg;base64,{jpeg}\"><figcaption>{name}</figcaption></figure>"
            );
        }
        page.push_str("</main>\n</body>\n</html>\n");
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn drawing(values: Vec<f32>) -> AttentionDrawing {
        AttentionDrawing {
            picture: ShownPicture {
                name: "<a>.jpg".into(),
                picture: Canvas::new(40, 20, [200; 3]).picture().clone(),
            },
            maps: vec![AttentionMap {
                name: "strength".into(),
                size: [1, 2],
                values,
                from: None,
            }],
        }
    }

    #[test]
    fn what_is_looked_at_is_bright() {
        let map = &drawing(vec![0.0, 5.0]).maps[0];
        let shown = map.over(&Canvas::new(40, 20, [200; 3]).picture().clone());
        let light = |x| shown.pixel(x, 10).unwrap().map(u32::from).iter().sum::<u32>();
        assert_eq!(shown.pixel(0, 10), Some([50; 3]));
        assert!(light(39) > light(20) && light(20) > light(5));
    }

    #[test]
    fn flat_and_broken_maps_are_survived() {
        for values in [vec![1.0, 1.0], vec![f32::NAN, f32::INFINITY], vec![]] {
            assert_eq!(drawing(values).draw().width, 10 + 2 * 50);
        }
        let page = drawing(vec![0.0, 1.0]).to_html().unwrap();
        assert!(page.contains("&lt;a&gt;.jpg") && page.matches("<img").count() == 2);
    }
}
