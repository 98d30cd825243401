//! A codebook: the visual words that local features are assigned to, and its file.

use crate::codebook_training::TrainingFeatures;
use bytemuck::cast_slice;
use serde::{Deserialize, Serialize};
use sightline_card::{Identity, sha256_reader};
use sightline_checkpoint::safetensors::{WriteError, write_safetensors};
use sightline_checkpoint::{File, ReadError, Tensor, Value, read};
use sightline_search::{Quantiser, Rows, SearchError};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The metadata's word for our own files.
const FORMAT: &str = "sightline-codebook";
/// The version that is written; all up to it can be read.
const FORMAT_VERSION: u32 = 1;
/// The tensor that holds the words.
const CENTROIDS: &str = "centroids";

/// Words of a codebook text such as `64k`: a whole number, times 1024 with `k`, times 1024² with `M` (as in asmk's
/// parameter files). None where it is none, or nothing.
///
/// ```
/// assert_eq!(sightline_local::codebook_size("64k"), Some(65536));
/// ```
#[must_use]
pub fn codebook_size(text: &str) -> Option<usize> {
    let (digits, factor) = match text.strip_suffix(['k', 'M']) {
        Some(digits) if text.ends_with('k') => (digits, 1024),
        Some(digits) => (digits, 1024 * 1024),
        None => (text, 1),
    };
    let number: usize = digits.parse().ok()?;
    number.checked_mul(factor).filter(|words| *words > 0)
}

/// How a codebook was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// `faiss` or `minibatch`.
    pub form: String,
    /// `random` or `plus-plus`.
    pub start: String,
    /// Passes over the descriptors, or batches.
    pub iterations: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// Which features of the file.
    pub features: TrainingFeatures,
    /// How many these were.
    pub vectors: usize,
    /// Mean squared distance of the descriptors from their words, before the last update.
    pub mean_distance: f64,
    /// What made the vectors, where their file says it.
    pub identity: Option<Identity>,
}

/// Visual words, `[words, dim]`.
#[derive(Clone, Debug)]
pub struct Codebook {
    dim: usize,
    centroids: Vec<f32>,
    /// How it was trained; codebooks of other makers do not say it.
    pub trained: Option<Trained>,
    /// The words made ready, once somebody asks.
    quantiser: OnceLock<Quantiser>,
}

