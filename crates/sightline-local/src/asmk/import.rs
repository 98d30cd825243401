//! Taking over what jenicek/asmk and gtolias/how have stored: a pickled inverted file, and aggregated partitions.

use super::AsmkError;
use super::aggregate::Aggregated;
use super::bits::BITS;
use super::builder::Builder;
use super::card::AsmkCard;
use super::index::MOST_DIM;
use super::layout::{Footer, Part, SectionWriter};
use crate::Codebook;
use sightline_checkpoint::{Dtype, File, Tensor, TensorError, Value};
use std::path::Path;

/// Ids without a picture that a partition may leave out before one: those of pictures without features, or of the partitions
/// before. Each takes place in the index, and a damaged file must not fill the disk.
const MOST_SKIPPED: usize = 1 << 24;

/// A pickled inverted file of jenicek/asmk, ready to be written.
#[derive(Debug)]
pub struct ForeignIndex<'a> {
    source: &'a Path,
    card: AsmkCard,
    images: usize,
    distractors: usize,
    idf: Vec<f32>,
    norms: Vec<f64>,
    counts: Vec<usize>,
    ids: &'a [Value],
    vectors: &'a [Value],
}

/// Whether a file that was read is a pickled inverted file of jenicek/asmk.
#[must_use]
pub fn is_foreign_index(file: &File) -> bool {
    file.value.get("type").and_then(Value::as_str) == Some("IVF")
}

impl<'a> ForeignIndex<'a> {
    /// Understands a pickle that was read from `source`. The pickle says neither the codebook nor how long descriptors
    /// were before their signs were packed nor how many words a feature had; so they are asked for.
    ///
    /// # Errors
    /// When something is missing, of another kind, or does not fit the rest or the codebook.
    pub fn new(
        source: &'a Path,
        file: &'a File,
        codebook: Option<&Codebook>,
        assignment: usize,
    ) -> Result<Self, AsmkError> {
        let refuse = |reason: &str| AsmkError::Foreign {
            path: source.to_path_buf(),
            reason: reason.to_owned(),
        };
        let state = file.value.get("state").filter(|_| is_foreign_index(file));
        let state = state.ok_or_else(|| refuse("it is no inverted file"))?;
        let part = |name: &str| {
            state
                .get(name)
                .ok_or_else(|| refuse(&format!("it has no {name}")))
        };
        let count = |value: &Value, what: &str| {
            let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
            number
                .map(|number| number as usize)
                .ok_or_else(|| refuse(&format!("its {what} is no number of images")))
        };
        let use_idf = file.value.get("params").and_then(|params| params.get("use_idf"));
        let use_idf = use_idf.and_then(Value::as_bool);
        let images = count(part("n_images")?, "n_images")?;
        let distractors = match state.get("imid_offset") {
            Some(offset) => count(offset, "imid_offset")?,
            None => 0,
        };
        let lists = |name: &str| {
            part(name)?
                .as_list()
                .ok_or_else(|| refuse(&format!("its {name} is no list")))
        };
        let (ids, vectors) = (lists("ivf_image_ids")?, lists("ivf_vecs")?);
        let values = |name: &str| -> Result<Vec<f64>, AsmkError> {
            match part(name)? {
                list if list.as_list().is_some_and(<[Value]>::is_empty) => Ok(Vec::new()),
                value => value
                    .as_tensor()
                    .and_then(|tensor| tensor.to_f64().ok())
                    .ok_or_else(|| refuse(&format!("its {name} is no array of numbers"))),
            }
        };
        let counts = values("counts")?;
        // No list is longer than there are images.
        if let Some(wrong) = counts
            .iter()
            .find(|count| !(0.0..=images as f64).contains(*count))
        {
            return Err(refuse(&format!(
                "a word has {wrong} entries and there are {images} images"
            )));
        }
        let counts: Vec<usize> = counts.into_iter().map(|count| count as usize).collect();
        let idf: Vec<f32> = values("idf")?.iter().map(|idf| *idf as f32).collect();
        let norms = values("norm_factor")?;
        let words = counts.len();
        if [idf.len(), ids.len(), vectors.len()] != [words; 3]
            || norms.len() != images
            || distractors > images
        {
            return Err(refuse("its parts are for different numbers of words or images"));
        }
        let first = vectors.iter().find_map(Value::as_tensor);
        let (binary, units) = match first {
            Some(tensor) => match *tensor.shape() {
                [_, units] => (tensor.dtype() == Dtype::U32, units),
                _ => return Err(refuse("its vectors are no rows")),
            },
            None => (true, codebook.map_or(0, |codebook| codebook.dim().div_ceil(BITS))),
        };
        let dim = match (codebook, binary) {
            (Some(codebook), _) => codebook.dim(),
            (None, true) => units.saturating_mul(BITS),
            (None, false) => units,
        };
        let card = AsmkCard {
            binary,
            dim,
            words,
            codebook: codebook.map(Codebook::sha256).unwrap_or_default(),
            idf: use_idf.ok_or_else(|| refuse("its params do not say use_idf"))?,
            assignment,
            features: None,
        };
        if dim == 0
            || dim > MOST_DIM
            || card.units() != units
            || codebook.is_some_and(|book| book.words() != words)
        {
            return Err(refuse("it was not made with this codebook"));
        }
        Ok(Self {
            source,
            card,
            images,
            distractors,
            idf,
            norms,
            counts,
            ids,
            vectors,
        })
    }

