//! What is computed lane by lane between matrix products, in plain code that the compiler turns into wide instructions: each
//! kernel compiles it for its own instructions (`compile!`). A lane's numbers do not depend on how many lanes there are.

use super::LANES;

/// The functions of this file, compiled with those processor features.
macro_rules! compile {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        pub(super) fn gelu(values: &mut [f32]) {
            super::columns::gelu(values);
        }

        #[target_feature(enable = $features)]
        pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
            super::columns::layer_norm(x, weight, bias, epsilon, out);
        }

        #[target_feature(enable = $features)]
        pub(super) fn softmax(logits: &mut [f32], scale: f32) -> [f32; super::LANES] {
            super::columns::softmax(logits, scale)
        }

        #[target_feature(enable = $features)]
        pub(super) fn scale(panel: &mut [f32], factors: &[f32; super::LANES]) {
            super::columns::scale(panel, factors);
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use compile;

/// 2^x within 2e-7 of its size, for x from -125 to 127; below that 2^-125. Not a number stays none.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    /// 1.5 * 2^23: added to a small number, it leaves no room for a fraction.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -125.0 { -125.0 } else { x };
    let rounded = x + ROUND;
    let part = x - (rounded - ROUND);
    // The best polynomial of degree 6 for the relative error on [-0.5, 0.5].
    let power = 1.534_581_1e-4_f32.mul_add(part, 1.339_993_2e-3);
    let power = power.mul_add(part, 9.618_489e-3);
    let power = power.mul_add(part, 5.550_328_8e-2);
    let power = power.mul_add(part, 2.402_264_7e-1);
    let power = power.mul_add(part, 6.931_472e-1);
    let power = power.mul_add(part, 1.0);
    f32::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// The error function within 4e-7: a rational function of degrees 13 and 8 on [-4, 4] (as Eigen's `perf_erf`), where it is
/// ±1 but for 2e-8.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let square = x * x;
    let above = (-2.726_142_3e-10_f32).mul_add(square, 2.770_681_4e-8);
    let above = above.mul_add(square, -2.101_024e-6);
    let above = above.mul_add(square, -5.692_506_4e-5);
    let above = above.mul_add(square, -7.349_906_3e-4);
    let above = above.mul_add(square, -2.954_6e-3);
    let above = above.mul_add(square, -1.609_603_3e-2);
    let below = (-1.456_607_2e-5_f32).mul_add(square, -2.133_740_6e-4);
    let below = below.mul_add(square, -1.682_827e-3);
    let below = below.mul_add(square, -7.373_329_2e-3);
    let below = below.mul_add(square, -1.426_473_9e-2);
    let y = x * above / below;
    let y = if y > 1.0 { 1.0 } else { y };
    if y < -1.0 { -1.0 } else { y }
}

#[inline(always)]
pub(super) fn gelu(values: &mut [f32]) {
    for value in values {
        let x = *value;
        let half = 0.5 * x;
        *value = half.mul_add(erf(x * std::f32::consts::FRAC_1_SQRT_2), half);
    }
}

/// Sums over a panel's rows are made of this many, which are then added: short chains of dependent additions.
const CHAINS: usize = 4;

/// The sum over the rows of a panel of `term(value, lane)`, for each lane.
#[inline(always)]
fn sum_rows(panel: &[f32], term: impl Fn(f32, usize) -> f32) -> [f32; LANES] {
    let mut sums = [[0.0_f32; LANES]; CHAINS];
    let mut blocks = panel.chunks_exact(CHAINS * LANES);
    for block in &mut blocks {
        for (sums, row) in sums.iter_mut().zip(block.chunks_exact(LANES)) {
            for lane in 0..LANES {
                sums[lane] += term(row[lane], lane);
            }
        }
    }
    for (sums, row) in sums.iter_mut().zip(blocks.remainder().chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += term(row[lane], lane);
        }
    }
    std::array::from_fn(|lane| (sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane]))
}

#[inline(always)]
pub(super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    let part = 1.0 / weight.len() as f32;
    let mean = sum_rows(x, |value, _| value).map(|sum| sum * part);
    let squares = sum_rows(x, |value, lane| (value - mean[lane]) * (value - mean[lane]));
    let factor = squares.map(|sum| 1.0 / (sum * part + epsilon).sqrt());
    let rows = x.chunks_exact(LANES).zip(out.chunks_exact_mut(LANES));
    for ((x, out), (weight, bias)) in rows.zip(weight.iter().zip(bias)) {
        for lane in 0..LANES {
            out[lane] = ((x[lane] - mean[lane]) * factor[lane]).mul_add(*weight, *bias);
        }
    }
}

#[inline(always)]
pub(super) fn softmax(logits: &mut [f32], scale: f32) -> [f32; LANES] {
    let mut most = [[f32::NEG_INFINITY; LANES]; CHAINS];
    for block in logits.chunks(CHAINS * LANES) {
        for (most, row) in most.iter_mut().zip(block.chunks_exact(LANES)) {
            for lane in 0..LANES {
                most[lane] = if row[lane] > most[lane] {
                    row[lane]
                } else {
                    most[lane]
                };
            }
        }
    }
    let scale = scale * std::f32::consts::LOG2_E;
    let shift: [f32; LANES] = std::array::from_fn(|lane| {
        -scale
            * most[0][lane]
                .max(most[1][lane])
                .max(most[2][lane].max(most[3][lane]))
    });
    let mut sums = [[0.0_f32; LANES]; CHAINS];
    for block in logits.chunks_mut(CHAINS * LANES) {
        for (sums, row) in sums.iter_mut().zip(block.chunks_exact_mut(LANES)) {
            for lane in 0..LANES {
                let weight = exp2(row[lane].mul_add(scale, shift[lane]));
                row[lane] = weight;
                sums[lane] += weight;
            }
        }
    }
    std::array::from_fn(|lane| 1.0 / ((sums[0][lane] + sums[1][lane]) + (sums[2][lane] + sums[3][lane])))
}

#[inline(always)]
pub(super) fn scale(panel: &mut [f32], factors: &[f32; LANES]) {
    for row in panel.chunks_exact_mut(LANES) {
        for lane in 0..LANES {
            row[lane] *= factors[lane];
        }
    }
}
