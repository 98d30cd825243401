//! The journal of an unfinished extraction: the rows that are done, in the folder `OUTPUT.part` beside the output.
//!
//! `job.json` says what is being made (the card, with the day of its beginning); `rows.journal` is a chain of records, each
//! written in one piece:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the payload, little-endian |
//! | n · (16 + 4 + 4·L) | payload: for each of n pictures its key, the length L of its row and the row, 32-bit floats, little-endian |
//! | 8 | the first bytes of the payload's SHA-256 |
//!
//! A kill can only tear the last record. Opening keeps the records up to the first that is not whole and cuts the file there.
//! A picture's key covers its name, path, box, size and time of change, so rows stay good when the list of pictures changes,
//! and a picture that changed is described anew.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sightline_card::{Card, remarks, sha256};

use crate::error::ExtractError;

/// The version that is written. Another version's journal is not continued: it is short-lived.
const FORMAT_VERSION: u32 = 2;
const KEY: usize = 16;
const CHECKSUM: usize = 8;
/// A record is closed once its payload has so many bytes.
const RECORD: usize = 64 << 20;
/// Rows survive a kill at once, and a loss of power after so long.
const SYNC_EVERY: Duration = Duration::from_secs(2);

/// What `job.json` says.
#[derive(Serialize, Deserialize)]
struct Job {
    format_version: u32,
    card: Card,
}

/// Where a row lies in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    offset: u64,
    values: u32,
}

impl Place {
    /// Values of the row.
    pub(crate) fn values(self) -> usize {
        self.values as usize
    }
}

/// An open journal; no other process can have it open.
pub(crate) struct Journal {
    folder: PathBuf,
    path: PathBuf,
    card: Card,
    append: File,
    read: File,
    end: u64,
    rows: HashMap<[u8; KEY], Place>,
    synced: Instant,
    _lock: File,
}

/// The folder of an output's journal.
pub(crate) fn part_folder(output: &Path) -> PathBuf {
    let mut name = output.file_name().map(OsString::from).unwrap_or_default();
    name.push(".part");
    output.with_file_name(name)
}