    /// What is known of what made it.
    #[must_use]
    pub fn card(&self) -> &AsmkCard {
        &self.card
    }

    /// Writes it as an [`Index`](super::Index), idf and norms as they are. Images are called by `names`, or by their
    /// numbers where there are none.
    ///
    /// # Errors
    /// When lists do not fit their counts, images are out of order, there are other than `n_images` names, or the disk
    /// refuses.
    pub fn write(&self, path: &Path, names: Option<&[String]>) -> Result<(), AsmkError> {
        let refuse = |reason: String| AsmkError::Foreign {
            path: self.source.to_path_buf(),
            reason,
        };
        if let Some(names) = names.filter(|names| names.len() != self.images) {
            let reason = format!(
                "it has {} images, and there are {} names",
                self.images,
                names.len()
            );
            return Err(refuse(reason));
        }
        let entries: usize = self.counts.iter().sum();
        let mut out = SectionWriter::create(path)?;
        out.begin(Part::Offsets)?;
        let mut offset = 0_u64;
        out.write(&offset.to_le_bytes())?;
        for count in &self.counts {
            offset += *count as u64;
            out.write(&offset.to_le_bytes())?;
        }
        let wrong = |word: usize| {
            refuse(format!(
                "the entries of its word {word} are not as many as it says, or no numbers"
            ))
        };
        out.begin(Part::Ids)?;
        for (word, (list, count)) in self.ids.iter().zip(&self.counts).enumerate() {
            let ids = first_rows(list, *count, 1, Tensor::to_i64).ok_or_else(|| wrong(word))?;
            let in_order =
                ids.is_sorted_by(|a, b| a < b) && ids.iter().all(|id| (0..self.images as i64).contains(id));
            if !in_order {
                return Err(refuse(format!("the images of its word {word} are out of order")));
            }
            for id in ids {
                out.write(&(id as u32).to_le_bytes())?;
            }
        }
        out.begin(Part::Vectors)?;
        for (word, (list, count)) in self.vectors.iter().zip(&self.counts).enumerate() {
            let rows = first_rows(list, *count, self.card.units(), |rows| {
                units_of(rows, self.card.binary)
            });
            out.write(bytemuck::cast_slice(&rows.ok_or_else(|| wrong(word))?))?;
        }
        out.begin(Part::Idf)?;
        out.write(bytemuck::cast_slice(&self.idf))?;
        out.begin(Part::Norms)?;
        out.write(bytemuck::cast_slice(&self.norms))?;
        let name = |image: usize| match names {
            Some(names) => names[image].clone(),
            None => (image as i64 - self.distractors as i64).to_string(),
        };
        out.begin(Part::NameOffsets)?;
        let mut offset = 0_u64;
        out.write(&offset.to_le_bytes())?;
        for image in 0..self.images {
            offset += name(image).len() as u64;
            out.write(&offset.to_le_bytes())?;
        }
        out.begin(Part::Names)?;
        for image in 0..self.images {
            out.write(name(image).as_bytes())?;
        }
        out.finish(Footer {
            card: self.card.clone(),
            images: self.images as u64,
            entries: entries as u64,
            distractors: self.distractors as u64,
            sections: Vec::new(),
        })
    }
}

