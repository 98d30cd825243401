//! From a picture file to pixels to a normalised tensor, exactly as the original projects did.

pub mod decode;
pub mod encode;
pub mod gray;
pub mod pixels;
pub mod resize;

pub use gray::GrayImage;
pub use pixels::{ImageTensor, RgbImage};
