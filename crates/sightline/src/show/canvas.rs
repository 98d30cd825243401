//! Lines, discs, frames and words on a picture.

use super::font;
use sightline_image::RgbImage;

/// Red, green and blue.
pub type Colour = [u8; 3];

/// A picture to draw on. Places are in pixels, x to the right and y down, (0, 0) the centre of the first pixel; what lies
/// outside is left out.
#[derive(Clone, Debug)]
pub struct Canvas {
    picture: RgbImage,
}

impl Canvas {
    /// A canvas of one colour.
    #[must_use]
    pub fn new(width: u32, height: u32, ground: Colour) -> Self {
        let pixels = width as usize * height as usize;
        Self {
            picture: RgbImage {
                width,
                height,
                data: ground.repeat(pixels),
            },
        }
    }

    /// What was drawn.
    #[must_use]
    pub fn picture(&self) -> &RgbImage {
        &self.picture
    }

    /// Copies a picture, its upper left corner to (`left`, `top`).
    pub fn paste(&mut self, other: &RgbImage, left: u32, top: u32) {
        let own = self.picture.width as usize;
        let (left, top) = (left as usize, top as usize);
        let columns = (other.width as usize).min(own.saturating_sub(left));
        let rows = other.data.chunks_exact(3 * (other.width as usize).max(1));
        for (row, values) in rows.enumerate() {
            let start = 3 * ((top + row) * own + left);
            if let Some(target) = self.picture.data.get_mut(start..start + 3 * columns) {
                target.copy_from_slice(&values[..3 * columns]);
            }
        }
    }

    /// Mixes a colour into a pixel.
    fn mix(&mut self, x: usize, y: usize, colour: Colour, share: f64) {
        let start = 3 * (y * self.picture.width as usize + x);
        if let Some(pixel) = self.picture.data.get_mut(start..start + 3) {
            for (value, new) in pixel.iter_mut().zip(colour) {
                let old = f64::from(*value);
                *value = (old + share * (f64::from(new) - old)).round() as u8;
            }
        }
    }

    /// Whole pixels from `low` to `high` that lie on an axis of `length` pixels.
    fn span(low: f64, high: f64, length: u32) -> std::ops::Range<usize> {
        let end = f64::from(length);
        // Also empty for NaN.
        if low <= high {
            low.floor().clamp(0.0, end) as usize..(high.ceil() + 1.0).clamp(0.0, end) as usize
        } else {
            0..0
        }
    }

    /// A straight line with round ends and smooth edges.
    pub fn line(&mut self, from: [f64; 2], to: [f64; 2], width: f64, colour: Colour, opacity: f64) {
        let along = [to[0] - from[0], to[1] - from[1]];
        let length = along[0] * along[0] + along[1] * along[1];
        // Pixels further from the line than this are not touched.
        let reach = width / 2.0 + 0.5;
        let rows = Self::span(
            from[1].min(to[1]) - reach,
            from[1].max(to[1]) + reach,
            self.picture.height,
        );
        for y in rows {
            // The part of the line that may touch this row, as shares of its length.
            let share = |height: f64| ((height - from[1]) / along[1]).clamp(0.0, 1.0);
            let [first, last] = if along[1].abs() > 1e-9 {
                [share(y as f64 - reach), share(y as f64 + reach)]
            } else {
                [0.0, 1.0]
            };
            let [a, b] = [first, last].map(|share| from[0] + share * along[0]);
            for x in Self::span(a.min(b) - reach, a.max(b) + reach, self.picture.width) {
                let (dx, dy) = (x as f64 - from[0], y as f64 - from[1]);
                let nearest = if length > 0.0 {
                    ((dx * along[0] + dy * along[1]) / length).clamp(0.0, 1.0)
                } else {
                    0.0
                };
                let distance = (dx - nearest * along[0]).hypot(dy - nearest * along[1]);
                let cover = (reach - distance).clamp(0.0, 1.0);
                if cover > 0.0 {
                    self.mix(x, y, colour, cover * opacity);
                }
            }
        }
    }

    /// A filled disc.
    pub fn disc(&mut self, centre: [f64; 2], radius: f64, colour: Colour, opacity: f64) {
        self.line(centre, centre, 2.0 * radius, colour, opacity);
    }