impl Journal {
    /// Opens the journal of `output`, or begins one. `restart` throws away what is there.
    ///
    /// # Errors
    /// When another process has it open, it belongs to other settings, or the file system refuses.
    pub(crate) fn open(output: &Path, card: &Card, restart: bool) -> Result<Journal, ExtractError> {
        let folder = part_folder(output);
        fs::create_dir_all(&folder).map_err(ExtractError::io(&folder, "created"))?;
        let lock = lock(&folder, output)?;
        let (job_path, path) = (folder.join("job.json"), folder.join("rows.journal"));
        if restart {
            for file in [&job_path, &path] {
                remove_if_present(file)?;
            }
        }
        let card = match fs::read_to_string(&job_path) {
            Ok(text) => continued(&folder, &text, card)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Rows without a job would be of unknown make.
                remove_if_present(&path)?;
                let job = Job {
                    format_version: FORMAT_VERSION,
                    card: card.clone(),
                };
                let text = serde_json::to_string(&job).unwrap_or_default();
                write_whole(&job_path, text.as_bytes())?;
                card.clone()
            }
            Err(error) => return Err(ExtractError::io(&job_path, "read")(error)),
        };
        let append = OpenOptions::new().create(true).append(true).open(&path);
        let append = append.map_err(ExtractError::io(&path, "opened"))?;
        let read = File::open(&path).map_err(ExtractError::io(&path, "opened"))?;
        let (rows, end) = scan(&read).map_err(ExtractError::io(&path, "read"))?;
        append
            .set_len(end)
            .map_err(ExtractError::io(&path, "cut to its whole records"))?;
        Ok(Journal {
            folder,
            path,
            card,
            append,
            read,
            end,
            rows,
            synced: Instant::now(),
            _lock: lock,
        })
    }

    /// The card of the job, with the day on which it was begun.
    pub(crate) fn card(&self) -> &Card {
        &self.card
    }

    /// Whether no picture is done yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the row of a picture lies, if it is done.
    pub(crate) fn find(&self, key: &[u8; KEY]) -> Option<Place> {
        self.rows.get(key).copied()
    }

    /// Appends rows that belong together, as one record unless they are many, and says where each lies.
    pub(crate) fn append(&mut self, rows: &[([u8; KEY], &[f32])]) -> Result<Vec<Place>, ExtractError> {
        let mut places = Vec::with_capacity(rows.len());
        let mut left = rows;
        while !left.is_empty() {
            let mut bytes = 0;
            let count = left.iter().take_while(|(_, row)| {
                let before = bytes;
                bytes += KEY + 4 + 4 * row.len();
                before == 0 || bytes <= RECORD
            });
            let (record, rest) = left.split_at(count.count());
            self.append_record(record, &mut places)?;
            left = rest;
        }
        for ((key, _), place) in rows.iter().zip(&places) {
            self.rows.insert(*key, *place);
        }
        if self.synced.elapsed() > SYNC_EVERY {
            self.append
                .sync_data()
                .map_err(ExtractError::io(&self.path, "written"))?;
            self.synced = Instant::now();
        }
        Ok(places)
    }

    fn append_record(
        &mut self,
        rows: &[([u8; KEY], &[f32])],
        places: &mut Vec<Place>,
    ) -> Result<(), ExtractError> {
        let payload: usize = rows.iter().map(|(_, row)| KEY + 4 + 4 * row.len()).sum();
        let too_large = |_| self.broken("a record is too large");
        let mut record = Vec::with_capacity(4 + payload + CHECKSUM);
        record.extend(u32::try_from(payload).map_err(too_large)?.to_le_bytes());
        for (key, row) in rows {
            let values = u32::try_from(row.len()).map_err(too_large)?;
            record.extend(key);
            record.extend(values.to_le_bytes());
            places.push(Place {
                offset: self.end + record.len() as u64,
                values,
            });
            record.extend(row.iter().flat_map(|value| value.to_le_bytes()));
        }
        let checksum = sha256(&record[4..]);
        record.extend(&checksum[..CHECKSUM]);
        self.append
            .write_all(&record)
            .map_err(ExtractError::io(&self.path, "written"))?;
        self.end += record.len() as u64;
        Ok(())
    }

    /// Reads the row at a place that [`Journal::find`] or [`Journal::append`] gave.
    pub(crate) fn row(&mut self, place: Place) -> Result<Vec<f32>, ExtractError> {
        let mut bytes = vec![0; 4 * place.values()];
        let read = self
            .read
            .seek(SeekFrom::Start(place.offset))
            .and_then(|_| self.read.read_exact(&mut bytes));
        read.map_err(ExtractError::io(&self.path, "read"))?;
        Ok(bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|&value| f32::from_le_bytes(value))
            .collect())
    }

    /// A place for a temporary file.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.folder.join("set.tmp")
    }

    /// Removes the journal: the output is in its place.
    pub(crate) fn remove(self) -> Result<(), ExtractError> {
        let Journal {
            folder,
            append,
            read,
            _lock,
            ..
        } = self;
        // Some systems remove no file that is open.
        drop((append, read, _lock));
        fs::remove_dir_all(&folder).map_err(ExtractError::io(&folder, "removed"))
    }

    fn broken(&self, reason: &str) -> ExtractError {
        ExtractError::Journal {
            part: self.folder.clone(),
            reason: reason.to_owned(),
        }
    }
}

fn lock(folder: &Path, output: &Path) -> Result<File, ExtractError> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(ExtractError::io(&path, "created"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ExtractError::Busy {
            output: output.to_path_buf(),
        }),
        // Some network file systems have no locks; then nobody watches over two processes at one output.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(ExtractError::io(&path, "locked")(error)),
    }
}

