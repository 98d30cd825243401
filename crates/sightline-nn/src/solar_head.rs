//! SOLAR: second-order attention after the last two stages of a ResNet, then GeM and a learned whitening (Ng, Balntas, Tian and
//! Mikolajczyk, *SOLAR: Second-Order Loss and Attention for Image Retrieval*, ECCV 2020; tonyngjichun/SOLAR,
//! `solar_global/networks`).
//!
//! What follows the attention is cirtorch's GeM network with a whitening layer, under the same names.

use crate::cirtorch_head::CirtorchHead;
use crate::pooling::PoolingKind;
use std::fmt;

/// Options of SOLAR's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SolarHead {
    /// Attention after stage 3 (`soa4`) and after stage 4 (`soa5`), as far as named; both where none is. Options `-soa4`,
    /// `-soa5`.
    named: [bool; 2],
}

/// The original's words for the attention after stages 3 and 4, and by how much each narrows its map.
const BLOCKS: [(&str, usize); 2] = [("soa4", 4), ("soa5", 2)];

impl SolarHead {
    /// Applies one option; none if the head does not have it.
    pub(crate) fn apply(&mut self, option: &str) -> Option<()> {
        let block = BLOCKS.iter().position(|(word, _)| *word == option)?;
        self.named[block] = true;
        if self.named == [true; 2] {
            self.named = [false; 2];
        }
        Some(())
    }

    /// The attention behind a stage, 1 to 4: its word, and by how much it narrows the map.
    pub(crate) fn after(self, stage: usize) -> Option<(&'static str, usize)> {
        let block = stage.checked_sub(3)?;
        let here = self.named == [false; 2] || *self.named.get(block)?;
        BLOCKS.get(block).copied().filter(|_| here)
    }

    /// What follows the trunk.
    pub(crate) fn behind() -> CirtorchHead {
        CirtorchHead {
            whitening: true,
            ..CirtorchHead::new(PoolingKind::GEM)
        }
    }
}

impl fmt::Display for SolarHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "solar")?;
        let mut named = BLOCKS.iter().zip(self.named).filter(|(_, named)| *named);
        named.try_for_each(|((word, _), _)| write!(f, "-{word}"))
    }
}
