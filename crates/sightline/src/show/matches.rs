//! Two pictures side by side, with lines between what they have in common.

use super::{Canvas, Colour, gradient};
use crate::Error;
use sightline_image::encode::{self, EncodeError};
use sightline_image::resize::{Filter, resize};
use sightline_image::{Recipe, RgbImage};
use sightline_local::LocalFeatures;
use sightline_local::spatial::{Verified, by_quality};
use std::path::Path;

/// Both pictures are shown this high at least and at most, in pixels.
const HEIGHTS: [u32; 2] = [540, 900];
/// A picture is shown no wider than this many times its height.
const WIDEST: f64 = 4.0;
/// Pixels between the pictures and around them.
pub(super) const GAP: u32 = 10;
/// Height of the line of text below the pictures.
const CAPTION: u32 = 30;

const GROUND: Colour = [24, 26, 30];
const WORDS: Colour = [235, 238, 242];
const FAINT: Colour = [225, 60, 60];
const SHADOW: Colour = [0, 0, 0];

/// A picture and its name.
#[derive(Clone, Debug)]
pub struct ShownPicture {
    /// What it is called.
    pub name: String,
    /// Its pixels, as the network saw them.
    pub picture: RgbImage,
}

impl ShownPicture {
    /// A picture file as the recipe prepares it, called as its file. Pictures of more than `max_pixels` pixels are refused.
    ///
    /// # Errors
    /// When the file cannot be read or prepared.
    pub fn prepared(path: &Path, recipe: &Recipe, max_pixels: u64) -> Result<Self, Error> {
        let refused = |reason: String| Error::Picture {
            path: path.to_owned(),
            reason,
        };
        let file = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let tensor = recipe
            .prepare(&file, None, max_pixels)
            .map_err(|error| refused(error.to_string()))?;
        let picture = recipe
            .pixels_of(&tensor)
            .ok_or_else(|| refused("its tensor holds no picture.".to_owned()))?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            picture,
        })
    }
}

/// A line between two places: x and y in pixels of either picture, (0, 0) the centre of the first pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchLine {
    /// Place in the first picture.
    pub from: [f64; 2],
    /// Place in the second.
    pub to: [f64; 2],
}

/// Everything that a drawing of matches shows.
#[derive(Clone, Debug)]
pub struct MatchesDrawing {
    /// The two pictures, left and right.
    pub pictures: [ShownPicture; 2],
    /// Matches that agree, best first: the colour says how far in front each is.
    pub inliers: Vec<MatchLine>,
    /// Matches that do not; drawn faintly.
    pub outliers: Vec<MatchLine>,
    /// Sentences on what was matched and how.
    pub notes: Vec<String>,
}

/// Both pictures at the size in which they are shown.
pub(super) struct Layout {
    /// Left, top, width and height of either.
    pub(super) boxes: [[u32; 4]; 2],
    pub(super) pictures: [RgbImage; 2],
    /// Width and height of both with what is around them.
    pub(super) size: [u32; 2],
}

impl Layout {
    pub(super) fn of(drawing: &MatchesDrawing) -> Self {
        let [first, second] = &drawing.pictures;
        let tallest = first.picture.height.max(second.picture.height);
        let height = tallest.clamp(HEIGHTS[0], HEIGHTS[1]);
        let pictures = [first, second].map(|shown| at_height(&shown.picture, height));
        let [left, right] = [&pictures[0], &pictures[1]].map(|picture| [picture.width, picture.height]);
        Self {
            boxes: [
                [GAP, GAP, left[0], left[1]],
                [2 * GAP + left[0], GAP, right[0], right[1]],
            ],
            size: [3 * GAP + left[0] + right[0], 2 * GAP + left[1].max(right[1])],
            pictures,
        }
    }

