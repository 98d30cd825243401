//! The names of the images of an inverted file, kept on the disk until the file is put together.

use super::AsmkError;
use super::index::Index;
use super::layout::{Part, SectionWriter};
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Names as they come, after those of an index.
#[derive(Debug)]
pub(crate) struct Names {
    folder: PathBuf,
    offsets: BufWriter<File>,
    text: BufWriter<File>,
    at: u64,
}

impl Names {
    /// `folder` is where the files without a name lie.
    pub(crate) fn new(folder: &Path, behind: Option<&Index>) -> Result<Self, AsmkError> {
        let file = || {
            tempfile::tempfile_in(folder)
                .map(BufWriter::new)
                .map_err(AsmkError::io(folder, "used for intermediate files"))
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            offsets: file()?,
            text: file()?,
            at: behind.map_or(0, |index| index.name_parts().1.len() as u64),
        })
    }

    /// The next image's name; an empty one says that it does not exist.
    pub(crate) fn push(&mut self, name: &str) -> Result<(), AsmkError> {
        self.at += name.len() as u64;
        self.offsets
            .write_all(&self.at.to_le_bytes())
            .and_then(|()| self.text.write_all(name.as_bytes()))
            .map_err(AsmkError::io(&self.folder, "used for intermediate files"))
    }

    /// Writes both parts: the names of the index, then these.
    pub(crate) fn write(self, behind: Option<&Index>, out: &mut SectionWriter) -> Result<(), AsmkError> {
        let (old_offsets, old_text) = behind.map_or((&[0; 8][..], &[][..]), Index::name_parts);
        for (part, old, new) in [
            (Part::NameOffsets, old_offsets, self.offsets),
            (Part::Names, old_text, self.text),
        ] {
            out.begin(part)?;
            out.write(old)?;
            let failed = || AsmkError::io(&self.folder, "used for intermediate files");
            let mut file = new
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .map_err(failed())?;
            file.rewind().map_err(failed())?;
            let mut piece = vec![0; 1 << 16];
            loop {
                let count = file.read(&mut piece).map_err(failed())?;
                if count == 0 {
                    break;
                }
                out.write(&piece[..count])?;
            }
        }
        Ok(())
    }
}
