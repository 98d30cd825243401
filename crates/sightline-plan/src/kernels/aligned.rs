//! Memory that starts where a cache line does: wide loads across two lines cost twice.

use std::ops::{Deref, DerefMut};

/// A cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f32; 16]);

/// Values that start at a cache line.
#[derive(Clone, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    length: usize,
}

impl Aligned {
    /// Makes it hold that many values, which are any; memory that is there is used again.
    pub(crate) fn resize(&mut self, length: usize) {
        let lines = length.div_ceil(16);
        if lines > self.lines.len() {
            // Not `resize`, which would move the old values.
            self.lines = vec![Line([0.0; 16]); lines];
        }
        self.length = length;
    }
}

impl Deref for Aligned {
    type Target = [f32];

    #[allow(unsafe_code)]
    fn deref(&self) -> &[f32] {
        // SAFETY: a `Line` is sixteen floats without padding, and `length` is never beyond the lines.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Aligned {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_a_line_and_keeps_its_memory() {
        let mut values = Aligned::default();
        values.resize(17);
        assert_eq!((values.len(), values.as_ptr() as usize % 64), (17, 0));
        values[16] = 2.0;
        values.resize(3);
        assert_eq!(values.len(), 3);
        values.resize(32);
        assert_eq!(values[16], 2.0);
        values.resize(33);
        assert_eq!((values.len(), values[32]), (33, 0.0));
        assert!(Aligned::default().is_empty());
    }
}