    /// Where a line's ends lie.
    pub(super) fn ends(&self, drawing: &MatchesDrawing, line: &MatchLine) -> [[f64; 2]; 2] {
        let end = |side: usize, place: [f64; 2]| {
            let picture = &drawing.pictures[side].picture;
            let [left, top, width, height] = self.boxes[side].map(f64::from);
            // Pixels' centres are at whole numbers in both, so that their corners are what scales.
            [
                left + (place[0] + 0.5) * width / f64::from(picture.width.max(1)) - 0.5,
                top + (place[1] + 0.5) * height / f64::from(picture.height.max(1)) - 0.5,
            ]
        };
        [end(0, line.from), end(1, line.to)]
    }
}

/// A picture at that height, or less where it would be too wide; as it is where it cannot be resized.
fn at_height(picture: &RgbImage, height: u32) -> RgbImage {
    let share = f64::from(picture.width) / f64::from(picture.height.max(1));
    let height = f64::from(height).min(f64::from(height) * WIDEST / share.max(f64::MIN_POSITIVE));
    let size = [share * height, height].map(|side| side.round().max(1.0) as u32);
    if size == [picture.width, picture.height] {
        return picture.clone();
    }
    resize(picture, (size[0], size[1]), Filter::Lanczos, None).unwrap_or_else(|_| picture.clone())
}

impl MatchesDrawing {
    /// What verification says of two pictures' features.
    #[must_use]
    pub fn new(pictures: [ShownPicture; 2], features: [&LocalFeatures; 2], verified: &Verified) -> Self {
        let [first, second] = features;
        let mut agrees = vec![false; verified.matches.len()];
        for &index in verified.fit.iter().flat_map(|fit| &fit.inliers) {
            agrees[index as usize] = true;
        }
        let lines = |agreeing: bool| {
            by_quality(&verified.matches)
                .into_iter()
                .filter(|&index| agrees[index as usize] == agreeing)
                .map(|index| {
                    let found = &verified.matches[index as usize];
                    MatchLine {
                        from: first.places[found.first as usize].map(f64::from),
                        to: second.places[found.second as usize].map(f64::from),
                    }
                })
                .collect()
        };
        let agreeing = match verified.score() {
            0 => "no map that they agree on".to_owned(),
            count => format!("{count} agree"),
        };
        Self {
            pictures,
            inliers: lines(true),
            outliers: lines(false),
            notes: vec![format!(
                "{} and {} features, {} matches, {agreeing}.",
                first.len(),
                second.len(),
                verified.matches.len()
            )],
        }
    }

    /// How strongly inlier number `index` is shown: 1 for the best, towards 0 for the last.
    pub(super) fn strength(&self, index: usize) -> f64 {
        1.0 - index as f64 / self.inliers.len().max(1) as f64
    }

    /// The drawing as pixels: the pictures, the lines over them, a line of text below.
    #[must_use]
    pub fn draw(&self) -> RgbImage {
        let layout = Layout::of(self);
        let [width, height] = layout.size;
        let mut canvas = Canvas::new(width, height + CAPTION, GROUND);
        for (picture, [left, top, ..]) in layout.pictures.iter().zip(layout.boxes) {
            canvas.paste(picture, left, top);
        }
        for line in &self.outliers {
            let [from, to] = layout.ends(self, line);
            canvas.line(from, to, 1.0, FAINT, 0.35);
        }
        // Many lines are drawn thinner; the best come last, on top.
        let thickness = if self.inliers.len() > 150 { 1.2 } else { 1.8 };
        for (index, line) in self.inliers.iter().enumerate().rev() {
            let ([from, to], colour) = (layout.ends(self, line), gradient(self.strength(index)));
            canvas.line(from, to, thickness + 1.6, SHADOW, 0.35);
            canvas.line(from, to, thickness, colour, 0.9);
        }
        for (index, line) in self.inliers.iter().enumerate().rev() {
            for end in layout.ends(self, line) {
                canvas.disc(end, 3.6, SHADOW, 0.6);
                canvas.disc(end, 2.6, gradient(self.strength(index)), 1.0);
            }
        }
        self.caption(&mut canvas, &layout);
        canvas.picture().clone()
    }

