//! Taking images out of an inverted file.

use super::AsmkError;
use super::index::Index;
use super::layout::{Footer, SectionWriter};
use super::merge::Merge;
use super::names::Names;
use std::path::{Path, PathBuf};

/// Writes an index to `path` (which may be the index's own) without the images of these ids. The others keep their ids
/// and the number of images stays, so that ids that others know stay right; with idf, words that lose an entry get the
/// idf of what is left. The original has nothing like it.
///
/// # Errors
/// When an id is not there, or the disk refuses.
pub fn remove(
    index: &Index,
    ids: &[u32],
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), AsmkError> {
    let mut removed = vec![false; index.images()];
    for id in ids {
        match removed.get_mut(*id as usize).filter(|_| index.exists(*id)) {
            Some(removed) => *removed = true,
            None => {
                return Err(AsmkError::Unfit(format!(
                    "Image {id} cannot be removed from {}: it is not there.",
                    index.path().display()
                )));
            }
        }
    }
    let lists = index.lists();
    let gone = |id: &u32| removed.get(*id as usize).copied().unwrap_or(false);
    let touched: Vec<bool> = (0..index.card().words)
        .map(|word| lists.of(word).0.iter().any(gone))
        .collect();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let mut names = Names::new(&folder, None)?;
    for (id, removed) in (0_u32..).zip(&removed) {
        names.push(index.name(id).filter(|_| !removed).unwrap_or_default())?;
    }
    let mut out = SectionWriter::create(path)?;
    let entries = Merge {
        parts: &[lists],
        words: index.card().words,
        images: index.images(),
        removed: &removed,
        old_idf: index.idf(),
        touched: &touched,
        use_idf: index.card().idf,
    }
    .write(&mut out, progress)?;
    names.write(None, &mut out)?;
    out.finish(Footer {
        card: index.card().clone(),
        images: index.images() as u64,
        entries,
        distractors: index.distractors() as u64,
        sections: Vec::new(),
    })
}