/// The first `count` rows of an array of rows of `units` values. The arrays have slack behind them; words without
/// entries have none.
fn first_rows<T>(
    list: &Value,
    count: usize,
    units: usize,
    values: impl Fn(&Tensor) -> Result<Vec<T>, TensorError>,
) -> Option<Vec<T>> {
    if count == 0 {
        return Some(Vec::new());
    }
    let tensor = list.as_tensor()?;
    let rows = *tensor.shape().first()?;
    if tensor.len() != rows.checked_mul(units)? || count > rows {
        return None;
    }
    let mut values = values(tensor).ok()?;
    values.truncate(count * units);
    Some(values)
}

/// Packed signs, or the bits of 32-bit floats.
fn units_of(rows: &Tensor, binary: bool) -> Result<Vec<u32>, TensorError> {
    Ok(if binary {
        rows.to_i64()?.into_iter().map(|value| value as u32).collect()
    } else {
        rows.to_f32()?.into_iter().map(f32::to_bits).collect()
    })
}

impl Builder {
    /// Adds an aggregated partition of gtolias/how (a dictionary of `des`, `word_ids` and `image_ids`); images are called by
    /// their numbers. Partitions come in the order of their ids, which are moved up behind distractors.
    ///
    /// # Errors
    /// When the file is no such partition, its images do not follow those of before, or it does not fit the index.
    pub fn push_partition(&mut self, source: &Path, file: &File) -> Result<(), AsmkError> {
        let refuse = |reason: &str| AsmkError::Foreign {
            path: source.to_path_buf(),
            reason: reason.to_owned(),
        };
        let part = |name: &str| {
            let tensor = file.value.get(name).and_then(Value::as_tensor);
            tensor.ok_or_else(|| refuse(&format!("it has no array {name}")))
        };
        let whole = |name: &str| {
            let numbers = part(name)?.to_i64();
            numbers.map_err(|_| refuse(&format!("its {name} are no whole numbers")))
        };
        let (words, ids, des) = (whole("word_ids")?, whole("image_ids")?, part("des")?);
        let units =
            units_of(des, self.card().binary).map_err(|_| refuse("its des are not of the index's form"))?;
        let each = self.card().units();
        if words.len() != ids.len() || units.len() != ids.len() * each {
            return Err(refuse(
                "its arrays are of different lengths, or not of the index's form",
            ));
        }
        let words = words
            .into_iter()
            .map(u32::try_from)
            .collect::<Result<Vec<_>, _>>();
        let words = words.map_err(|_| refuse("a word is negative or beyond 32 bits"))?;
        let mut at = 0;
        for of_image in ids.chunk_by(|a, b| a == b) {
            let id = usize::try_from(of_image[0]).map_err(|_| refuse("an image id is negative"))?;
            let range = at..at + of_image.len();
            let aggregated = Aggregated {
                words: words[range.clone()].to_vec(),
                units: units[range.start * each..range.end * each].to_vec(),
            };
            let id_here = id.saturating_add(self.distractors());
            if id_here.saturating_sub(self.next_id()) > MOST_SKIPPED {
                return Err(refuse(&format!(
                    "image {id} leaves out more than {MOST_SKIPPED} ids before it"
                )));
            }
            self.skip_to(id_here)?;
            self.push(&id.to_string(), &aggregated)?;
            at = range.end;
        }
        Ok(())
    }
}
