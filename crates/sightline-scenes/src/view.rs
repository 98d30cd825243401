//! One picture of a facade: where the camera stands, the light, what stands in the way.

use crate::dice::{Dice, hash, smooth_noise};
use crate::facade::{Colour, Facade, colour, scale};
use sightline_image::RgbImage;

/// Viewpoint, light and clutter of one picture, fixed by a seed and a difficulty.
#[derive(Clone, Debug)]
pub struct View {
    /// From picture coordinates (both axes `0..1`) to homogeneous wall coordinates, row-major.
    homography: [f32; 9],
    light: Colour,
    gamma: f32,
    shadow: [f32; 2],
    sky: Colour,
    ground: Colour,
    /// Trees in front: centre x, centre y, radius.
    trees: Vec<[f32; 3]>,
    salt: u32,
}

impl View {
    /// A view; `difficulty` from 0 (frontal, clear) to 1 (steep, dark, half hidden).
    pub fn from_seed(seed: u64, difficulty: f32) -> Self {
        let dice = Dice::new("view", seed);
        let zoom = dice.range("zoom", 1.0 - 0.35 * difficulty, 1.0 + 0.35 * difficulty) * 0.40;
        let [centre_x, centre_y] = dice.several("centre", 0.5 - 0.12 * difficulty, 0.5 + 0.12 * difficulty);
        let jitter: [f32; 8] = dice.several("corners", -0.16 * difficulty, 0.16 * difficulty);
        let turn = dice.range("turn", -0.2 * difficulty, 0.2 * difficulty);
        let corners: [[f32; 2]; 4] = std::array::from_fn(|corner| {
            let [x, y] =
                [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]][corner].map(|side: f32| side * zoom);
            [
                centre_x + x * turn.cos() - y * turn.sin() + jitter[2 * corner],
                centre_y + x * turn.sin() + y * turn.cos() + jitter[2 * corner + 1],
            ]
        });
        let dim = dice.range("dim", 0.0, 0.4 * difficulty);
        let cast: [f32; 3] = dice.several("cast", 1.0 - 0.2 * difficulty, 1.0 + 0.1 * difficulty);
        let trees = (0..(dice.range("trees", 0.0, 4.0 * difficulty) as usize))
            .map(|tree| {
                let [x, y, r] = dice.several(&format!("tree {tree}"), 0.0, 1.0);
                [x, 0.55 + 0.5 * y, 0.06 + 0.12 * r]
            })
            .collect();
        Self {
            homography: picture_to_wall(&corners),
            light: cast.map(|value| value * (1.0 - dim)),
            gamma: dice.range("gamma", 1.0 - 0.3 * difficulty, 1.0 + 0.4 * difficulty),
            shadow: [dice.range("shadow", -0.5, 1.5), 0.45 * difficulty],
            sky: colour(
                dice.range("sky", 0.5, 0.68),
                dice.range("clear", 0.05, 0.5),
                dice.range("bright", 0.6, 1.0),
            ),
            ground: colour(
                dice.range("ground", 0.05, 0.15),
                0.12,
                dice.range("asphalt", 0.25, 0.55),
            ),
            trees,
            salt: (dice.range("salt", 0.0, 1.0) * 1e6) as u32,
        }
    }

    /// Draws the facade as seen from here, with 2 x 2 samples a pixel.
    pub fn draw(&self, facade: &Facade, width: u32, height: u32) -> RgbImage {
        let mut data = Vec::with_capacity(3 * width as usize * height as usize);
        for y in 0..height {
            for x in 0..width {
                let mut sum = [0.0_f32; 3];
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let sample = self.colour_at(
                        facade,
                        (x as f32 + dx) / width as f32,
                        (y as f32 + dy) / height as f32,
                    );
                    sum = std::array::from_fn(|channel| sum[channel] + 0.25 * sample[channel]);
                }
                let grain = 0.03 * (hash(x as i32, y as i32, self.salt) - 0.5);
                data.extend(sum.map(|value| {
                    let lit = (value.clamp(0.0, 1.0)).powf(self.gamma) + grain;
                    (lit.clamp(0.0, 1.0) * 255.0).round() as u8
                }));
            }
        }
        RgbImage { width, height, data }
    }

    fn colour_at(&self, facade: &Facade, x: f32, y: f32) -> Colour {
        for &[tree_x, tree_y, radius] in &self.trees {
            let (dx, dy) = ((x - tree_x) / radius, (y - tree_y) / radius);
            let ragged = 0.75 + 0.5 * smooth_noise(x * 25.0, y * 25.0, self.salt);
            if dx * dx + dy * dy < ragged * ragged {
                return self.lit(
                    [
                        0.12,
                        0.3 + 0.25 * smooth_noise(x * 60.0, y * 60.0, self.salt),
                        0.1,
                    ],
                    x,
                );
            }
            if dx.abs() < 0.12 && dy > 0.0 {
                return self.lit([0.25, 0.17, 0.1], x);
            }
        }
        let h = &self.homography;
        let depth = h[6] * x + h[7] * y + h[8];
        let (u, v) = (
            (h[0] * x + h[1] * y + h[2]) / depth,
            (h[3] * x + h[4] * y + h[5]) / depth,
        );
        let colour = if depth > 0.0 && (0.0..1.0).contains(&u) && (0.0..1.0).contains(&v) {
            facade.colour_at(u, v)
        } else if v >= 1.0 || y > 0.9 {
            scale(
                self.ground,
                0.85 + 0.3 * smooth_noise(x * 30.0, y * 60.0, self.salt),
            )
        } else {
            let cloud = smooth_noise(x * 3.0, y * 5.0, self.salt);
            self.sky.map(|value| value * (0.8 + 0.2 * y) + 0.15 * cloud)
        };
        self.lit(colour, x)
    }

    fn lit(&self, colour: Colour, x: f32) -> Colour {
        let [edge, strength] = self.shadow;
        let shade = if x < edge { 1.0 } else { 1.0 - strength };
        std::array::from_fn(|channel| colour[channel] * self.light[channel] * shade)
    }
}

