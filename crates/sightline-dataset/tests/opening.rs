//! What `open` takes: files, folders, lists, known names, expressions; and what it says when it does not.

#![allow(clippy::unwrap_used, clippy::panic)]

use sightline_dataset::{Dataset, Folders, OpenOptions, Query, Truth, check, open};
use std::path::Path;

const GND: &str =
    r#"{"imlist": ["a", "b.png"], "qimlist": ["q"], "gnd": [{"bbx": [0, 0, 9, 9], "ok": [1], "junk": [0]}]}"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn with_root(root: &Path) -> OpenOptions {
    OpenOptions {
        data_root: Some(root.to_path_buf()),
        ..OpenOptions::default()
    }
}

fn message(spec: &str, options: &OpenOptions) -> String {
    open(spec, options).unwrap_err().to_string()
}

#[test]
fn expressions_name_lists_and_roots() {
    let data = folder(&[
        ("list.txt", "x/1.jpg\nx/2.jpg\n"),
        ("labels.txt", "1.jpg a\n2.jpg b\n"),
        ("queries.txt", "q.jpg b\nr.jpg c\n"),
        ("clusters.json", r#"{"1.jpg": "a", "2.jpg": null, "3.jpg": 7}"#),
        ("gnd_x.json", GND),
    ]);
    let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    let set = |expression: String| open(&expression, &OpenOptions::default()).unwrap();

    let list = set(format!("ImageList('{}', root='/pics')", path("list.txt")));
    assert_eq!(list.images, ["x/1.jpg", "x/2.jpg"]);
    assert_eq!(list.root.as_deref(), Some(Path::new("/pics")));

    let labels = set(format!(
        "ImageListLabelsQ(\"{}\", \"{}\")",
        path("labels.txt"),
        path("queries.txt")
    ));
    let truth = Truth::Labels {
        images: vec![0, 1],
        queries: Some(vec![1, 2]),
        class_names: ["a", "b", "c"].map(str::to_owned).to_vec(),
    };
    assert_eq!(labels.truth, truth);
    assert!(!labels.gallery_queries_itself());
    assert!(check(&labels, None, &|_| Ok((1, 1))).broken[0].contains("r.jpg"));

    let named = set("ImageList(None, 'pics' + '/jpg', imgs=['1.jpg', '2.jpg'])".to_owned());
    assert_eq!(named.images, ["1.jpg", "2.jpg"]);
    assert_eq!(named.root.as_deref(), Some(Path::new("pics/jpg")));
    let under_root = open(
        "ImageList(DB_ROOT + '/list.txt', DB_ROOT)",
        &with_root(data.path()),
    )
    .unwrap();
    assert_eq!(under_root.root.as_deref(), Some(data.path()));
    assert_eq!(under_root.images.len(), 2);

    let clusters = set(format!(
        "ImageClusters('{}', filter=not_none)",
        path("clusters.json")
    ));
    assert_eq!(clusters.images, ["1.jpg", "3.jpg"]);
    assert!(clusters.gallery_queries_itself());
    assert_eq!(clusters.query_count(), 2);

    let gnd = set(format!("ImageListRelevants('{}', '/db')", path("gnd_x.json")));
    assert_eq!(gnd.images, ["a.jpg", "b.png"]);
    assert_eq!(gnd.root.as_deref(), Some(Path::new("/db/jpg")));
    let query = Query {
        name: "q.jpg".into(),
        bbox: Some([0.0, 0.0, 9.0, 9.0]),
    };
    assert_eq!(gnd.queries, [query]);
}

#[test]
fn known_names_are_found_in_the_layouts_of_others() {
    let data = folder(&[
        (
            "oxford5k/gnd_roxford5k.json",
            &GND.replace("\"ok\": [1]", "\"easy\": [1], \"hard\": []"),
        ),
        ("oxford5k/jpg/a.jpg", ""),
        ("paris6k/txt/eiffel_1_query.txt", "paris_1 1 2 3 4"),
        ("paris6k/txt/eiffel_1_good.txt", "a"),
        ("paris6k/txt/eiffel_1_ok.txt", ""),
        ("paris6k/txt/eiffel_1_junk.txt", ""),
    ]);
    let options = with_root(data.path());
    let set = open("ROxford5k", &options).unwrap();
    assert_eq!((set.name.as_str(), set.truth.kind()), ("roxford5k", "revisited"));
    assert_eq!(set.root, Some(data.path().join("oxford5k/jpg")));
    let set = open("paris6k", &options).unwrap();
    assert_eq!((set.truth.kind(), set.images.len()), ("classic", 1));
    let missing = message("rparis6k", &options);
    assert!(missing.contains("gnd_rparis6k.pkl"), "{missing}");
    // dirtorch's class finds what other trees hold, too.
    let set = open("ROxford5K()", &options).unwrap();
    assert_eq!(set.root, Some(data.path().join("oxford5k/jpg")));
    let wrong = message("ROxfrod5K", &options);
    assert!(
        wrong.contains("did you mean") && wrong.contains("rparis6k") && wrong.contains("ImageClusters"),
        "{wrong}"
    );
}

#[test]
fn folders_and_lists() {
    let data = folder(&[
        ("pics/b/2.jpg", ""),
        ("pics/a/1.png", ""),
        ("pics/list.txt", "a/1.png\n\nb/2.jpg\n"),
        ("set/gnd_set.json", GND),
        ("set/jpg/a.jpg", ""),
    ]);
    let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    let plain = OpenOptions::default();
    let classes = OpenOptions {
        folders: Folders::Classes,
        ..OpenOptions::default()
    };
    assert_eq!(
        open(&path("pics"), &plain).unwrap().images,
        ["a/1.png", "b/2.jpg"]
    );
    assert_eq!(open(&path("pics"), &classes).unwrap().truth.kind(), "labels");
    assert_eq!(open(&path("set"), &classes).unwrap().truth.kind(), "classic");
    assert_eq!(open(&path("set"), &plain).unwrap().truth, Truth::None);
    for spec in [path("pics/list.txt"), format!("@{}", path("pics/list.txt"))] {
        let list = open(&spec, &plain).unwrap();
        assert_eq!(list.images, ["a/1.png", "b/2.jpg"]);
        assert_eq!(list.root, Some(data.path().join("pics")));
    }
    let one = open(&path("pics/a/1.png"), &plain).unwrap();
    assert_eq!(
        (one.images, one.root),
        (vec!["1.png".to_owned()], Some(data.path().join("pics/a")))
    );
    let given = OpenOptions {
        pictures: Some("/elsewhere".into()),
        ..OpenOptions::default()
    };
    assert_eq!(
        open(&path("set/gnd_set.json"), &given).unwrap().root,
        Some("/elsewhere".into())
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let data = folder(&[
        ("gnd_bad.json", &GND.replace("[1]", "[5]")),
        ("gnd_none.json", r#"{"imlist": ["a"]}"#),
        ("gnd_junk.pkl", "not a pickle"),
        ("notes.xyz", "hello"),
    ]);
    let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    let options = OpenOptions::default();
    assert!(message("roxfrd5k", &options).contains("did you mean roxford5k?"));
    assert!(message("ImageLst('a')", &options).contains("did you mean ImageList?"));
    assert!(message("ImageList(__import__('os'))", &options).contains("no text in quotes"));
    assert!(message("ImageList('/nowhere/list.txt')", &options).contains("/nowhere/list.txt"));
    let range = message(&path("gnd_bad.json"), &options);
    assert!(
        range.contains("names image 5") && range.contains("\"q\""),
        "{range}"
    );
    assert!(message(&path("gnd_none.json"), &options).contains("qimlist"));
    assert!(message(&path("gnd_junk.pkl"), &options).contains("gnd_junk.pkl"));
    assert!(message(&path("notes.xyz"), &options).contains("no picture"));
    assert!(
        message(
            &path(""),
            &OpenOptions {
                folders: Folders::Classes,
                ..options.clone()
            }
        )
        .contains("subfolder")
    );

    let unchecked = OpenOptions {
        unchecked: true,
        ..OpenOptions::default()
    };
    let set: Dataset = open(&path("gnd_bad.json"), &unchecked).unwrap();
    let report = check(&set, None, &|_| Ok((1, 1)));
    assert!(
        report.broken.iter().any(|line| line.contains("names image 5")),
        "{report:?}"
    );
}
