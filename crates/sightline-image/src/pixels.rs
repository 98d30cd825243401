//! The two plain types every picture passes through: 8-bit RGB pixels and a float tensor.

/// An 8-bit picture, row-major and interleaved: the pixel at `(x, y)` is `data[3 * (y * width + x)..][..3]`.
///
/// The channels are red, green, blue unless a function says otherwise ([`crate::decode::decode_cv2`] gives blue first,
/// as OpenCV does).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `3 * width * height` bytes.
    pub data: Vec<u8>,
}

impl RgbImage {
    /// Wraps pixels; `None` if `data` does not hold exactly `3 * width * height` bytes.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Option<Self> {
        let expected = (width as usize).checked_mul(height as usize)?.checked_mul(3)?;
        (data.len() == expected).then_some(Self { width, height, data })
    }

    /// The three bytes of the pixel at `(x, y)`; `None` outside the picture.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        if x >= self.width || y >= self.height {
            return None;
        }
        let start = 3 * (y as usize * self.width as usize + x as usize);
        self.data.get(start..start + 3)?.try_into().ok()
    }
}

/// A picture as a network takes it: float32, channel after channel (`[channels, height, width]`, row-major).
#[derive(Debug, Clone, PartialEq)]
pub struct ImageTensor {
    /// Number of channels (3 for a colour picture).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Values per row.
    pub width: usize,
    /// `channels * height * width` values.
    pub data: Vec<f32>,
}

impl ImageTensor {
    /// Wraps values; `None` if `data` does not hold exactly `channels * height * width` of them.
    pub fn new(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Option<Self> {
        let expected = channels.checked_mul(height)?.checked_mul(width)?;
        (data.len() == expected).then_some(Self {
            channels,
            height,
            width,
            data,
        })
    }
}
