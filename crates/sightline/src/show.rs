//! Drawings of what was found, as PNG files and as self-contained HTML pages.

mod canvas;
mod font;
mod gradient;
mod match_page;
mod matches;

pub use canvas::{Canvas, Colour};
pub use gradient::gradient;
pub use matches::{MatchLine, MatchesDrawing, ShownPicture};
