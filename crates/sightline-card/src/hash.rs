//! SHA-256 of files and streams, as cards state it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256 of bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 of bytes as 64 lower-case hexadecimal digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// SHA-256 of a file as 64 lower-case hexadecimal digits; reads it in pieces of 1 MiB.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn sha256_file(path: impl AsRef<Path>) -> io::Result<String> {
    sha256_reader(File::open(path)?)
}

/// SHA-256 of everything that a reader gives, as 64 lower-case hexadecimal digits.
///
/// # Errors
/// When reading fails.
pub fn sha256_reader(mut reader: impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hex(&hasher.finalize().into())),
            Ok(count) => hasher.update(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(digest: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three-letter and two-block examples of FIPS 180-4.
    #[test]
    fn the_standards_examples() {
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            sha256_hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
    }

    #[test]
    fn a_file_in_pieces_has_the_hash_of_its_bytes() {
        let bytes: Vec<u8> = (0..(2 << 20) + 17).map(|i: u32| (i % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        assert_eq!(sha256_file(file.path()).unwrap(), sha256_hex(&bytes));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        assert_eq!(
            sha256_file("/nonexistent/weights.pth").unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
