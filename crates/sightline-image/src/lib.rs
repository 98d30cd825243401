//! From a picture file to pixels to a normalised tensor, exactly as the original projects did.
//!
//! The descriptors of the papers depend on the last bit of a decoder and a resampler, so both are followed to that bit:
//! Pillow's and OpenCV's decoding ([`decode`]) and resizing ([`resize`], [`cv2_resize`]), torch's interpolation of tensors
//! ([`torch_resize`]), dirtorch's transform language ([`transforms`]). A [`Recipe`] puts them together: a table of named
//! values for each project, every one of which can be changed and is spelled out for the card.
//!
//! It is not for editing pictures, for training's random transforms, or for what a network does with a tensor.
//!
//! ```
//! use sightline_image::decode::MAX_PIXELS;
//! use sightline_image::{Recipe, RgbImage, encode};
//!
//! // An 800 x 600 picture, as cirtorch gives it to a network: the longer side 320 pixels, Pillow's Lanczos.
//! let picture = RgbImage { width: 800, height: 600, data: vec![127; 800 * 600 * 3] };
//! let file = encode::png(&picture)?;
//! let mut recipe = Recipe::named("cirtorch")?;
//! recipe.set_longer_side(320)?;
//! let tensor = recipe.prepare(&file, None, MAX_PIXELS)?;
//! assert_eq!((tensor.channels, tensor.height, tensor.width), (3, 240, 320));
//! // A query's box is cut out first and gets its share of the size.
//! let part = recipe.prepare(&file, Some([0.0, 0.0, 400.0, 300.0]), MAX_PIXELS)?;
//! assert_eq!((part.height, part.width), (120, 160));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
