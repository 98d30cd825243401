//! Weights by formula: a checkpoint that costs no bytes.
//!
//! Test cases and the seeded demonstration network take their weights from a hash of the parameter's name
//! (FNV-1a, then splitmix64), so that a ResNet-101 needs no file. All arithmetic is 64-bit, rounded to float32
//! at the end; see `tests/golden/README.md` for the definition and check values.

/// `count` values in `[-1, 1)` that depend on `name` and `seed` alone.
pub fn uniform(name: &str, seed: u64, count: usize) -> Vec<f64> {
    const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mut state = hash ^ seed.wrapping_mul(STEP);
    (0..count)
        .map(|_| {
            state = state.wrapping_add(STEP);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
            2.0 * (z >> 40) as f64 / f64::from(1_u32 << 24) - 1.0
        })
        .collect()
}

/// The network parameter called `name` (its name in the original's state dict) of the given shape, row-major.
///
/// Matrices and convolutions are scaled by their fan-in so that activations keep their size; batch-norm entries
/// stay near the identity.
pub fn parameter(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    let count = shape.iter().product();
    let values = uniform(name, seed, count);
    let last = name.rsplit('.').next().unwrap_or(name);
    let scaled: Box<dyn Fn(f64) -> f64> = match (last, shape.len()) {
        ("num_batches_tracked", _) => Box::new(|_| 0.0),
        ("running_var", _) => Box::new(|u| 1.0 + 0.25 * u),
        ("running_mean", _) => Box::new(|u| 0.1 * u),
        (_, axes) if axes >= 2 => {
            let fan_in: usize = shape[1..].iter().product();
            let gain = if axes == 4 { 2.0 } else { 1.0 };
            let bound = (3.0 * gain / fan_in as f64).sqrt();
            Box::new(move |u| bound * u)
        }
        ("weight", _) => Box::new(|u| 0.5 + 0.1 * u),
        _ => Box::new(|u| 0.1 * u),
    };
    values.into_iter().map(|u| scaled(u) as f32).collect()
}

/// Formula descriptors: `rows` rows of length `dim`, each divided by its L2 norm in 64-bit arithmetic.
pub fn unit_rows(name: &str, rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let values = uniform(name, seed, rows * dim);
    values
        .chunks(dim.max(1))
        .flat_map(|row| {
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.iter().map(move |v| (v / norm) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_golden_readme() {
        let u = uniform("conv1.weight", 0, 3);
        for (got, want) in u.iter().zip([0.09014988, 0.49032342, -0.95415664]) {
            assert!((got - want).abs() < 1e-8, "{got} {want}");
        }
        let p = parameter("conv1.weight", &[64, 3, 7, 7], 0);
        for (got, want) in p.iter().zip([0.01821303_f32, 0.09906029, -0.19276875]) {
            assert!((got - want).abs() < 1e-8, "{got} {want}");
        }
        assert_eq!(p.len(), 64 * 3 * 49);
    }
}
