//! A gray picture: what a mask, a single channel or a gray file is before it becomes RGB.

/// An 8-bit gray picture, row-major: the value at `(x, y)` is `data[y * width + x]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrayImage {
    /// Values per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height` bytes.
    pub data: Vec<u8>,
}

impl GrayImage {
    /// Wraps values; `None` if `data` does not hold exactly `width * height` bytes.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Option<Self> {
        let expected = (width as usize).checked_mul(height as usize)?;
        (data.len() == expected).then_some(Self { width, height, data })
    }
}