/// Why a codebook could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum CodebookError {
    /// It could not be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The file is no codebook, or a damaged one.
    #[error(
        "{} cannot be used as a codebook: {reason}. A file of `sightline local codebook train` or a pickled Codebook of asmk is one.",
        .path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The words are none.
    #[error("These values are no codebook: {0}.")]
    Words(String),
    /// More words a descriptor than there are.
    #[error(
        "Each descriptor was to be assigned to {multiple} words, and the codebook has {words}: ask for 1 to {words}."
    )]
    Multiple {
        /// Words asked for.
        multiple: usize,
        /// Words there are.
        words: usize,
    },
    /// Descriptors of another length than the words.
    #[error(
        "The descriptors have {descriptors} values each and the words of the codebook {words}: use features of the network that the codebook was trained with."
    )]
    Dimension {
        /// Values of a descriptor.
        descriptors: usize,
        /// Values of a word.
        words: usize,
    },
    /// Descriptors that are not whole.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl Codebook {
    /// A codebook of `centroids`, `[words, dim]`.
    ///
    /// # Errors
    /// Where there is no word, the last one is not whole, there are 2^32 or more, or a value is no finite number.
    pub fn new(dim: usize, centroids: Vec<f32>) -> Result<Self, CodebookError> {
        let words = centroids.len().checked_div(dim).unwrap_or(0);
        let wrong = if words == 0 {
            format!(
                "{} values make no word of {dim} values, and it takes one at least",
                centroids.len()
            )
        } else if words * dim != centroids.len() {
            format!(
                "{} values are not a whole number of words of {dim} values",
                centroids.len()
            )
        } else if words >= u32::MAX as usize {
            format!("{words} words are more than 32 bits can number")
        } else if let Some(at) = centroids.iter().position(|value| !value.is_finite()) {
            format!(
                "word {} holds {}, which is no finite number",
                at / dim,
                centroids[at]
            )
        } else {
            return Ok(Self {
                dim,
                centroids,
                trained: None,
                quantiser: OnceLock::new(),
            });
        };
        Err(CodebookError::Words(wrong))
    }

    /// Values of a word, D.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many words there are, K.
    #[must_use]
    pub fn words(&self) -> usize {
        self.centroids.len() / self.dim
    }

    /// All words, `[K, D]`.
    #[must_use]
    pub fn centroids(&self) -> &[f32] {
        &self.centroids
    }

    /// One word, `[D]`.
    #[must_use]
    pub fn word(&self, index: u32) -> &[f32] {
        &self.centroids[index as usize * self.dim..(index as usize + 1) * self.dim]
    }

    /// SHA-256 of the words (little-endian f32, row by row), 64 lower-case hexadecimal digits: what two codebooks are
    /// told apart by.
    #[must_use]
    pub fn sha256(&self) -> String {
        // Reading memory does not fail.
        sha256_reader(cast_slice::<f32, u8>(&self.centroids)).unwrap_or_default()
    }

    /// The words made ready for many questions; the first call takes a copy of them.
    ///
    /// # Errors
    /// None that [`Codebook::new`] has not refused.
    pub fn quantiser(&self) -> Result<&Quantiser, CodebookError> {
        if let Some(ready) = self.quantiser.get() {
            return Ok(ready);
        }
        let ready = Quantiser::new(Rows::f32(&self.centroids, self.dim))?;
        Ok(self.quantiser.get_or_init(|| ready))
    }

    /// The `multiple` nearest words of each descriptor (`[n, D]`) by Euclidean distance, `[n, multiple]`, nearest first,
    /// the lower word first where two are equally near. Descriptors are taken as they are, not normalised. Works on
    /// rayon's current pool.
    ///
    /// # Errors
    /// Where `multiple` is 0 or larger than the codebook, or the descriptors are not whole.
    pub fn quantise(&self, descriptors: &[f32], multiple: usize) -> Result<Vec<u32>, CodebookError> {
        let words = self.words();
        if multiple == 0 || multiple > words {
            return Err(CodebookError::Multiple { multiple, words });
        }
        let found = self
            .quantiser()?
            .nearest(Rows::f32(descriptors, self.dim), multiple)?;
        Ok(found.into_iter().map(|word| word.index).collect())
    }

    /// Reads a codebook: one of [`Codebook::write`], or asmk's pickled one (`type`, `params`, `state.centroids`).
    ///
    /// # Errors
    /// When the file cannot be read, is none, is damaged or was written by a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CodebookError> {
        let path = path.as_ref();
        Self::from_file(&read(path)?).map_err(|reason| CodebookError::File {
            path: path.to_owned(),
            reason,
        })
    }

    /// The codebook in a file that has been read.
    ///
    /// # Errors
    /// A half sentence that says why it is none.
    pub fn from_file(file: &File) -> Result<Self, String> {
        let metadata = |key: &str| {
            let found = file.metadata.iter().find(|(name, _)| name == key);
            found.map(|(_, text)| text.as_str())
        };
        if metadata("format") != Some(FORMAT) {
            return Self::of_asmk(&file.value)
                .ok_or_else(|| format!("it is a {} that holds none", file.kind.describe()))?;
        }
        let version = metadata("format_version").unwrap_or("none");
        if !version
            .parse()
            .is_ok_and(|version: u32| (1..=FORMAT_VERSION).contains(&version))
        {
            return Err(format!(
                "it has format version {version}, and this program knows versions 1 to {FORMAT_VERSION}"
            ));
        }
        let tensor = file.value.get(CENTROIDS).and_then(Value::as_tensor);
        let tensor = tensor.ok_or_else(|| format!("it has no tensor \"{CENTROIDS}\""))?;
        let mut codebook = Self::of_tensor(tensor)?;
        if metadata("sha256") != Some(codebook.sha256().as_str()) {
            return Err("its words are not those that were written (the checksum differs)".to_owned());
        }
        codebook.trained = match metadata("trained") {
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("its account of the training is damaged ({error})"))?,
            None => None,
        };
        Ok(codebook)
    }

    /// asmk's stored form; None where the tree is another.
    fn of_asmk(value: &Value) -> Option<Result<Self, String>> {
        if value.get("type")?.as_str()? != "Codebook" {
            return None;
        }
        let tensor = value.get("state")?.get(CENTROIDS)?.as_tensor()?;
        Some(Self::of_tensor(tensor))
    }

    fn of_tensor(tensor: &Tensor) -> Result<Self, String> {
        let [_, dim] = *tensor.shape() else {
            return Err(format!(
                "its words have {} axes instead of 2",
                tensor.shape().len()
            ));
        };
        let text = |error: &dyn ToString| error.to_string().trim_end_matches('.').to_owned();
        let values = tensor.to_f32().map_err(|error| text(&error))?;
        Self::new(dim, values).map_err(|error| text(&error))
    }

    /// Writes the codebook as safetensors (tensor `centroids`, checksum and training in the metadata), beside `path`
    /// first. The same codebook gives the same bytes.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), CodebookError> {
        let tensor = Tensor::from_f32(vec![self.words(), self.dim], &self.centroids)
            .map_err(|error| CodebookError::Words(error.to_string().trim_end_matches('.').to_owned()))?;
        let mut metadata = vec![
            ("format".to_owned(), FORMAT.to_owned()),
            ("format_version".to_owned(), FORMAT_VERSION.to_string()),
            ("sha256".to_owned(), self.sha256()),
        ];
        if let Some(trained) = &self.trained {
            // Plain structs with text keys always serialise.
            let text = serde_json::to_string(trained).unwrap_or_default();
            metadata.push(("trained".to_owned(), text));
        }
        Ok(write_safetensors(
            path.as_ref(),
            &[(CENTROIDS, tensor)],
            &metadata,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sightline_checkpoint::read_bytes;

    #[test]
    fn sizes_are_read_as_asmk_reads_them() {
        for (text, want) in [
            ("64k", Some(65536)),
            ("2M", Some(2 << 20)),
            ("100", Some(100)),
            ("0", None),
            ("k", None),
            ("-1", None),
            ("99999999999999999M", None),
        ] {
            assert_eq!(codebook_size(text), want, "{text}");
        }
    }

    #[test]
    fn descriptors_meet_their_words() {
        let codebook = Codebook::new(2, vec![0.0, 0.0, 1.0, 1.0, 0.0, 0.0]).unwrap();
        assert_eq!(codebook.quantise(&[0.1, 0.0, 0.9, 1.0], 1).unwrap(), [0, 1]);
        assert_eq!(codebook.quantise(&[0.1, 0.0], 3).unwrap(), [0, 2, 1]);
        assert!(codebook.quantise(&[], 1).unwrap().is_empty());
        let error = codebook.quantise(&[0.1, 0.0], 4).unwrap_err();
        assert!(error.to_string().contains("1 to 3"), "{error}");
        assert!(codebook.quantise(&[0.1], 1).is_err());
    }

    #[test]
    fn values_that_are_no_words_are_refused() {
        for (dim, values) in [
            (0, vec![1.0]),
            (2, vec![]),
            (2, vec![1.0; 3]),
            (1, vec![f32::NAN]),
        ] {
            assert!(Codebook::new(dim, values).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_written_codebook_is_read_back(dim in 1..9_usize, words in 1..20_usize, first in -1e30_f32..1e30) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("c.safetensors");
            let values: Vec<f32> = (0..dim * words).map(|i| first / (i + 1) as f32).collect();
            let mut codebook = Codebook::new(dim, values).unwrap();
            codebook.trained = Some(Trained {
                form: "faiss".to_owned(),
                start: "random".to_owned(),
                iterations: 10,
                seed: 1234,
                features: TrainingFeatures::default(),
                vectors: 99,
                mean_distance: 0.1,
                identity: None,
            });
            codebook.write(&path).unwrap();
            let read = Codebook::open(&path).unwrap();
            prop_assert_eq!(read.centroids(), codebook.centroids());
            prop_assert_eq!((read.dim(), read.words(), &read.trained), (dim, words, &codebook.trained));
            // Any other value of the data is noticed.
            let mut bytes = std::fs::read(&path).unwrap();
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            prop_assert!(Codebook::from_file(&sightline_checkpoint::read_bytes(&bytes).unwrap()).is_err());
        }
    }

    #[test]
    fn a_file_of_version_1_is_read() {
        let bytes = include_bytes!("../tests/data/codebook-v1.safetensors");
        let codebook = Codebook::from_file(&read_bytes(bytes).unwrap()).unwrap();
        assert_eq!((codebook.words(), codebook.dim()), (3, 8));
        assert!(codebook.sha256().starts_with("5e2dfe986dc1"));
        let trained = codebook.trained.unwrap();
        assert_eq!(
            (trained.form.as_str(), trained.iterations, trained.vectors),
            ("faiss", 4, 80)
        );
        assert_eq!(trained.identity.unwrap().architecture, "resnet18:layer1/how-out8");
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_or_whole(
            cut in 0..1312_usize, places in prop::collection::vec((0..1312_usize, any::<u8>()), 0..4),
        ) {
            let mut bytes = include_bytes!("../tests/data/codebook-v1.safetensors").to_vec();
            for (place, byte) in &places {
                bytes[*place] = *byte;
            }
            bytes.truncate(1312 - cut);
            if let Ok(file) = read_bytes(&bytes)
                && let Ok(codebook) = Codebook::from_file(&file)
            {
                prop_assert!(codebook.words() * codebook.dim() == codebook.centroids().len() && codebook.words() > 0);
            }
        }
    }

    #[test]
    fn the_pickle_of_asmk_is_read() {
        // pickle.dumps({"type": "Codebook", "params": {"size": "2"}, "state": {"centroids": np.array([[1, 2], [3, 4]], "f4")}}, 4)
        let bytes = include_bytes!("../tests/data/asmk_codebook.pkl");
        let codebook = Codebook::from_file(&read_bytes(bytes).unwrap()).unwrap();
        assert_eq!(codebook.centroids(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(codebook.dim(), 2);
        let other = b"(dp0\nS'type'\np1\nS'IVF'\np2\ns.";
        let error = Codebook::from_file(&read_bytes(other).unwrap()).unwrap_err();
        assert!(error.contains("holds none"), "{error}");
    }
}
