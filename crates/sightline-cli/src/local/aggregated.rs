//! What `local vlad` and `local token` share: writing one descriptor a picture out of a file of local features.

use crate::progress::Screen;
use sightline::local::FeatureFile;

/// Shows how far `write` is, which says how many pictures it has done and returns how many of them are empty; these are told of.
pub(super) fn write<E: Into<anyhow::Error>>(
    file: &FeatureFile,
    screen: &Screen,
    write: impl FnOnce(&mut dyn FnMut(usize)) -> Result<usize, E>,
) -> anyhow::Result<usize> {
    let bar = screen.bar(file.len() as u64, "pictures");
    let empty = write(&mut |done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let empty = empty.map_err(Into::into)?;
    if empty > 0 {
        screen.warn(&format!(
            "{empty} of {} pictures have no local features; their descriptors are zero",
            file.len()
        ));
    }
    Ok(empty)
}