/// Checks that the job in `text` is the one with `card`; its card has the day of the beginning.
fn continued(folder: &Path, text: &str, card: &Card) -> Result<Card, ExtractError> {
    let broken = |reason: String| ExtractError::Journal {
        part: folder.to_path_buf(),
        reason,
    };
    let job: Job = serde_json::from_str(text)
        .map_err(|error| broken(format!("its job.json is unreadable ({error})")))?;
    if job.format_version != FORMAT_VERSION {
        return Err(broken(format!(
            "it was begun by another version of Sightline (journal {})",
            job.format_version
        )));
    }
    let mut differences = job.card.differences(card);
    // Half a set from one runtime and half from another would have no true card.
    differences.extend(remarks(&job.card, card));
    if differences.is_empty() {
        return Ok(job.card);
    }
    let listed: Vec<String> = differences
        .iter()
        .map(|difference| {
            format!(
                "{} was {} and is now {}",
                difference.field, difference.left, difference.right
            )
        })
        .collect();
    Err(ExtractError::OtherJob {
        part: folder.to_path_buf(),
        differences: listed.join("; "),
    })
}

/// All whole records from the beginning: where the row of each key lies, and where the last whole record ends.
fn scan(file: &File) -> io::Result<(HashMap<[u8; KEY], Place>, u64)> {
    let size = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut rows = HashMap::new();
    let mut end = 0u64;
    let mut payload = Vec::new();
    loop {
        let mut length = [0; 4];
        if end.saturating_add(4) > size {
            break;
        }
        reader.read_exact(&mut length)?;
        let length = u64::from(u32::from_le_bytes(length));
        // The length is checked against the file before anything is allocated by it.
        if length == 0 || end + 4 + length + CHECKSUM as u64 > size {
            break;
        }
        payload.resize(length as usize, 0);
        reader.read_exact(&mut payload)?;
        let mut checksum = [0; CHECKSUM];
        reader.read_exact(&mut checksum)?;
        let true_record = sha256(&payload)[..CHECKSUM] == checksum;
        let Some(found) = rows_of(&payload, end + 4).filter(|_| true_record) else {
            break;
        };
        rows.extend(found);
        end += 4 + length + CHECKSUM as u64;
    }
    Ok((rows, end))
}

/// The rows of a payload that begins at `start` of the file; none if they do not fill it exactly.
fn rows_of(payload: &[u8], start: u64) -> Option<Vec<([u8; KEY], Place)>> {
    let mut rows = Vec::new();
    let mut rest = payload;
    while !rest.is_empty() {
        let (key, after) = rest.split_first_chunk::<KEY>()?;
        let (values, after) = after.split_first_chunk::<4>()?;
        let values = u32::from_le_bytes(*values);
        let offset = start + (payload.len() - after.len()) as u64;
        rest = after.get(usize::try_from(values).ok()?.checked_mul(4)?..)?;
        rows.push((*key, Place { offset, values }));
    }
    Some(rows)
}

/// Writes a small file beside its place and renames it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ExtractError> {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(ExtractError::io(&temporary, "written"))?;
    fs::rename(&temporary, path).map_err(ExtractError::io(path, "put in its place"))
}