    /// A filled rectangle.
    pub fn block(&mut self, left: u32, top: u32, width: u32, height: u32, colour: Colour) {
        let (right, bottom) = (left.saturating_add(width), top.saturating_add(height));
        for y in top..bottom.min(self.picture.height) {
            for x in left..right.min(self.picture.width) {
                self.mix(x as usize, y as usize, colour, 1.0);
            }
        }
    }

    /// The edge of a rectangle, `thickness` pixels inwards.
    pub fn frame(&mut self, [left, top, width, height]: [u32; 4], thickness: u32, colour: Colour) {
        let (across, down) = (thickness.min(width), thickness.min(height));
        self.block(left, top, width, down, colour);
        self.block(left, top + height - down, width, down, colour);
        self.block(left, top, across, height, colour);
        self.block(left + width - across, top, across, height, colour);
    }

    /// Words in letters of `7 * size` pixels, their upper left corner at (`left`, `top`). Characters beyond ASCII are shown as `?`.
    pub fn text(&mut self, text: &str, left: u32, top: u32, size: u32, colour: Colour) {
        for (place, character) in (0_u32..).zip(text.chars()) {
            for (column, bits) in (0_u32..).zip(font::columns(character)) {
                for row in (0..font::ROWS).filter(|row| bits >> row & 1 == 1) {
                    let x = left + (place * font::ADVANCE + column) * size;
                    self.block(x, top + row * size, size, size, colour);
                }
            }
        }
    }

    /// How many pixels wide [`Self::text`] draws a text.
    #[must_use]
    pub fn text_width(text: &str, size: u32) -> u32 {
        (text.chars().count() as u32 * font::ADVANCE * size).saturating_sub(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = [0; 3];
    const WHITE: Colour = [255; 3];

    fn brightness(canvas: &Canvas) -> f64 {
        canvas
            .picture
            .data
            .iter()
            .map(|&value| f64::from(value))
            .sum::<f64>()
            / (3.0 * 255.0)
    }

    #[test]
    fn a_line_covers_its_length_times_its_width() {
        for to in [[90.0, 20.0], [20.0, 90.0], [80.0, 75.0], [85.0, 33.3]] {
            let mut canvas = Canvas::new(100, 100, BLACK);
            canvas.line([20.0, 20.0], to, 3.0, WHITE, 1.0);
            let (dx, dy): (f64, f64) = (to[0] - 20.0, to[1] - 20.0);
            let want = 3.0 * dx.hypot(dy) + std::f64::consts::PI * 1.5 * 1.5;
            assert!((brightness(&canvas) / want - 1.0).abs() < 0.02, "{to:?}");
            let middle = canvas
                .picture
                .pixel((20.0 + dx / 2.0) as u32, (20.0 + dy / 2.0) as u32);
            assert_eq!(middle, Some(WHITE));
        }
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut canvas = Canvas::new(10, 8, BLACK);
        canvas.line([-1e9, -5.0], [1e9, -5.0], 2.0, WHITE, 1.0);
        canvas.line([f64::NAN, 2.0], [5.0, f64::NAN], 2.0, WHITE, 1.0);
        canvas.disc([500.0, 500.0], 20.0, WHITE, 1.0);
        canvas.text("outside", 200, 300, 2, WHITE);
        assert_eq!(brightness(&canvas), 0.0);
        canvas.line([-1e6, 4.0], [1e6, 4.0], 1.0, WHITE, 1.0);
        assert_eq!(canvas.picture.pixel(0, 4), Some(WHITE));
        canvas.paste(
            &RgbImage {
                width: 4,
                height: 4,
                data: vec![9; 48],
            },
            8,
            6,
        );
        assert_eq!(canvas.picture.pixel(9, 7), Some([9; 3]));
        canvas.frame([0, 0, 10, 8], 1, [7; 3]);
        assert_eq!(
            (canvas.picture.pixel(9, 7), canvas.picture.pixel(8, 6)),
            (Some([7; 3]), Some([9; 3]))
        );
    }

    #[test]
    fn words_have_the_width_that_is_said() {
        let mut canvas = Canvas::new(60, 20, BLACK);
        canvas.text("HI", 2, 3, 2, WHITE);
        assert_eq!(Canvas::text_width("HI", 2), 22);
        let lit = |x: u32| (0..20).any(|y| canvas.picture.pixel(x, y) == Some(WHITE));
        assert!(lit(2) && !lit(1) && !lit(2 + 22));
    }
}
