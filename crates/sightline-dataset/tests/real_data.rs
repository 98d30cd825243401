//! The real ground truths and small data sets that lie beside a checkout, in `../shared/data`. Where they are absent the
//! tests say so and pass.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use serde_json::Value as Json;
use sightline_dataset::{Dataset, Folders, OpenOptions, PictureIndex, Truth, check, open};
use std::path::{Path, PathBuf};

/// A path below `../shared/data`, or `None` (said so) where it is absent.
fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data")
        .join(path);
    if full.exists() {
        return Some(full);
    }
    println!("skipped: {} is absent", full.display());
    None
}

fn open_path(path: &Path) -> Dataset {
    open(path.to_str().unwrap(), &OpenOptions::default()).unwrap()
}

#[test]
fn revisited_ground_truths_have_the_published_totals() {
    let Some(folder) = shared("groundtruth") else {
        return;
    };
    let totals: Json = serde_json::from_slice(&std::fs::read(folder.join("totals.json")).unwrap()).unwrap();
    let options = OpenOptions {
        data_root: Some(folder.parent().unwrap().to_path_buf()),
        ..OpenOptions::default()
    };
    for (name, wanted) in totals.as_object().unwrap() {
        let set = open_path(&folder.join(format!("gnd_{name}.pkl")));
        assert_eq!(&set.name, name);
        assert_eq!(open(name, &options).unwrap(), set, "by its known name");
        let report = check(&set, None, &|_| Ok((1, 1)));
        assert_eq!(&serde_json::to_value(&report.totals).unwrap(), wanted, "{name}");
        assert!(report.is_sound(), "{:?}", report.broken);
        assert_eq!(report.kind, "revisited");
    }
}

#[test]
fn kth_is_the_same_in_every_form() {
    let Some(folder) = shared("kth-buildings") else {
        return;
    };
    let pickle = open_path(&folder.join("gnd_kth.pkl"));
    let json = Dataset {
        name: "kth".into(),
        ..open_path(&folder.join("kth.json"))
    };
    assert_eq!(pickle, json);
    assert_eq!(pickle.root, Some(folder.join("jpg")));
    let pictures = PictureIndex::scan(&folder).unwrap();
    let report = check(&pickle, Some(&pictures), &|path| {
        Ok(if path.is_file() { (640, 480) } else { (0, 0) })
    });
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        report.totals.found,
        Some(pickle.images.len() + pickle.queries.len())
    );

    // The lists in dirtorch's form name the same pictures in the same order.
    let expression = format!(
        "ImageListLabelsQ({:?}, {:?}, {:?})",
        folder.join("database_labels.txt"),
        folder.join("queries_labels.txt"),
        folder
    );
    let lists = open(&expression, &OpenOptions::default()).unwrap();
    let stem = |path: &String| Path::new(path).file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(lists.images.iter().map(stem).collect::<Vec<_>>(), pickle.images);
    let (Truth::Revisited(truth), Truth::Labels { images, queries, .. }) = (&pickle.truth, &lists.truth)
    else {
        panic!("wrong kinds");
    };
    for (lists, class) in truth.iter().zip(queries.as_ref().unwrap()) {
        let same: Vec<u32> = (0..)
            .zip(images)
            .filter(|(_, other)| *other == class)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(lists.easy, same);
    }
    assert!(check(&lists, Some(&pictures), &|_| Ok((640, 480))).is_sound());
}

#[test]
fn cars_splits_by_class() {
    let Some(folder) = shared("cars196-160") else {
        return;
    };
    let annotated = open_path(&folder.join("cars_annos.mat"));
    let list = folder.join("test_labels.txt");
    let listed = open(
        &format!("ImageListLabels({list:?}, {folder:?})"),
        &OpenOptions::default(),
    )
    .unwrap();
    let sorted = |set: &Dataset| {
        let mut images = set.images.clone();
        images.sort();
        images
    };
    assert_eq!(sorted(&annotated), sorted(&listed));
    let report = check(&annotated, Some(&PictureIndex::scan(&folder).unwrap()), &|_| {
        Ok((160, 120))
    });
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        (report.totals.classes, report.totals.classes_of_one),
        (Some(98), Some(0))
    );
    let classes = OpenOptions {
        folders: Folders::Classes,
        ..OpenOptions::default()
    };
    let labelled = open(folder.to_str().unwrap(), &classes).unwrap();
    assert!(matches!(&labelled.truth, Truth::Labels { class_names, .. } if class_names == &["car_ims"]));
}
