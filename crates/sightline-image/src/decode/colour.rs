//! Colours that are not RGB yet: inks and palettes.

use super::Manner;

/// One pixel of four inks to RGB. The values are as JPEG files hold them, 0 being full ink.
pub(super) fn from_inverted_inks(stored: [u8; 4], manner: Manner) -> [u8; 3] {
    let [c, m, y, k] = stored.map(u32::from);
    let one = |ink: u32| match manner {
        Manner::Pillow => {
            let product = (255 - ink) * k + 128;
            k.saturating_sub(((product >> 8) + product) >> 8) as u8
        }
        Manner::OpenCv => (k - (((255 - ink) * k) >> 8)) as u8,
    };
    [one(c), one(m), one(y)]
}

/// One pixel of four inks to RGB, 255 being full ink, as TIFF files hold them.
pub(super) fn from_inks(stored: [u8; 4], manner: Manner) -> [u8; 3] {
    from_inverted_inks(stored.map(|value| 255 - value), manner)
}

/// 256 colours; those a file does not give are black, as in Pillow.
#[derive(Clone)]
pub(super) struct Palette([[u8; 3]; 256]);

impl Palette {
    /// Gray.
    pub(super) fn gray() -> Self {
        Self(std::array::from_fn(|index| [index as u8; 3]))
    }

    /// The given colours first, black after them.
    pub(super) fn new(colours: impl IntoIterator<Item = [u8; 3]>) -> Self {
        let mut palette = Self([[0; 3]; 256]);
        for (entry, colour) in palette.0.iter_mut().zip(colours) {
            *entry = colour;
        }
        palette
    }

    /// The colour of an index.
    pub(super) fn colour(&self, index: u8) -> [u8; 3] {
        self.0[usize::from(index)]
    }
}
