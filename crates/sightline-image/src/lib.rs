//! From a picture file to pixels to a normalised tensor, exactly as the original projects did.

pub mod crop;
pub mod cv2_resize;
pub mod decode;
pub mod encode;
pub mod gray;
pub mod normalise;
pub mod pixels;
pub mod recipe;
pub mod resize;
pub mod torch_resize;
pub mod transforms;

pub use gray::GrayImage;
pub use pixels::{ImageTensor, RgbImage};
pub use recipe::Recipe;
