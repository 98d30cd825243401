//! The inverted file against the original's steps written down plainly, for random images.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use sightline_checkpoint::Storage;
use sightline_checkpoint::formula::uniform;
use sightline_local::asmk::{
    Aggregated, AsmkCard, AsmkError, BuildSettings, Builder, Index, MatchKernel, Vectors, aggregate, remove,
    search,
};
use std::path::Path;

const WORDS: usize = 12;

/// An index as the original keeps it: for each word its vectors and images.
struct Plain {
    lists: Vec<Vec<(u32, Vec<u32>)>>,
    idf: Vec<f32>,
    norms: Vec<f64>,
}

impl Plain {
    fn new() -> Self {
        Self {
            lists: vec![Vec::new(); WORDS],
            idf: vec![1.0; WORDS],
            norms: Vec::new(),
        }
    }

    fn add(&mut self, images: &[(u32, Aggregated)], units: usize, use_idf: bool, total: usize) {
        for (id, image) in images {
            for (word, vector) in image.words.iter().zip(image.units.chunks(units)) {
                let list = &mut self.lists[*word as usize];
                list.push((*id, vector.to_vec()));
                if use_idf {
                    self.idf[*word as usize] = ((total as f64 / list.len() as f64).ln().powi(2)) as f32;
                }
            }
        }
        self.norms = vec![0.0; total];
        for (list, idf) in self.lists.iter().zip(&self.idf) {
            for (id, _) in list {
                self.norms[*id as usize] += f64::from(*idf);
            }
        }
    }

    /// Scores of all images, each term rounded as the original does.
    fn scores(&self, query: &Aggregated, card: &AsmkCard, kernel: &MatchKernel) -> Vec<f64> {
        let units = card.units();
        let mut scores = vec![0.0_f64; self.norms.len()];
        let mut norm = 0.0;
        for (word, vector) in query.words.iter().zip(query.units.chunks(units)) {
            let idf = self.idf[*word as usize];
            norm += f64::from(idf);
            for (id, entry) in &self.lists[*word as usize] {
                let similarity = if card.binary {
                    let bits: u32 = vector.iter().zip(entry).map(|(a, b)| (a ^ b).count_ones()).sum();
                    1.0 - 2.0 * (bits as f32 / (32 * units) as f32)
                } else {
                    let product = |(a, b): (&u32, &u32)| f32::from_bits(*a) * f32::from_bits(*b);
                    vector.iter().zip(entry).map(product).sum()
                };
                if similarity >= kernel.threshold {
                    let term = f64::from(similarity.powf(kernel.alpha) * idf);
                    scores[*id as usize] += f64::from((term / self.norms[*id as usize].sqrt()) as f32);
                }
            }
        }
        for (score, own) in scores.iter_mut().zip(&self.norms) {
            *score = if norm == 0.0 || *own == 0.0 {
                0.0
            } else {
                *score / norm.sqrt()
            };
        }
        scores
    }
}

fn image(name: &str, seed: u64, features: usize, dim: usize, multiple: usize, binary: bool) -> Aggregated {
    let values: Vec<f32> = uniform(name, seed, features * dim)
        .iter()
        .map(|v| *v as f32)
        .collect();
    let assigned: Vec<u32> = uniform(&format!("{name}.words"), seed, features * multiple)
        .iter()
        .map(|v| ((v + 1.0) * v.abs() * 6.0) as u32 % WORDS as u32)
        .collect();
    aggregate(
        &values,
        dim,
        &assigned,
        multiple,
        &vec![0.01; WORDS * dim],
        binary,
    )
}

fn card(binary: bool, dim: usize, idf: bool) -> AsmkCard {
    AsmkCard {
        binary,
        dim,
        words: WORDS,
        codebook: String::new(),
        idf,
        assignment: 1,
        features: None,
    }
}

fn in_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

/// What a case is made of.
#[derive(Clone, Debug)]
struct Setting {
    binary: bool,
    dim: usize,
    idf: bool,
    kernel: MatchKernel,
    /// Images of each call of add.
    adds: Vec<usize>,
    holes: bool,
    seed: u64,
}

fn setting() -> impl Strategy<Value = Setting> {
    let kernel = (
        prop_oneof![Just(3.0_f32), Just(1.0), Just(2.0)],
        prop_oneof![Just(0.0_f32), Just(0.125), Just(-1.0)],
    );
    let adds = prop::collection::vec(1_usize..20, 1..4);
    (
        any::<bool>(),
        1_usize..140,
        any::<bool>(),
        kernel,
        adds,
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(binary, dim, idf, (alpha, threshold), adds, holes, seed)| Setting {
                binary,
                dim,
                idf,
                kernel: MatchKernel { alpha, threshold },
                adds,
                holes,
                seed,
            },
        )
}

