use super::*;
use crate::{RowType, SetHeader, SetWriter};
use proptest::prelude::*;
use sightline_card::{Card, Circumstances, Identity, Scales};
use std::cell::RefCell;
use std::time::Duration;

fn set(rows: usize, dim: usize, seed: u64) -> DescriptorSet {
    let names = (0..rows).map(|row| format!("{row}.jpg")).collect();
    let value = |i: usize| {
        let state = (i as u64 + (seed << 32)).wrapping_mul(6_364_136_223_846_793_005);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    DescriptorSet::from_rows(names, dim, (0..rows * dim).map(value).collect(), None).unwrap()
}

fn card(architecture: &str, dim: usize) -> Card {
    let identity = Identity {
        architecture: architecture.to_owned(),
        weights: "00".repeat(32),
        recipe: serde_json::json!(null),
        scales: Scales::single(),
        whitening: None,
        dim,
        seed: None,
        local: None,
    };
    Card::new(identity, Circumstances::default())
}

fn build(sets: &[&DescriptorSet], k: usize, state: &Path) -> GraphFile {
    build_graph(sets, k, state, Duration::from_secs(60), &mut |_| ()).unwrap()
}

#[test]
fn a_graph_comes_back_as_it_was_and_is_known_by_its_sets() {
    let folder = tempfile::tempdir().unwrap();
    let (path, state) = (folder.path().join("g.safetensors"), folder.path().join("g.state"));
    let (one, two) = (set(60, 6, 1), set(20, 6, 2));
    let made = build(&[&one, &two], 7, &state);
    made.write(&path).unwrap();
    let read = GraphFile::open(&path).unwrap();
    assert_eq!(read, made);
    assert_eq!((read.graph.count(), read.graph.k), (80, 7));
    read.check(&path, &[&one, &two]).unwrap();
    assert!(!state.exists());

    let bytes = std::fs::read(&path).unwrap();
    made.write(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);

    let differs = |sets: &[&DescriptorSet]| read.check(&path, sets).unwrap_err().to_string();
    for (sets, what) in [
        (&[&one][..], "made of 2 sets of descriptors, and there are 1 here"),
        (
            &[&two, &one],
            "the number of rows of set 1 was 60, and is 20 here",
        ),
        (
            &[&set(60, 5, 1), &two],
            "the number of values of a row of set 1 was 6, and is 5 here",
        ),
        (
            &[&one, &set(20, 6, 3)],
            "the values of the rows of set 2 are others (the checksum differs)",
        ),
    ] {
        let message = differs(sets);
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn names_types_and_cards_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.safetensors");
    let rows: Vec<f32> = set(5, 2, 1).to_f32();
    let file = folder.path().join("set.safetensors");
    let stored = |names: &str, row_type: RowType, card: Option<&Card>| {
        let names: Vec<String> = names.chars().map(String::from).collect();
        let mut header = SetHeader::new(&names, 2, row_type);
        header.card = card;
        let mut writer = SetWriter::create(&file, &header).unwrap();
        rows.chunks(2).for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        DescriptorSet::open(&file).unwrap()
    };
    let (gem, mac) = (card("resnet18/gem", 2), card("resnet18/mac", 2));
    let graph = build(&[&stored("abcde", RowType::F32, Some(&gem))], 3, &path);
    let mut other_day = gem.clone();
    other_day.circumstances.date = "2026-05-02".to_owned();
    graph
        .check(&path, &[&stored("abcde", RowType::F32, Some(&other_day))])
        .unwrap();
    for (other, what) in [
        (
            stored("abced", RowType::F32, Some(&gem)),
            "the names or their order are others",
        ),
        (
            stored("abcde", RowType::F16, Some(&gem)),
            "the type of the values was float32, and is float16 here",
        ),
        (
            stored("abcde", RowType::F32, Some(&mac)),
            "the card's architecture was \"resnet18/gem\", and is \"resnet18/mac\" here",
        ),
        (
            stored("abcde", RowType::F32, None),
            "the card was there, and is missing here",
        ),
    ] {
        let message = graph.check(&path, &[&other]).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}

#[test]
fn a_run_goes_on_from_a_state_and_not_from_one_of_another_graph() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("g.state");
    let all = set(2500, 3, 1);
    let whole = build(&[&all], 9, &state);
    // The state after the first step, as a killed run leaves it.
    let left = RefCell::new(None);
    let keep = &mut |report: GraphReport<'_>| {
        if matches!(report, GraphReport::Done { .. }) && left.borrow().is_none() {
            *left.borrow_mut() = Some(std::fs::read(&state).unwrap());
        }
    };
    let made = build_graph(&[&all], 9, &state, Duration::ZERO, keep).unwrap();
    assert_eq!(made, whole);
    let left = left.take().unwrap();

    let resume = |set: &DescriptorSet, k: usize, bytes: &[u8]| {
        std::fs::write(&state, bytes).unwrap();
        let mut said = String::new();
        let made = build_graph(
            &[set],
            k,
            &state,
            Duration::from_secs(60),
            &mut |report| match report {
                GraphReport::Resumed { rows, share } => said = format!("{rows} rows, {share:.2}"),
                GraphReport::Unusable(error) => said = error.to_string(),
                GraphReport::Done { .. } => (),
            },
        );
        (made.unwrap(), said)
    };
    assert_eq!(
        resume(&all, 9, &left),
        (whole.clone(), "960 rows, 0.62".to_owned())
    );
    let (made, said) = resume(&all, 8, &left);
    assert_eq!(made.graph.k, 8);
    assert!(
        said.contains("the number of neighbours was 9, and is 8 here"),
        "{said}"
    );
    let (_, said) = resume(&set(2500, 3, 2), 9, &left);
    assert!(said.contains("the values of the rows are others"), "{said}");
    let mut damaged = left.clone();
    damaged[left.len() / 2] ^= 4;
    let (made, said) = resume(&all, 9, &damaged);
    assert_eq!(made, whole);
    assert!(said.contains("the checksum differs"), "{said}");

    std::fs::write(&state, &left).unwrap();
    let message = GraphFile::open(&state).unwrap_err().to_string();
    assert!(message.contains("with 960 of 2500 rows finished"), "{message}");
    remove_graph_state(&state).unwrap();
    remove_graph_state(&state).unwrap();
}

#[test]
fn a_graph_of_version_1_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/graph_v1.safetensors");
    let set = set(6, 2, 1);
    let graph = build(&[&set], 3, Path::new("no state"));
    assert_eq!(GraphFile::open(&path).unwrap(), graph);
    graph.check(&path, &[&set]).unwrap();
}

