//! One made-up building front: a function from a position on the wall to a colour.

use crate::dice::{Dice, hash, smooth_noise};

/// Red, green, blue in `0.0..=1.0`.
pub(crate) type Colour = [f32; 3];

/// A building front, fixed by its seed.
#[derive(Clone, Debug)]
pub struct Facade {
    salt: u32,
    wall: Colour,
    accent: Colour,
    glass: Colour,
    frame: Colour,
    texture: Texture,
    texture_scale: f32,
    columns: usize,
    rows: usize,
    window: [f32; 2],
    shape: WindowShape,
    bars: [u8; 2],
    band: f32,
    door: [f32; 2],
    sign: [f32; 3],
    mural: Option<[f32; 3]>,
}

#[derive(Clone, Copy, Debug)]
enum Texture {
    Brick,
    Planks,
    Stripes,
    Plaster,
    Tiles,
}

#[derive(Clone, Copy, Debug)]
enum WindowShape {
    Rectangle,
    Arch,
    Round,
    Diamond,
}

impl Facade {
    /// The building front of that seed.
    pub fn from_seed(seed: u64) -> Self {
        let dice = Dice::new("facade", seed);
        let hue = dice.range("hue", 0.0, 1.0);
        Self {
            salt: (dice.range("salt", 0.0, 1.0) * 1e6) as u32,
            wall: colour(
                hue,
                dice.range("saturation", 0.1, 0.6),
                dice.range("value", 0.45, 0.95),
            ),
            accent: colour(
                dice.range("accent", 0.0, 1.0),
                0.75,
                dice.range("accent value", 0.35, 0.9),
            ),
            glass: colour(
                dice.range("glass", 0.5, 0.7),
                0.35,
                dice.range("glass value", 0.12, 0.5),
            ),
            frame: colour(hue + 0.5, 0.15, dice.range("frame value", 0.1, 1.0)),
            texture: [
                Texture::Brick,
                Texture::Planks,
                Texture::Stripes,
                Texture::Plaster,
                Texture::Tiles,
            ][dice.pick("texture", 5)],
            texture_scale: dice.range("texture scale", 14.0, 40.0),
            columns: 2 + dice.pick("columns", 6),
            rows: 2 + dice.pick("rows", 4),
            window: [
                dice.range("window width", 0.35, 0.75),
                dice.range("window height", 0.4, 0.8),
            ],
            shape: [
                WindowShape::Rectangle,
                WindowShape::Arch,
                WindowShape::Round,
                WindowShape::Diamond,
            ][dice.pick("shape", 4)],
            bars: [dice.pick("bars across", 3) as u8, dice.pick("bars down", 4) as u8],
            band: dice.range("band", 0.0, 0.16),
            door: [
                dice.range("door", 0.12, 0.88),
                dice.range("door width", 0.05, 0.12),
            ],
            sign: dice.several("sign", 0.0, 1.0),
            mural: (dice.pick("has mural", 3) == 0).then(|| dice.several("mural", 0.0, 1.0)),
        }
    }

    /// The colour at `(u, v)`, both in `0.0..=1.0` from the upper left corner; `width` is the front's width over its
    /// height, so that round things stay round.
    pub(crate) fn colour_at(&self, u: f32, v: f32) -> Colour {
        let ground_floor = 0.78;
        if v > ground_floor {
            return self.ground_floor(u, (v - ground_floor) / (1.0 - ground_floor));
        }
        if let Some(colour) = self.mural_at(u, v) {
            return colour;
        }
        let (x, y) = (u * self.columns as f32, v / ground_floor * self.rows as f32);
        let (column, row) = (x.floor() as i32, y.floor() as i32);
        let (fx, fy) = (x.fract() - 0.5, y.fract() - 0.5);
        if 0.5 - fy < self.band {
            return scale(self.accent, 0.9 + 0.2 * hash((u * 60.0) as i32, row, self.salt));
        }
        self.window_at(fx / self.window[0], fy / self.window[1], column, row)
            .unwrap_or_else(|| self.wall_at(u, v))
    }

    fn wall_at(&self, u: f32, v: f32) -> Colour {
        let s = self.texture_scale;
        let shade = match self.texture {
            Texture::Brick => {
                let row = (v * s * 1.6).floor();
                let x = u * s * 0.8 + 0.5 * (row % 2.0);
                let joint = x.fract() < 0.08 || (v * s * 1.6).fract() < 0.14;
                if joint {
                    0.62
                } else {
                    0.85 + 0.3 * hash(x as i32, row as i32, self.salt)
                }
            }
            Texture::Planks => {
                let y = v * s;
                if y.fract() < 0.12 {
                    0.6
                } else {
                    0.85 + 0.25 * smooth_noise(u * 6.0, y.floor() * 3.0, self.salt)
                }
            }
            Texture::Stripes => {
                let x = u * s * 0.5;
                if x.fract() < 0.45 { 0.8 } else { 1.1 }
            }
            Texture::Plaster => 0.8 + 0.35 * smooth_noise(u * s * 0.6, v * s * 0.6, self.salt),
            Texture::Tiles => {
                let (x, y) = (u * s * 0.6, v * s * 0.6);
                let joint = x.fract() < 0.07 || y.fract() < 0.07;
                if joint {
                    0.55
                } else if (x as i32 + y as i32) % 2 == 0 {
                    0.85
                } else {
                    1.1
                }
            }
        };
        scale(self.wall, shade)
    }

