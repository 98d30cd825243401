//! Lines of a text file as Python reads them: `\n`, `\r\n` and `\r` end a line, and blanks at both ends go.

use crate::DatasetError;
use std::path::Path;

/// Lists of more than 4 GiB are not lists of pictures.
const LARGEST: u64 = 1 << 32;

/// Reads a whole text file.
pub(crate) fn read_text(path: &Path) -> Result<String, DatasetError> {
    let io = |error| DatasetError::io(path, error);
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > LARGEST {
        return Err(DatasetError::malformed(
            path,
            "a list",
            format!("it has {size} bytes, more than {LARGEST}"),
        ));
    }
    let bytes = std::fs::read(path).map_err(io)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        DatasetError::malformed(path, "a list", format!("line {line} is not UTF-8 text"))
    })
}

/// The lines of `text`, stripped. A line break at the very end opens no further line.
pub(crate) fn stripped(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(end) = rest.find(['\n', '\r']) else {
            lines.push(rest.trim());
            break;
        };
        lines.push(rest[..end].trim());
        let next = if rest[end..].starts_with("\r\n") {
            end + 2
        } else {
            end + 1
        };
        rest = &rest[next..];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_line_ending_ends_a_line() {
        assert_eq!(stripped(" a \r\nb c\r\rd"), ["a", "b c", "", "d"]);
        assert_eq!(stripped("a\n"), ["a"]);
        assert_eq!(stripped("\n"), [""]);
        assert!(stripped("").is_empty());
    }

    #[test]
    fn text_in_another_encoding_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.txt");
        std::fs::write(&path, b"a.jpg\ncaf\xe9.jpg\n").unwrap();
        let message = read_text(&path).unwrap_err().to_string();
        assert!(message.contains("line 2"), "{message}");
    }
}
