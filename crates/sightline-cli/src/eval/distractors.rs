//! Images that answer no query, behind those of the data set: `--distractors`.

use crate::eval::described::check_alike;
use crate::progress::Screen;
use sightline::descriptor::DescriptorSet;
use std::path::PathBuf;

/// Opens the sets by mapping their files; nothing is read yet.
pub(crate) fn open(paths: &[PathBuf]) -> anyhow::Result<Vec<DescriptorSet>> {
    Ok(paths.iter().map(DescriptorSet::open).collect::<Result<_, _>>()?)
}

/// Refuses distractors that were not made as the database was; where a card is missing nobody knows, and that is said.
pub(crate) fn check(
    database: &DescriptorSet,
    distractors: &[DescriptorSet],
    screen: &Screen,
) -> anyhow::Result<()> {
    for set in distractors {
        check_alike(database, set, screen)?;
        let without = [set, database].into_iter().find(|one| one.card().is_none());
        if let Some(without) = without {
            screen.say(&format!(
                "remark: {} has no card, so nothing says that the distractors {} were made as the database was",
                without.source().display(),
                set.source().display()
            ));
        }
    }
    Ok(())
}