/// The homography that takes the four corners (upper left, upper right, lower right, lower left) to the unit square
/// (Heckbert 1989, section 2.2.3: square to quadrilateral, inverted by its adjoint).
fn picture_to_wall(corners: &[[f32; 2]; 4]) -> [f32; 9] {
    let [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = *corners;
    let (dx1, dx2, sx) = (x1 - x2, x3 - x2, x0 - x1 + x2 - x3);
    let (dy1, dy2, sy) = (y1 - y2, y3 - y2, y0 - y1 + y2 - y3);
    let det = dx1 * dy2 - dx2 * dy1;
    let (g, h) = ((sx * dy2 - dx2 * sy) / det, (dx1 * sy - sx * dy1) / det);
    let (a, b, c) = (x1 - x0 + g * x1, x3 - x0 + h * x3, x0);
    let (d, e, f) = (y1 - y0 + g * y1, y3 - y0 + h * y3, y0);
    [
        e - f * h,
        c * h - b,
        b * f - c * e,
        f * g - d,
        a - c * g,
        c * d - a * f,
        d * h - e * g,
        b * g - a * h,
        a * e - b * d,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_meet_the_unit_square() {
        let corners = [[0.1, 0.2], [0.8, 0.1], [0.9, 0.95], [0.15, 0.8]];
        let h = picture_to_wall(&corners);
        for ([x, y], [u, v]) in corners
            .into_iter()
            .zip([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0_f32]])
        {
            let depth = h[6] * x + h[7] * y + h[8];
            assert!(depth > 0.0);
            assert!(((h[0] * x + h[1] * y + h[2]) / depth - u).abs() < 1e-5);
            assert!(((h[3] * x + h[4] * y + h[5]) / depth - v).abs() < 1e-5);
        }
    }
}