pub(crate) fn remove_if_present(path: &Path) -> Result<(), ExtractError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ExtractError::io(path, "removed")(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sightline_card::{Circumstances, Identity, Scales};

    fn card(dim: usize) -> Card {
        let identity = Identity {
            architecture: "test".to_owned(),
            weights: "00".repeat(32),
            recipe: serde_json::json!({"size": 512}),
            scales: Scales::single(),
            whitening: None,
            dim,
            seed: None,
            local: None,
        };
        Card::new(
            identity,
            Circumstances {
                date: "2026-05-01".to_owned(),
                ..Circumstances::default()
            },
        )
    }

    fn key(i: u8) -> [u8; KEY] {
        [i; KEY]
    }

    /// Row i: rows may differ in length, and be empty.
    fn row(i: u8) -> Vec<f32> {
        vec![f32::from(i); usize::from(i % 4)]
    }

    /// A journal of five records with 1, 2, 3, 1, 2 rows.
    fn filled(output: &Path) -> Vec<u64> {
        let mut journal = Journal::open(output, &card(3), false).unwrap();
        let mut ends = vec![0];
        let mut next = 0u8;
        for count in [1, 2, 3, 1, 2] {
            let rows: Vec<([u8; KEY], Vec<f32>)> = (next..next + count).map(|i| (key(i), row(i))).collect();
            let rows: Vec<([u8; KEY], &[f32])> = rows.iter().map(|(key, row)| (*key, &row[..])).collect();
            let places = journal.append(&rows).unwrap();
            assert_eq!(places.len(), rows.len());
            next += count;
            ends.push(journal.end);
        }
        ends
    }

    #[test]
    fn rows_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("set.safetensors");
        filled(&output);
        let mut journal = Journal::open(&output, &card(3), false).unwrap();
        for i in 0..9 {
            let place = journal.find(&key(i)).unwrap();
            assert_eq!(journal.row(place).unwrap(), row(i));
        }
        assert_eq!(journal.find(&key(9)), None);
        journal.remove().unwrap();
        assert!(!part_folder(&output).exists());
    }

    /// Cut anywhere, a journal keeps exactly the records before the cut, and goes on from there.
    #[test]
    fn a_torn_tail_is_dropped_wherever_it_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("set.safetensors");
        let ends = filled(&output);
        let path = part_folder(&output).join("rows.journal");
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&output, &card(3), false).unwrap();
            let kept = ends.iter().rposition(|end| *end <= cut as u64).unwrap();
            assert_eq!(journal.rows.len(), [0, 1, 3, 6, 7, 9][kept]);
            assert_eq!(fs::metadata(&path).unwrap().len(), ends[kept]);
            let place = journal.append(&[(key(100), &[1.0, 2.0, 3.0])]).unwrap()[0];
            assert_eq!(journal.row(place).unwrap(), [1.0, 2.0, 3.0]);
            drop(journal);
            let again = Journal::open(&output, &card(3), false).unwrap();
            assert_eq!(again.find(&key(100)), Some(place));
        }
    }

    proptest! {
        /// Whatever is written over the journal, opening works, and no row is wrong.
        #[test]
        fn damage_never_gives_a_wrong_row(place: prop::sample::Index, byte: u8, zeros in 0usize..50) {
            let folder = tempfile::tempdir().unwrap();
            let output = folder.path().join("set.safetensors");
            filled(&output);
            let path = part_folder(&output).join("rows.journal");
            let mut bytes = fs::read(&path).unwrap();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            bytes.resize(bytes.len() + zeros, 0);
            fs::write(&path, bytes).unwrap();
            let mut journal = Journal::open(&output, &card(3), false).unwrap();
            for i in 0..9 {
                if let Some(place) = journal.find(&key(i)) {
                    prop_assert_eq!(journal.row(place).unwrap(), row(i));
                }
            }
        }
    }

    #[test]
    fn other_settings_are_refused_and_another_day_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("set.safetensors");
        filled(&output);
        let mut later = card(3);
        later.circumstances.date = "2026-05-02".to_owned();
        assert_eq!(
            Journal::open(&output, &later, false)
                .unwrap()
                .card()
                .circumstances
                .date,
            "2026-05-01"
        );
        let mut other = card(3);
        other.identity.recipe["size"] = 1024.into();
        let message = Journal::open(&output, &other, false).err().unwrap().to_string();
        assert!(
            message.contains("recipe.size was 512 and is now 1024"),
            "{message}"
        );
        let mut device = card(3);
        device.circumstances.device = "cuda".to_owned();
        assert!(matches!(
            Journal::open(&output, &device, false),
            Err(ExtractError::OtherJob { .. })
        ));
        let journal = Journal::open(&output, &other, true).unwrap();
        assert!(journal.is_empty());
    }

    #[test]
    fn two_at_once_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("set.safetensors");
        let _first = Journal::open(&output, &card(3), false).unwrap();
        assert!(matches!(
            Journal::open(&output, &card(3), false),
            Err(ExtractError::Busy { .. })
        ));
    }

    #[test]
    fn a_broken_job_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("set.safetensors");
        filled(&output);
        fs::write(part_folder(&output).join("job.json"), "{\"format_version\":").unwrap();
        let message = Journal::open(&output, &card(3), false).err().unwrap().to_string();
        assert!(message.contains("--restart"), "{message}");
        assert!(Journal::open(&output, &card(3), true).is_ok());
    }
}
