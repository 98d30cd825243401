//! Archives that are unpacked, and tables of addresses. Nothing may be written outside the folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_dataset::pull::{Form, Kind, Table, Unpack, unpack};

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    let form = match choice % 4 {
        0 => Form::Tar,
        1 => Form::Tgz,
        2 => Form::Zip,
        _ => {
            if let Ok(table) = Table::parse(&String::from_utf8_lossy(bytes), "fuzz", Kind::Datasets) {
                for entry in &table.entries {
                    let _ = table.select(&entry.name, None);
                }
            }
            return;
        }
    };
    let Ok(place) = tempfile::tempdir() else {
        return;
    };
    let root = place.path().join("root");
    if std::fs::create_dir(&root).is_err() || std::fs::write(root.join("archive"), bytes).is_err() {
        return;
    }
    let how = Unpack {
        form,
        into: "into".to_owned(),
        flat: choice & 4 != 0,
        drop: (choice & 8 != 0).then(|| "a".to_owned()),
    };
    let done = unpack(&root.join("archive"), "archive", &how, &root, &mut |_| ());
    assert!(done.is_ok() || !root.join("into").exists(), "a refused archive put something in place");
    let names = |folder: &std::path::Path| std::fs::read_dir(folder).map_or(0, Iterator::count);
    assert_eq!(names(place.path()), 1, "something was written outside the root");
});
