//! Stanford Online Products' lists as leftthomas/CGD reads them. Source: its `data_utils.py`, `process_sop_data`.

use crate::class_lists::{ClassLists, file_name};
use crate::text_lines::stripped;

/// Reads `Ebay_train.txt` or `Ebay_test.txt`: a header line, then image id, class, super class and path by blanks.
/// Pictures are named without their folder.
///
/// # Errors
/// Names the line that has not four columns.
pub fn read(text: &str) -> Result<ClassLists, String> {
    let mut lists = ClassLists::default();
    for (index, line) in stripped(text).into_iter().enumerate().skip(1) {
        if line.is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, class, _, path] = columns[..] else {
            return Err(format!("line {} (\"{line}\") has not four columns", index + 1));
        };
        lists.push(class, file_name(path).to_owned());
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_no_picture() {
        let lists = read("image_id class_id super_class_id path\n1 7 1 a/x.JPG\n\n2 7 1 b/y.JPG\n").unwrap();
        assert_eq!(
            lists.classes,
            [("7".to_owned(), vec!["x.JPG".to_owned(), "y.JPG".to_owned()])]
        );
        assert!(read("h\n1 2 3\n").unwrap_err().contains("line 2"));
    }
}