    /// `x`, `y` in `-0.5..=0.5` inside the window's box.
    fn window_at(&self, x: f32, y: f32, column: i32, row: i32) -> Option<Colour> {
        let distance = match self.shape {
            WindowShape::Rectangle => x.abs().max(y.abs()),
            WindowShape::Arch if y < 0.0 => (x * x + y * y).sqrt(),
            WindowShape::Arch => x.abs().max(y),
            WindowShape::Round => (x * x + y * y).sqrt(),
            WindowShape::Diamond => 0.75 * (x.abs() + y.abs()),
        };
        if distance > 0.5 {
            return None;
        }
        let on_bar = |position: f32, bars: u8| {
            (1..=bars).any(|bar| (position + 0.5 - f32::from(bar) / f32::from(bars + 1)).abs() < 0.03)
        };
        if distance > 0.42 || on_bar(x, self.bars[0]) || on_bar(y, self.bars[1]) {
            return Some(self.frame);
        }
        // Some windows have blinds, some are lit: the pattern belongs to the building.
        let kind = hash(column, row, self.salt);
        Some(if kind < 0.15 {
            [0.95, 0.85, 0.5]
        } else if kind < 0.35 && y < kind * 4.0 - 1.0 + 0.5 {
            self.accent
        } else {
            scale(self.glass, 0.9 - 0.6 * y + 0.3 * x)
        })
    }

    fn ground_floor(&self, u: f32, v: f32) -> Colour {
        let [sign_left, sign_width, sign_hue] = self.sign;
        let (left, width) = (0.05 + 0.4 * sign_left, 0.25 + 0.25 * sign_width);
        if (0.08..0.38).contains(&v) && (left..left + width).contains(&u) {
            // Letters that nobody can read: a block pattern of the building's own.
            let (x, y) = ((u - left) / width * 24.0, (v - 0.08) / 0.3 * 5.0);
            let letter = (1.0..23.0).contains(&x) && (0.6..4.4).contains(&y) && x as i32 % 4 != 0;
            let ink = letter && hash(x as i32, y as i32, self.salt ^ 77) > 0.4;
            return if ink {
                [0.97, 0.97, 0.9]
            } else {
                colour(sign_hue, 0.9, 0.45)
            };
        }
        let [door, half] = self.door;
        if (u - door).abs() < half && v > 0.2 {
            let edge = (u - door).abs() > half * 0.85 || v < 0.27;
            let panel = ((u - door) / half * 2.0).fract().abs() < 0.15 || (v * 3.0).fract() < 0.12;
            return scale(
                self.accent,
                if edge {
                    1.3
                } else if panel {
                    0.5
                } else {
                    0.8
                },
            );
        }
        if v > 0.45 && v < 0.9 && ((u * 7.0).fract() - 0.5).abs() < 0.36 {
            return scale(
                self.glass,
                1.4 - v + 0.3 * smooth_noise(u * 20.0, v * 4.0, self.salt),
            );
        }
        scale(
            self.wall,
            0.7 + 0.1 * hash((u * 30.0) as i32, (v * 6.0) as i32, self.salt),
        )
    }

    fn mural_at(&self, u: f32, v: f32) -> Option<Colour> {
        let [left, top, hue] = self.mural?;
        let (x, y) = ((u - 0.1 - 0.4 * left) / 0.34, (v - 0.08 - 0.25 * top) / 0.3);
        if !(0.0..1.0).contains(&x) || !(0.0..1.0).contains(&y) {
            return None;
        }
        let level = smooth_noise(x * 5.0, y * 5.0, self.salt ^ 5)
            + 0.5 * smooth_noise(x * 11.0, y * 11.0, self.salt ^ 6);
        Some(colour(
            hue + 0.35 * (level * 4.0).floor(),
            0.85,
            0.35 + 0.15 * (level * 6.0).floor() % 0.6,
        ))
    }
}

/// Hue (turns), saturation and value to red, green and blue.
pub(crate) fn colour(hue: f32, saturation: f32, value: f32) -> Colour {
    std::array::from_fn(|channel| {
        let phase = (hue + [0.0, 2.0 / 3.0, 1.0 / 3.0][channel]).rem_euclid(1.0) * 6.0;
        let full = ((phase - 3.0).abs() - 1.0).clamp(0.0, 1.0);
        value * (1.0 - saturation + saturation * full)
    })
}

pub(crate) fn scale(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}
