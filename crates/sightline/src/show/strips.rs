//! Queries and their answers as strips of pictures, as the papers print them: the query left, its answers in their
//! order, each marked by what the ground truth says of it. Several rankings of a query stand one above the other.

use super::{Canvas, Colour};
use crate::report::{Answer, QuerySection, Strip, Verdict};
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
        let shown: Vec<(&QuerySection, Vec<Line<'_>>)> =
            self.queries.iter().map(|query| (query, lines(query))).collect();
        let all = || shown.iter().flat_map(|(_, lines)| lines);
        let most = all().map(|line| line.answers.len()).max();
        let across = most.unwrap_or(0) as u32 * (SIDE + GAP);
        let row = CAPTION + SIDE + GAP;
        let width = GAP + SIDE + PAUSE + across;
        // Queries with several lines are set apart from the next.
        let apart = |lines: &[Line<'_>]| if lines.len() > 1 { PAUSE } else { 0 };
        let heights = shown
            .iter()
            .map(|(_, lines)| lines.len() as u32 * row + apart(lines));
        let mut canvas = Canvas::new(width, GAP + heights.sum::<u32>(), GROUND);
        let mut top = GAP;
        for (query, lines) in &shown {
            square(&mut canvas, &query.thumbnail, &query.name, [GAP, top + CAPTION]);
            canvas.frame([GAP, top + CAPTION, SIDE, SIDE], 3, ASKED);
            let first = GAP + SIDE + PAUSE;
            let several = lines.len() > 1 || query.strips.len() > 1;
            if several {
                canvas.text(&cut(&query.name, SIDE), GAP, top + 4, 2, WORDS);
            }
            for line in lines {
                let left = if several { first } else { GAP };
                canvas.text(
                    &cut(&line.caption, width.saturating_sub(left + GAP)),
                    left,
                    top + 4,
                    2,
                    WORDS,
                );
                for (place, answer) in (0_u32..).zip(line.answers) {
                    self.answer(&mut canvas, answer, [first + place * (SIDE + GAP), top + CAPTION]);
                }
                top += row;
            }
            top += apart(lines);
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

/// One line of answers, and the words above it.
struct Line<'a> {
    caption: String,
    answers: &'a [Answer],
}

/// A line a ranking; one where all rankings give the same answers. Several have the query's name on their left.
fn lines(query: &QuerySection) -> Vec<Line<'_>> {
    fn line(caption: String, strip: &Strip) -> Line<'_> {
        Line {
            caption: match strip.average_precision {
                Some(precision) => format!("{caption}   AP {precision:.3}"),
                None => caption,
            },
            answers: &strip.answers,
        }
    }
    let mut lines: Vec<Line<'_>> = match query.strips.as_slice() {
        [only] => return vec![line(query.name.clone(), only)],
        all => all.iter().map(|strip| line(strip.label.clone(), strip)).collect(),
    };
    let (_, gain) = query.precisions();
    // What rounds to 0 is no gain.
    if let (Some(last), Some(gain)) = (lines.last_mut(), gain.filter(|gain| gain.abs() >= 0.0005)) {
        last.caption += &format!("   {gain:+.3}");
    }
    if query.stays() {
        let captions: Vec<String> = lines.iter().map(|line| line.caption.clone()).collect();
        lines.drain(1..);
        lines[0].caption = format!("the same:   {}", captions.join(",   "));
    }
    lines
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
            name: format!("{verdict:?}"),
            score: None,
            steps: Vec::new(),
            verdict,
            distractor: false,
            thumbnail: grey.clone(),
        };
        Strips {
            queries: vec![QuerySection {
                query: 0,
                name: "q.jpg".into(),
                judged: true,
                boxed: false,
                thumbnail: Vec::new(),
                strips: vec![Strip {
                    label: String::new(),
                    average_precision: Some(0.5),
                    answers: [Verdict::Right, Verdict::Wrong, Verdict::Junk, Verdict::Unjudged]
                        .map(answer)
                        .to_vec(),
                }],
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
    fn rankings_stand_one_above_the_other_unless_they_are_the_same() {
        let mut drawing = strips(Mark::Frame);
        let one = drawing.draw();
        let mut after = drawing.queries[0].strips[0].clone();
        drawing.queries[0].strips.push(after.clone());
        assert!(drawing.queries[0].stays());
        assert_eq!(drawing.draw().height, one.height);
        after.answers.swap(0, 1);
        drawing.queries[0].strips[1] = after;
        let two = drawing.draw();
        assert_eq!(
            (two.width, two.height),
            (one.width, one.height + CAPTION + SIDE + GAP + PAUSE)
        );
        // The right answer was first and is second.
        let (first, below) = (GAP + SIDE + PAUSE, CAPTION + SIDE + GAP);
        let frame = |place: u32, down: u32| {
            two.pixel(first + place * (SIDE + GAP) + 2, GAP + CAPTION + down + 90)
                .unwrap()
        };
        let right = colour(Verdict::Right).unwrap();
        assert_eq!((frame(0, 0), frame(1, below)), (right, right));
        assert_ne!(frame(1, 0), right);
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
