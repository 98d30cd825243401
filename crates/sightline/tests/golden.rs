//! The golden harness: every case under `$GOLDEN_DIR` (default `tests/golden` of the workspace; a relative path
//! counts from the workspace root), limited to `$GOLDEN_AREAS` where that is set.
//!
//! One line per case: `golden AREA/CASE ok` or `golden AREA/CASE FAIL <what, largest difference>`. The area and
//! the case's name say which computation; every number comes from the file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![allow(missing_docs, unreachable_pub)]

#[path = "golden/asmk.rs"]
mod asmk;
#[path = "golden/case.rs"]
mod case;
#[cfg(feature = "nn")]
#[path = "golden/csa.rs"]
mod csa;
#[path = "golden/eval.rs"]
mod eval;
#[path = "golden/expand.rs"]
mod expand;
#[cfg(feature = "nn")]
#[path = "golden/expand_how.rs"]
mod expand_how;
#[path = "golden/formats.rs"]
mod formats;
#[cfg(feature = "nn")]
#[path = "golden/heads.rs"]
mod heads;
#[path = "golden/images.rs"]
mod images;
#[path = "golden/images_decode.rs"]
mod images_decode;
#[cfg(feature = "nn")]
#[path = "golden/models.rs"]
mod models;
#[cfg(feature = "nn")]
#[path = "golden/pool.rs"]
mod pool;
#[path = "golden/rerank.rs"]
mod rerank;
#[path = "golden/whiten.rs"]
mod whiten;

use case::{Case, Outputs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Computes every output of one case.
type Compute = fn(&Case) -> Result<Outputs, String>;

/// The computation of a case of each known area.
fn area(name: &str, case: &str) -> Option<Compute> {
    match name {
        #[cfg(feature = "nn")]
        "expand" if case == "multiscale-how" => Some(expand_how::run),
        // HOW's head is a network's.
        #[cfg(not(feature = "nn"))]
        "expand" if case == "multiscale-how" => None,
        "asmk" => Some(asmk::run),
        #[cfg(feature = "nn")]
        "csa" => Some(csa::run),
        "eval" => Some(eval::run),
        "expand" => Some(expand::run),
        "formats" => Some(formats::run),
        #[cfg(feature = "nn")]
        "heads" => Some(heads::run),
        "images" => Some(images::run),
        #[cfg(feature = "nn")]
        "models" => Some(models::run),
        #[cfg(feature = "nn")]
        "pool" => Some(pool::run),
        "rerank" => Some(rerank::run),
        "whiten" => Some(whiten::run),
        _ => None,
    }
}

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let root = workspace.join(std::env::var_os("GOLDEN_DIR").unwrap_or_else(|| "tests/golden".into()));
    let wanted = std::env::var("GOLDEN_AREAS").ok();
    let wanted: Option<Vec<&str>> = wanted
        .as_deref()
        .map(|text| text.split(',').map(str::trim).collect());
    let filter = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));

    let mut files = case_files(&root);
    if let Some(areas) = &wanted {
        for name in areas {
            if !root.join(name).is_dir() {
                println!(
                    "golden {name}/ FAIL there is no such area under {}",
                    root.display()
                );
                return ExitCode::FAILURE;
            }
        }
        files.retain(|(name, _)| areas.contains(&name.as_str()));
    }
    let (mut passed, mut failed, mut unknown) = (0, 0, 0);
    for (area_name, path) in files {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let label = format!("{area_name}/{stem}");
        if filter.as_ref().is_some_and(|text| !label.contains(text.as_str())) {
            continue;
        }
        let Some(compute) = area(&area_name, &stem) else {
            // An area that a later part of the toolkit computes; asked for by name, it is a failure.
            if wanted.is_some() {
                println!("golden {label} FAIL this harness does not know the area");
                failed += 1;
            } else {
                unknown += 1;
            }
            continue;
        };
        match std::panic::catch_unwind(|| judge(&path, &area_name, compute)) {
            Ok(Ok(())) => {
                println!("golden {label} ok");
                passed += 1;
            }
            Ok(Err(reason)) => {
                println!("golden {label} FAIL {reason}");
                failed += 1;
            }
            Err(_) => {
                println!("golden {label} FAIL the computation panicked");
                failed += 1;
            }
        }
    }
    if unknown > 0 {
        println!("{unknown} cases belong to areas that this harness does not know");
    }
    if passed + failed == 0 {
        println!("no golden case was found under {}", root.display());
        return ExitCode::FAILURE;
    }
    println!("test result: {passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Computes one case and compares every output that the file names.
fn judge(path: &Path, area: &str, compute: Compute) -> Result<(), String> {
    let case = Case::open(path)?;
    if case.area != area {
        return Err(format!("the file says that it belongs to area {}", case.area));
    }
    case.compare(&compute(&case)?)
}

/// All `AREA/CASE.safetensors` below `root`, sorted.
fn case_files(root: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|ending| ending == "safetensors") {
                files.push((folder.file_name().to_string_lossy().into_owned(), path));
            }
        }
    }
    files.sort();
    files
}
