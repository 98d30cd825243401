//! Checksums of files.

use super::{Event, PullError, Stage};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes that are read at once.
const BLOCK: usize = 1 << 18;

/// Size and checksums of a file, in small hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) size: u64,
    pub(super) md5: String,
    pub(super) sha256: String,
}

impl Digests {
    /// Reads the whole file.
    pub(super) fn of(path: &Path, to: &str, report: &mut dyn FnMut(Event<'_>)) -> Result<Self, PullError> {
        let failed = |error| PullError::io("read", path, error);
        let mut file = File::open(path).map_err(failed)?;
        report(Event::Stage {
            stage: Stage::Checking,
            to,
            done: 0,
            total: Some(file.metadata().map_err(failed)?.len()),
        });
        let (mut md5, mut sha256) = (Md5::new(), Sha256::new());
        let mut size = 0;
        let mut block = vec![0; BLOCK];
        loop {
            let read = file.read(&mut block).map_err(failed)?;
            if read == 0 {
                break;
            }
            md5.update(&block[..read]);
            sha256.update(&block[..read]);
            size += read as u64;
            report(Event::Bytes(read as u64));
        }
        Ok(Self {
            size,
            md5: hexadecimal(&md5.finalize()),
            sha256: hexadecimal(&sha256.finalize()),
        })
    }

    /// What of the published facts does not fit, as a part of a sentence.
    pub(super) fn contradiction(
        &self,
        size: Option<u64>,
        md5: Option<&str>,
        sha256: Option<&str>,
    ) -> Option<String> {
        if let Some(size) = size.filter(|size| *size != self.size) {
            return Some(format!("it has {} bytes instead of {size}", self.size));
        }
        for (what, published, own) in [("SHA-256", sha256, &self.sha256), ("MD5", md5, &self.md5)] {
            if let Some(published) = published.filter(|published| !published.eq_ignore_ascii_case(own)) {
                return Some(format!("its {what} is {own} instead of {published}"));
            }
        }
        None
    }
}

/// Bytes as small hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_checksums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, b"abc").unwrap();
        let digests = Digests::of(&path, "abc", &mut |_| ()).unwrap();
        assert_eq!(digests.size, 3);
        assert_eq!(digests.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            digests.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            digests.contradiction(Some(3), Some("900150983CD24FB0D6963F7D28E17F72"), None),
            None
        );
        assert!(
            digests
                .contradiction(Some(4), None, None)
                .unwrap()
                .contains("3 bytes instead of 4")
        );
        assert!(
            digests
                .contradiction(None, None, Some("00"))
                .unwrap()
                .contains("SHA-256")
        );
    }
}
