//! Queries and their answers as strips of pictures, as the papers print them: the query left, its answers in their
//! order, each marked by what the ground truth says of it.

use super::{Canvas, Colour};
use crate::report::{Answer, QuerySection, Verdict};
use sightline_image::RgbImage;
use sightline_image::decode::{DecodeOptions, decode};
use sightline_image::encode::{self, EncodeError};
use sightline_image::resize::{Filter, thumbnail};

/// A picture is shown in a square of this side, in pixels.
const SIDE: u32 = 192;
/// Pixels between squares.
const GAP: u32 = 10;
/// Pixels between the query and its answers.
const PAUSE: u32 = 26;
/// Height of the words above a strip.
const CAPTION: u32 = 24;
/// Width of a frame.
const FRAME: u32 = 6;
const DOT: f64 = 11.0;

const GROUND: Colour = [255; 3];
const WORDS: Colour = [31, 35, 40];
const EMPTY: Colour = [225, 228, 232];
const ASKED: Colour = [9, 105, 218];

/// How an answer is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A frame, as in the figures of Token and CSA.
    Frame,
    /// A dot in the corner, as CGD's figures show which answers are of the query's category.
    Dot,
}

/// Strips of pictures.
#[derive(Clone, Debug)]
pub struct Strips {
    /// A query and its answers each.
    pub queries: Vec<QuerySection>,
    /// How answers are marked.
    pub mark: Mark,
}

/// Green, red, grey; none without ground truth.
fn colour(verdict: Verdict) -> Option<Colour> {
    match verdict {
        Verdict::Right => Some([26, 127, 55]),
        Verdict::Wrong => Some([207, 34, 46]),
        Verdict::Junk => Some([140, 149, 159]),
        Verdict::Unjudged => None,
    }
}

impl Strips {
    /// The strips below one another.
    #[must_use]
    pub fn draw(&self) -> RgbImage {
        let most = self.queries.iter().map(|query| query.answers.len()).max();
        let across = most.unwrap_or(0) as u32 * (SIDE + GAP);
        let row = CAPTION + SIDE + GAP;
        let width = GAP + SIDE + PAUSE + across;
        let mut canvas = Canvas::new(width, GAP + self.queries.len() as u32 * row, GROUND);
        for (place, query) in (0_u32..).zip(&self.queries) {
            let top = GAP + place * row;
            canvas.text(&cut(&caption(query), width - 2 * GAP), GAP, top + 4, 2, WORDS);
            let top = top + CAPTION;
            square(&mut canvas, &query.thumbnail, &query.name, [GAP, top]);
            canvas.frame([GAP, top, SIDE, SIDE], 3, ASKED);
            for (place, answer) in (0_u32..).zip(&query.answers) {
                let left = GAP + SIDE + PAUSE + place * (SIDE + GAP);
                self.answer(&mut canvas, answer, [left, top]);
            }
        }
        canvas.picture().clone()
    }

    fn answer(&self, canvas: &mut Canvas, answer: &Answer, [left, top]: [u32; 2]) {
        square(canvas, &answer.thumbnail, &answer.name, [left, top]);
        let Some(colour) = colour(answer.verdict) else {
            return;
        };
        match self.mark {
            Mark::Frame => canvas.frame([left, top, SIDE, SIDE], FRAME, colour),
            Mark::Dot => {
                let centre = [left + SIDE - 16, top + 16].map(f64::from);
                canvas.disc(centre, DOT + 2.0, GROUND, 1.0);
                canvas.disc(centre, DOT, colour, 1.0);
            }
        }
    }

    /// [`Self::draw`] as a PNG file.
    ///
    /// # Errors
    /// When the encoder refuses.
    pub fn to_png(&self) -> Result<Vec<u8>, EncodeError> {
        encode::png(&self.draw())
    }
}

/// The query's name, and how good its answers are.
fn caption(query: &QuerySection) -> String {
    match query.average_precision {
        Some(precision) => format!("{}   AP {precision:.3}", query.name),
        None => query.name.clone(),
    }
}

/// A text without what does not fit into that many pixels at size 2.
fn cut(text: &str, room: u32) -> String {
    let mut text = text.to_owned();
    while Canvas::text_width(&text, 2) > room && text.pop().is_some() {}
    text
}

/// A picture in the middle of a square, or its name where there is none.
fn square(canvas: &mut Canvas, jpeg: &[u8], name: &str, [left, top]: [u32; 2]) {
    canvas.block(left, top, SIDE, SIDE, EMPTY);
    let side = f64::from(SIDE);
    let small = decode(jpeg, &DecodeOptions::default())
        .ok()
        .and_then(|picture| thumbnail(&picture, (side, side), Filter::Bicubic).ok());
    match small {
        Some(small) => {
            let middle = |length: u32| SIDE.saturating_sub(length) / 2;
            canvas.paste(&small, left + middle(small.width), top + middle(small.height));
        }
        None => canvas.text(&cut(name, SIDE - 2 * GAP), left + GAP, top + SIDE / 2, 2, WORDS),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn strips(mark: Mark) -> Strips {
        let grey = encode::jpeg(Canvas::new(192, 96, [128; 3]).picture(), 90).unwrap();
        let answer = |verdict| Answer {
            name: "a".into(),
            score: None,
            verdict,
            distractor: false,
            thumbnail: grey.clone(),
        };
        Strips {
            queries: vec![QuerySection {
                query: 0,
                name: "q.jpg".into(),
                average_precision: Some(0.5),
                judged: true,
                boxed: false,
                thumbnail: Vec::new(),
                answers: [Verdict::Right, Verdict::Wrong, Verdict::Junk, Verdict::Unjudged]
                    .map(answer)
                    .to_vec(),
            }],
            mark,
        }
    }

    #[test]
    fn answers_are_marked_by_their_verdict() {
        let (top, first) = (GAP + CAPTION, GAP + SIDE + PAUSE);
        let at = |drawn: &RgbImage, place: u32, x: u32, y: u32| {
            drawn.pixel(first + place * (SIDE + GAP) + x, top + y).unwrap()
        };
        let framed = strips(Mark::Frame).draw();
        for (place, verdict) in [Verdict::Right, Verdict::Wrong, Verdict::Junk]
            .into_iter()
            .enumerate()
        {
            assert_eq!(at(&framed, place as u32, 2, 90), colour(verdict).unwrap());
        }
        // Without ground truth there is no frame; the picture lies in the middle of its square.
        assert_eq!(at(&framed, 3, 2, 20), EMPTY);
        assert_eq!(at(&framed, 3, 96, 96), [128; 3]);
        let dotted = strips(Mark::Dot).draw();
        assert_eq!(at(&dotted, 0, SIDE - 16, 16), colour(Verdict::Right).unwrap());
        assert_eq!(at(&dotted, 0, 2, 20), EMPTY);
        assert!(strips(Mark::Dot).to_png().unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn nothing_to_show_is_survived() {
        let none = Strips {
            queries: Vec::new(),
            mark: Mark::Frame,
        }
        .draw();
        assert!(none.width > 0 && none.height > 0);
        let mut long = strips(Mark::Frame);
        long.queries[0].name = "very long ".repeat(500);
        assert_eq!(long.draw().width, strips(Mark::Frame).draw().width);
    }
}
