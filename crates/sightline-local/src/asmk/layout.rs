//! How an inverted file lies on the disk.
//!
//! Sixteen bytes of head (magic, version), sections that each begin at a multiple of 64 bytes, a footer in JSON, and a
//! trailer: SHA-256 of the footer, its length, the magic again. Numbers are little-endian. The footer has place,
//! length and SHA-256 of every section, so that opening reads nothing but the footer and the offsets of the words.
//! Offsets, ids, vectors, idf, norms and names are a section each; see `docs/formats.md`.

use super::AsmkError;
use super::card::AsmkCard;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

pub(crate) const MAGIC: [u8; 8] = *b"SL-ASMK\n";
/// The version that is written; all up to it are read.
pub(crate) const VERSION: u32 = 1;
pub(crate) const HEAD_BYTES: usize = 16;
pub(crate) const TRAILER_BYTES: usize = 32 + 8 + 8;
/// A footer is refused beyond this; it holds a card and seven sections.
pub(crate) const MOST_FOOTER_BYTES: u64 = 16 << 20;
const ALIGNMENT: u64 = 64;

/// The parts of the file, by what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// u64 [words + 1]: where each word's entries begin, in entries.
    Offsets,
    /// u32 [entries]: image ids, ascending within a word.
    Ids,
    /// u32 [entries, packed words] or f32 [entries, D].
    Vectors,
    /// f32 [words].
    Idf,
    /// f64 [images].
    Norms,
    /// u64 [images + 1]: where each image's name begins. An image without a name does not exist.
    NameOffsets,
    /// UTF-8, one name after another.
    Names,
}

/// Where a part lies, and what it should hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) part: Part,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// What the file says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Footer {
    pub(crate) card: AsmkCard,
    /// Largest image id + 1.
    pub(crate) images: u64,
    pub(crate) entries: u64,
    /// How many of the first images are distractors, whose numbers are negative.
    pub(crate) distractors: u64,
    pub(crate) sections: Vec<Section>,
}

/// Writes sections one after another into a file beside its place, which is renamed when it is whole. Dropped before
/// that, the file beside is removed.
pub(crate) struct SectionWriter {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
    at: u64,
    hash: Sha256,
    sections: Vec<Section>,
}

impl SectionWriter {
    pub(crate) fn create(path: &Path) -> Result<Self, AsmkError> {
        let mut name = path.file_name().map(std::ffi::OsString::from).unwrap_or_default();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(AsmkError::io(&temporary, "created"))?;
        let mut writer = Self {
            path: path.to_path_buf(),
            temporary,
            file: Some(BufWriter::with_capacity(1 << 20, file)),
            at: 0,
            hash: Sha256::new(),
            sections: Vec::new(),
        };
        writer.raw(&MAGIC)?;
        writer.raw(&VERSION.to_le_bytes())?;
        writer.raw(&[0; 4])?;
        Ok(writer)
    }

    /// Begins a part; what is written from now on belongs to it.
    pub(crate) fn begin(&mut self, part: Part) -> Result<(), AsmkError> {
        self.end();
        let padding = self.at.next_multiple_of(ALIGNMENT) - self.at;
        self.raw(&[0; ALIGNMENT as usize][..padding as usize])?;
        self.hash = Sha256::new();
        self.sections.push(Section {
            part,
            start: self.at,
            bytes: 0,
            sha256: String::new(),
        });
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), AsmkError> {
        self.hash.update(bytes);
        self.raw(bytes)
    }

    /// Closes the section that is open.
    fn end(&mut self) {
        let at = self.at;
        if let Some(section) = self
            .sections
            .last_mut()
            .filter(|section| section.sha256.is_empty())
        {
            section.bytes = at - section.start;
            section.sha256 = hex(&self.hash.clone().finalize());
        }
    }

    /// Writes the footer, makes sure that all is on the disk, and puts the file in its place. `footer` comes without its
    /// sections.
    pub(crate) fn finish(mut self, mut footer: Footer) -> Result<(), AsmkError> {
        self.end();
        footer.sections = std::mem::take(&mut self.sections);
        let json = serde_json::to_vec(&footer)
            .map_err(|error| AsmkError::io(&self.path, "written")(std::io::Error::other(error)))?;
        self.raw(&json)?;
        self.raw(&Sha256::digest(&json))?;
        self.raw(&(json.len() as u64).to_le_bytes())?;
        self.raw(&MAGIC)?;
        if let Some(file) = self.file.take() {
            file.into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .and_then(|()| std::fs::rename(&self.temporary, &self.path))
                .map_err(|error| {
                    // It is of no use and nothing can be done where it does not go away.
                    let _ = std::fs::remove_file(&self.temporary);
                    AsmkError::io(&self.path, "written")(error)
                })?;
        }
        sightline_descriptor::sync_folder(&self.path);
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), AsmkError> {
        self.at += bytes.len() as u64;
        match &mut self.file {
            Some(file) => file
                .write_all(bytes)
                .map_err(AsmkError::io(&self.temporary, "written")),
            None => Ok(()),
        }
    }
}

impl Drop for SectionWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
