//! The list of the million distractors, `revisitop1m.txt`. Source: filipradenovic/revisitop, `python/dataset.py`.

/// A relative name with its ending a line; nothing is stripped.
pub fn read(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split('\n').map(str::to_owned).collect()
}

/// Where a distractor lies below the data root.
pub fn picture_path(name: &str) -> String {
    crate::dirtorch_lists::join("revisitop1m/jpg", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_as_they_are() {
        assert_eq!(read("a/b c.jpg \r\nd.png\n"), ["a/b c.jpg ", "d.png"]);
        assert!(read("").is_empty());
        assert_eq!(picture_path("a.jpg"), "revisitop1m/jpg/a.jpg");
    }
}
