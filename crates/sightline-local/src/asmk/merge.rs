//! Writing an inverted file from sorted parts: the entries of each word from one part after the other, then idf and
//! norms by the original's rules (`inverted_file.py` of jenicek/asmk).

use super::AsmkError;
use super::index::Lists;
use super::layout::{Part, SectionWriter};

/// What is merged.
pub(crate) struct Merge<'a> {
    /// Image ids ascend from part to part within a word.
    pub(crate) parts: &'a [Lists<'a>],
    pub(crate) words: usize,
    /// Largest image id + 1.
    pub(crate) images: usize,
    /// Images whose entries are left out, by id; empty for none.
    pub(crate) removed: &'a [bool],
    /// idf of every word before; empty for none.
    pub(crate) old_idf: &'a [f32],
    /// Whether a word's entries change, and so its idf.
    pub(crate) touched: &'a [bool],
    pub(crate) use_idf: bool,
}

impl Merge<'_> {
    /// Writes offsets, ids, vectors, idf and norms; the number of entries. Memory: 8 bytes an image and a few a word.
    pub(crate) fn write(
        &self,
        out: &mut SectionWriter,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<u64, AsmkError> {
        let offsets = self.offsets();
        let entries = offsets.last().copied().unwrap_or(0);
        out.begin(Part::Offsets)?;
        out.write(bytemuck::cast_slice(&offsets))?;
        let idf = self.idf(&offsets);
        let mut norms = vec![0.0_f64; self.images];
        out.begin(Part::Ids)?;
        for (word, idf) in idf.iter().enumerate() {
            for part in self.parts {
                for ids in self.kept(part.of(word).0).map(|kept| kept.0) {
                    for id in ids {
                        if let Some(norm) = norms.get_mut(*id as usize) {
                            *norm += f64::from(*idf);
                        }
                    }
                    out.write(bytemuck::cast_slice(ids))?;
                }
            }
            progress(offsets[word + 1], 2 * entries);
        }
        out.begin(Part::Vectors)?;
        for word in 0..self.words {
            for part in self.parts {
                let (ids, vectors) = part.of(word);
                for (_, first, count) in self.kept(ids).map(|(ids, first)| (ids, first, ids.len())) {
                    let vectors = vectors.get(first * part.units..(first + count) * part.units);
                    out.write(bytemuck::cast_slice(vectors.unwrap_or_default()))?;
                }
            }
            progress(entries + offsets[word + 1], 2 * entries);
        }
        out.begin(Part::Idf)?;
        out.write(bytemuck::cast_slice(&idf))?;
        out.begin(Part::Norms)?;
        out.write(bytemuck::cast_slice(&norms))?;
        Ok(entries)
    }

    /// Runs of ids that stay, and where each begins.
    fn kept<'i>(&self, ids: &'i [u32]) -> impl Iterator<Item = (&'i [u32], usize)> {
        let gone = |id: &u32| self.removed.get(*id as usize).copied().unwrap_or(false);
        let mut at = 0;
        std::iter::from_fn(move || {
            at += ids[at..].iter().take_while(|id| gone(id)).count();
            let start = at;
            at += ids[at..].iter().take_while(|id| !gone(id)).count();
            (at > start).then(|| (&ids[start..at], start))
        })
    }

    fn offsets(&self) -> Vec<u64> {
        let mut offsets = vec![0_u64; self.words + 1];
        for word in 0..self.words {
            let of_word: usize = self
                .parts
                .iter()
                .map(|part| match self.removed {
                    [] => part.of(word).0.len(),
                    _ => self.kept(part.of(word).0).map(|(ids, _)| ids.len()).sum(),
                })
                .sum();
            offsets[word + 1] = offsets[word] + of_word as u64;
        }
        offsets
    }

    /// (ln(images / entries of the word))² for words whose entries changed; others keep what they had, from when there
    /// were fewer images, and words that never had any have 1. So does a word that lost all.
    fn idf(&self, offsets: &[u64]) -> Vec<f32> {
        (0..self.words)
            .map(|word| {
                let count = offsets[word + 1] - offsets[word];
                let touched = self.touched.get(word).copied().unwrap_or(false);
                if self.use_idf && touched && count > 0 {
                    let log = (self.images as f64 / count as f64).ln();
                    (log * log) as f32
                } else if count > 0 {
                    self.old_idf.get(word).copied().unwrap_or(1.0)
                } else {
                    1.0
                }
            })
            .collect()
    }
}