    /// The text as large as it fits, cut where it does not.
    fn caption(&self, canvas: &mut Canvas, layout: &Layout) {
        let [width, height] = layout.size;
        let room = width.saturating_sub(2 * GAP);
        let [first, second] = &self.pictures;
        let text = format!("{} | {} | {}", first.name, second.name, self.notes.join(" "));
        let size = if Canvas::text_width(&text, 2) <= room {
            2
        } else {
            1
        };
        let letters = (0..=text.chars().count())
            .rev()
            .find(|&count| Canvas::text_width(&text.chars().take(count).collect::<String>(), size) <= room);
        let text: String = text.chars().take(letters.unwrap_or(0)).collect();
        canvas.text(&text, GAP, height + (CAPTION - GAP - 7 * size) / 2, size, WORDS);
    }

    /// [`Self::draw`] as a PNG file.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, EncodeError> {
        encode::png(&self.draw())
    }

    /// The drawing as a self-contained HTML page: lines over both pictures, which can be shown without them.
    ///
    /// # Errors
    /// When a picture cannot be written as JPEG.
    pub fn to_html(&self) -> Result<String, EncodeError> {
        super::match_page::html(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn drawing() -> MatchesDrawing {
        let gray = |name: &str, width, height| ShownPicture {
            name: name.into(),
            picture: Canvas::new(width, height, [128; 3]).picture().clone(),
        };
        let line = |x: f64, y: f64| MatchLine {
            from: [x, y],
            to: [2.0 * x, 2.0 * y],
        };
        MatchesDrawing {
            pictures: [gray("<a>.jpg", 400, 400), gray("b.jpg", 800, 800)],
            inliers: vec![line(100.0, 100.0), line(300.0, 250.0)],
            outliers: vec![line(50.0, 350.0)],
            notes: vec!["3 matches.".into()],
        }
    }

    #[test]
    fn ends_lie_on_what_they_mark_at_any_size() {
        let drawing = drawing();
        let layout = Layout::of(&drawing);
        // Both are shown 800 pixels high; the small one grows.
        assert_eq!(layout.boxes, [[10, 10, 800, 800], [820, 10, 800, 800]]);
        let [from, to] = layout.ends(&drawing, &drawing.inliers[0]);
        assert_eq!((from, to), ([210.5, 210.5], [1020.0, 210.0]));
        let drawn = drawing.draw();
        assert_eq!((drawn.width, drawn.height), (1630, 850));
        assert_eq!(drawn.pixel(1020, 210), Some(gradient(1.0)));
        assert_eq!(drawn.pixel(1420, 510), Some(gradient(0.5)));
        assert_eq!(drawn.pixel(100, 100), Some([128; 3]));
        let decoded = sightline_image::decode::decode(
            &drawing.to_png().unwrap(),
            &sightline_image::decode::DecodeOptions::default(),
        );
        assert_eq!(decoded.unwrap(), drawn);
    }

    #[test]
    fn strange_sizes_are_survived() {
        for (width, height) in [(1, 1), (3000, 2), (2, 3000)] {
            let mut drawing = drawing();
            drawing.pictures[0].picture = Canvas::new(width, height, [1; 3]).picture().clone();
            drawing.inliers.push(MatchLine {
                from: [f64::NAN, 1e300],
                to: [-1e9, 5.0],
            });
            let drawn = drawing.draw();
            assert!(drawn.width < 5000 && drawn.height < 1000);
        }
    }

    #[test]
    fn the_page_holds_everything_and_fetches_nothing() {
        let page = drawing().to_html().unwrap();
        assert!(page.contains("&lt;a&gt;.jpg") && !page.contains("<a>.jpg"));
        assert_eq!(page.matches("data:image/jpeg;base64,").count(), 2);
        assert_eq!(page.matches("<line ").count(), 2 * 2 + 1);
        assert!(page.contains("3 matches.") && !page.contains("http"));
    }
}
