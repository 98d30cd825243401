//! In-shop Clothes Retrieval's list as leftthomas/CGD reads it. Source: its `data_utils.py`, `process_isc_data`.

use crate::class_lists::{ClassLists, file_name};
use crate::text_lines::stripped;

/// The three parts of the set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InShop {
    /// For training.
    pub train: ClassLists,
    /// Queries of the test.
    pub query: ClassLists,
    /// Gallery of the test.
    pub gallery: ClassLists,
}

/// Reads `list_eval_partition.txt`: two header lines, then path, item and part by any blanks. Pictures get the name
/// `<item folder>_<file>`. Lines of another part than train, query and gallery are passed over, as in the original.
///
/// # Errors
/// Names the line that has not three columns, or a path without folder.
pub fn read(text: &str) -> Result<InShop, String> {
    let mut parts = InShop::default();
    for (index, line) in stripped(text).into_iter().enumerate().skip(2) {
        if line.is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [path, item, part] = columns[..] else {
            return Err(format!("line {} (\"{line}\") has not three columns", index + 1));
        };
        let folder = path.rsplit('/').nth(1);
        let folder = folder.ok_or_else(|| format!("line {}: \"{path}\" names no folder", index + 1))?;
        let lists = match part {
            "train" => &mut parts.train,
            "query" => &mut parts.query,
            "gallery" => &mut parts.gallery,
            _ => continue,
        };
        lists.push(item, format!("{folder}_{}", file_name(path)));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_folder_of_the_item() {
        let parts = read("2\nh\nimg/W/id_1/a.jpg   id_1  train\nimg/W/id_1/b.jpg id_1 else\n").unwrap();
        assert_eq!(
            parts.train.classes,
            [("id_1".to_owned(), vec!["id_1_a.jpg".to_owned()])]
        );
        assert!(read("1\nh\na.jpg id_1 train\n").is_err());
        assert!(read("1\nh\nx/a.jpg id_1\n").unwrap_err().contains("line 3"));
    }
}
