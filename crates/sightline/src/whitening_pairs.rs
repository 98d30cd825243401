//! The pairs that cirtorch's whitening is learned from.

use crate::Error;
use crate::evaluation::places;
use sightline_checkpoint::Value;
use sightline_dataset::sfm120k::Sfm120k;
use sightline_descriptor::DescriptorSet;
use std::path::Path;

/// Reads pairs of rows of `set`: a text file with two names a line (a tab between them, else a comma, else a blank), or a pickle
/// of cirtorch's with `cids`, `qidxs` and `pidxs` (`retrieval-SfM-120k-whiten.pkl`).
///
/// Names meet rows as given, else by file name without its ending.
///
/// # Errors
/// When the file cannot be read, a line has no two names, or a name has no row.
pub fn whitening_pairs(path: &Path, set: &DescriptorSet) -> Result<Vec<(usize, usize)>, Error> {
    let bad = |reason: String| Error::Pairs {
        path: path.to_owned(),
        reason: reason.trim_end_matches('.').to_owned(),
    };
    let bytes = std::fs::read(path).map_err(|source| Error::Io {
        path: path.to_owned(),
        source,
    })?;
    let (names, pairs) = match std::str::from_utf8(&bytes) {
        Ok(text) if !text.contains('\0') => of_text(text).map_err(bad)?,
        _ => of_pickle(&sightline_checkpoint::read(path)?.value).map_err(bad)?,
    };
    let used: Vec<usize> = {
        let mut used: Vec<usize> = pairs.iter().flat_map(|(q, p)| [*q, *p]).collect();
        used.sort_unstable();
        used.dedup();
        used
    };
    let rows: Vec<Option<usize>> = if set.has_names() {
        let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
        places(set, &wanted)?
    } else {
        let row = |name: &String| name.parse().ok().filter(|row| *row < set.len());
        names.iter().map(row).collect()
    };
    if let Some(missing) = used.iter().find(|index| rows[**index].is_none()) {
        return Err(bad(format!(
            "`{}` has no row in {}",
            names[*missing],
            set.source().display()
        )));
    }
    Ok(pairs.iter().filter_map(|(q, p)| rows[*q].zip(rows[*p])).collect())
}

/// Names and pairs of indices into them.
type Named = (Vec<String>, Vec<(usize, usize)>);

fn of_text(text: &str) -> Result<Named, String> {
    let (mut names, mut pairs) = (Vec::new(), Vec::new());
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let parts = ['\t', ',', ' ']
            .into_iter()
            .find_map(|mark| line.split_once(mark));
        let (q, p) = parts
            .map(|(q, p)| (q.trim(), p.trim()))
            .filter(|(q, p)| !q.is_empty() && !p.is_empty() && !p.contains(['\t', ',']))
            .ok_or_else(|| {
                format!(
                    "line {} does not hold two names with a tab between them",
                    number + 1
                )
            })?;
        pairs.push((names.len(), names.len() + 1));
        names.extend([q.to_owned(), p.to_owned()]);
    }
    Ok((names, pairs))
}

fn of_pickle(value: &Value) -> Result<Named, String> {
    let read = Sfm120k::from_value(value, "train")?;
    let pairs = read.qidxs.iter().zip(&read.pidxs);
    let pairs = pairs.map(|(q, p)| (*q as usize, *p as usize)).collect();
    Ok((read.cids, pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_a_line() {
        let (names, pairs) = of_text("a b.jpg\tc.jpg\n\nd,e\nf g\n").unwrap();
        assert_eq!(names, ["a b.jpg", "c.jpg", "d", "e", "f", "g"]);
        assert_eq!(pairs, [(0, 1), (2, 3), (4, 5)]);
        for wrong in ["a", "a\t", "a\tb\tc", ",b"] {
            assert!(of_text(wrong).unwrap_err().contains("line 1"), "{wrong:?}");
        }
    }
}