/// The file of a small graph, whose metadata or tensors `change` has been at; the checksum is made right again.
fn changed(change: &dyn Fn(&mut GraphFile)) -> Result<GraphFile, GraphError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.safetensors");
    let mut graph = build(&[&set(10, 2, 1)], 3, &path);
    change(&mut graph);
    graph.write(&path).unwrap();
    GraphFile::open(&path)
}

#[test]
fn files_that_contradict_themselves_are_refused() {
    changed(&|_| ()).unwrap();
    for (change, what) in [
        (
            &|file: &mut GraphFile| file.graph.indices[4] = 10,
            "names a row that does not exist",
        ),
        (
            &|file| file.graph.indices[4] = u32::MAX,
            "its lists are not whole",
        ),
        (&|file| file.graph.similarities[4] = 9.0, "are not in their order"),
        (&|file| file.graph.lowest.truncate(9), "cannot be used"),
        (&|file| file.made_of[0].rows = 11, "another number of rows"),
        (&|file| file.made_of.clear(), "another number of rows"),
    ] as [(&dyn Fn(&mut GraphFile), &str); 6]
    {
        let message = changed(change).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_damage_goes_unnoticed(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.safetensors");
        let graph = build(&[&set(10, 2, 1)], 3, &path);
        graph.write(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        match GraphFile::from_bytes("g", bytes) {
            // A change of the header's blanks, say, changes nothing.
            Ok(read) => prop_assert_eq!(read, graph),
            Err(error) => prop_assert!(error.to_string().contains("cannot be used as a graph")),
        }
    }
}