/// Builds both, with intermediate files of a few entries.
fn both(setting: &Setting, path: &Path) -> (Index, Plain) {
    let card = card(setting.binary, setting.dim, setting.idf);
    let settings = BuildSettings { memory: 2000 };
    let mut plain = Plain::new();
    for (call, count) in setting.adds.iter().enumerate() {
        let mut builder = match call {
            0 => Builder::new(path, card.clone(), settings).unwrap(),
            _ => Builder::adding_to(path, Index::open(path).unwrap(), settings).unwrap(),
        };
        let mut images = Vec::new();
        for i in 0..*count {
            if setting.holes && i % 3 == 1 {
                builder.skip_to(builder.next_id() + 2).unwrap();
            }
            let id = builder.next_id() as u32;
            let name = format!("picture {id}");
            let one = image(&name, setting.seed, i * 5 % 23, setting.dim, 2, setting.binary);
            assert_eq!(builder.push(&name, &one).unwrap(), id);
            images.push((id, one));
        }
        let total = builder.next_id();
        builder.finish(&mut |_, _| {}).unwrap();
        plain.add(&images, card.units(), setting.idf, total);
    }
    (Index::open(path).unwrap(), plain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn search_gives_what_the_plain_steps_give(setting in setting()) {
        let folder = tempfile::tempdir().unwrap();
        let (index, plain) = both(&setting, &folder.path().join("x.sasmk"));
        index.verify().unwrap();
        prop_assert_eq!(index.idf(), &plain.idf[..]);
        prop_assert_eq!(index.norms(), &plain.norms[..]);
        let queries: Vec<_> = (0..3)
            .map(|q| image("query", setting.seed ^ q, 20 * q as usize, setting.dim, 5, setting.binary))
            .collect();
        let found = in_threads(1, || search(&index, &queries, &setting.kernel, None)).unwrap();
        prop_assert_eq!(&in_threads(3, || search(&index, &queries, &setting.kernel, None)).unwrap(), &found);
        for (query, found) in queries.iter().zip(&found) {
            let scores = plain.scores(query, index.card(), &setting.kernel);
            let exist: Vec<u32> = (0..index.images() as u32).filter(|id| index.name(*id).is_some()).collect();
            let mut ids: Vec<u32> = found.iter().map(|hit| hit.id).collect();
            for pair in found.windows(2) {
                prop_assert!((-pair[0].score, pair[0].id) < (-pair[1].score, pair[1].id));
            }
            for hit in found {
                let want = scores[hit.id as usize];
                prop_assert!((hit.score - want).abs() <= 1e-6 + 1e-5 * want.abs(), "{} {want}", hit.score);
            }
            ids.sort_unstable();
            prop_assert_eq!(ids, exist);
        }
        // The few best are the first of all.
        for (few, all) in search(&index, &queries, &setting.kernel, Some(4)).unwrap().iter().zip(&found) {
            prop_assert_eq!(&few[..], &all[..all.len().min(4)]);
        }
    }

    /// The whole file does not depend on how much fits into memory.
    #[test]
    fn intermediate_files_change_no_byte(setting in setting()) {
        let folder = tempfile::tempdir().unwrap();
        let files = [500, 1 << 20].map(|memory| {
            let path = folder.path().join(format!("{memory}"));
            let card = card(setting.binary, setting.dim, setting.idf);
            let mut builder = Builder::new(&path, card, BuildSettings { memory }).unwrap();
            for i in 0..20 {
                let one = image("same", setting.seed + i, i as usize, setting.dim, 1, setting.binary);
                builder.push(&format!("{i}"), &one).unwrap();
            }
            builder.finish(&mut |_, _| {}).unwrap();
            std::fs::read(path).unwrap()
        });
        prop_assert!(files[0] == files[1]);
    }

    /// Removed images answer no more, and the others as if those had never had features.
    #[test]
    fn what_is_removed_is_gone(mut setting in setting(), which in any::<u64>()) {
        setting.adds.truncate(1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sasmk");
        let (index, _) = both(&setting, &path);
        let exist: Vec<u32> = (0..index.images() as u32).filter(|id| index.name(*id).is_some()).collect();
        let (gone, left): (Vec<u32>, Vec<u32>) = exist.iter().partition(|id| which >> (*id % 64) & 1 == 1);
        remove(&index, &gone, &path, &mut |_, _| {}).unwrap();
        let after = Index::open(&path).unwrap();
        after.verify().unwrap();
        prop_assert_eq!(after.images(), index.images());
        for word in 0..WORDS as u32 {
            let kept: Vec<u32> = index.entries_of(word).0.iter().copied().filter(|id| left.contains(id)).collect();
            prop_assert_eq!(after.entries_of(word).0, &kept[..]);
            let units = index.card().units();
            let of = |index: &Index, id: &u32| {
                let (ids, vectors) = index.entries_of(word);
                let at = ids.binary_search(id).unwrap();
                match vectors {
                    Vectors::Binary(all) => all[at * units..(at + 1) * units].to_vec(),
                    Vectors::Float(all) => all[at * units..(at + 1) * units].iter().map(|v| v.to_bits()).collect(),
                }
            };
            for id in &kept {
                prop_assert_eq!(of(&after, id), of(&index, id));
            }
        }
        let query = image("query", setting.seed, 30, setting.dim, 3, setting.binary);
        let mut found: Vec<u32> = search(&after, &[query], &setting.kernel, None).unwrap()[0].iter().map(|hit| hit.id).collect();
        found.sort_unstable();
        prop_assert_eq!(found, left.clone());
        if let Some(id) = gone.first() {
            let again = remove(&after, &[*id], &path, &mut |_, _| {});
            prop_assert!(again.is_err());
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_or_found_by_verifying(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sasmk");
        let setting = Setting { binary: true, dim: 40, idf: true, kernel: MatchKernel::default(), adds: vec![6, 4], holes: true, seed: 1 };
        drop(both(&setting, &path));
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        let padding_or_version = at < 64;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        match Index::from_storage(&path, &Storage::from_vec(bytes.clone())) {
            Err(error) => prop_assert!(error.to_string().ends_with('.')),
            Ok(index) => {
                prop_assert!(!cut);
                let query = image("query", 5, 30, 40, 3, true);
                let _ = search(&index, &[query], &MatchKernel::default(), None).unwrap();
                // Bytes between sections belong to nothing.
                let unused = bytes[at] == 1 << bit;
                prop_assert!(index.verify().is_err() || unused || padding_or_version);
            }
        }
    }
}

#[test]
fn distractors_have_negative_numbers_and_the_database_begins_at_0() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["d.sasmk", "all.sasmk"].map(|name| folder.path().join(name));
    let mut builder = Builder::new(&paths[0], card(true, 64, false), BuildSettings::default()).unwrap();
    for i in 0..3 {
        builder
            .push(&format!("d{i}"), &image("d", i, 20, 64, 1, true))
            .unwrap();
    }
    builder.finish(&mut |_, _| {}).unwrap();
    let base = Index::open(&paths[0]).unwrap();
    let mut builder = Builder::onto_distractors(&paths[1], base, BuildSettings::default()).unwrap();
    let query = image("q", 9, 20, 64, 1, true);
    builder.push("q", &query).unwrap();
    builder.finish(&mut |_, _| {}).unwrap();
    let index = Index::open(&paths[1]).unwrap();
    let found = search(
        &index,
        &[query, Aggregated::default()],
        &MatchKernel::default(),
        None,
    )
    .unwrap();
    assert_eq!(index.number(found[0][0].id), 0);
    assert!((found[0][0].score - 1.0).abs() < 1e-12);
    // A query without features has a row, of zeros.
    let rows: Vec<(i64, f64)> = found[1]
        .iter()
        .map(|hit| (index.number(hit.id), hit.score))
        .collect();
    assert_eq!(rows, [(-3, 0.0), (-2, 0.0), (-1, 0.0), (0, 0.0)]);
}

#[test]
fn words_that_are_in_every_image_count_nothing_and_give_no_nan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sasmk");
    let mut builder = Builder::new(&path, card(true, 32, true), BuildSettings::default()).unwrap();
    let one = Aggregated {
        words: vec![3],
        units: vec![7],
    };
    builder.push("a", &one).unwrap();
    builder.push("b", &one).unwrap();
    builder.finish(&mut |_, _| {}).unwrap();
    let index = Index::open(&path).unwrap();
    assert_eq!((index.idf()[3], index.idf()[4]), (0.0, 1.0));
    let found = search(&index, &[one], &MatchKernel::default(), None).unwrap();
    assert_eq!(
        found[0].iter().map(|hit| hit.score).collect::<Vec<_>>(),
        [0.0, 0.0]
    );
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sasmk");
    let mut builder = Builder::new(&path, card(true, 32, false), BuildSettings::default()).unwrap();
    for bad in [
        Aggregated {
            words: vec![12],
            units: vec![0],
        },
        Aggregated {
            words: vec![2, 1],
            units: vec![0, 0],
        },
        Aggregated {
            words: vec![2],
            units: vec![0, 0],
        },
    ] {
        let error = builder.push("bad", &bad).unwrap_err();
        assert!(matches!(error, AsmkError::Unfit(_)), "{error}");
    }
    assert!(builder.push("", &Aggregated::default()).is_err());
    builder.push("empty", &Aggregated::default()).unwrap();
    assert!(builder.skip_to(0).is_err());
    builder.finish(&mut |_, _| {}).unwrap();
    let index = Index::open(&path).unwrap();
    let long = Aggregated {
        words: vec![2],
        units: vec![0, 0],
    };
    assert!(search(&index, &[long], &MatchKernel::default(), None).is_err());
    assert!(index.check_fits(&card(false, 32, false)).is_err());
    assert!(
        index
            .check_fits(&AsmkCard {
                codebook: "ab".into(),
                ..card(true, 32, true)
            })
            .is_ok()
    );
    std::fs::write(&path, b"nothing of the kind").unwrap();
    assert!(matches!(Index::open(&path), Err(AsmkError::Other { .. })));
}
