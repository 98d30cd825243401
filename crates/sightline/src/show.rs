//! Drawings of what was found, as PNG files and as self-contained HTML pages.

mod attention;
mod canvas;
mod font;
mod gradient;
mod match_page;
mod matches;
mod strips;

pub use attention::{AttentionDrawing, AttentionMap};
pub use canvas::{Canvas, Colour};
pub use gradient::gradient;
pub use matches::{MatchLine, MatchesDrawing, ShownPicture};
pub use strips::{Mark, Strips};
