//! Writes a set of random unit rows, for measuring search among distractors without their pictures.
//!
//! `cargo run --release -p sightline-descriptor --example noise_set -- FILE ROWS DIM [f16|f32] [SEED]`
#![allow(clippy::print_stderr)]

use sightline_descriptor::{RowType, SetHeader, SetWriter};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match write(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn write(args: &[String]) -> Result<(), String> {
    let [file, rows, dim, rest @ ..] = args else {
        return Err("noise_set FILE ROWS DIM [f16|f32] [SEED]".to_owned());
    };
    let number = |text: &String| text.parse().map_err(|_| format!("`{text}` is no number"));
    let (rows, dim): (usize, usize) = (number(rows)?, number(dim)?);
    let row_type = match rest.first().map_or("f16", String::as_str) {
        "f16" => RowType::F16,
        "f32" => RowType::F32,
        other => return Err(format!("`{other}` is neither f16 nor f32")),
    };
    let mut state = match rest.get(1) {
        Some(seed) => number(seed)? as u64,
        None => 0,
    };
    // Named as the million distractors of the revisited sets are.
    let names: Vec<String> = (0..rows)
        .map(|row| format!("{:03}/{:03}/{row:08}.jpg", row / 1000 % 1000, row % 1000))
        .collect();
    let mut writer =
        SetWriter::create(file, &SetHeader::new(&names, dim, row_type)).map_err(|error| error.to_string())?;
    let mut values = vec![0.0_f32; dim];
    for _ in 0..rows {
        for value in &mut values {
            // splitmix64: uniform in -1..1.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *value = (z >> 40) as f32 / (1 << 23) as f32 - 1.0;
        }
        let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.iter_mut().for_each(|value| *value /= norm);
        writer.push(&values).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())
}
