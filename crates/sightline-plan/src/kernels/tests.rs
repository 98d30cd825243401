use super::*;
use proptest::prelude::*;

fn numbers(count: usize, seed: &mut u32) -> Vec<f32> {
    let mut next = || {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn products_are_those_of_plain_code_and_of_f64(
        rows in 1..40_usize, depth in prop_oneof![1..40_usize, DEPTH - 3..DEPTH + 5], tokens in 1..100_usize, beyond in 0..3_usize,
        with_bias in any::<bool>(), finish in 0..3_usize, mut seed in any::<u32>(),
    ) {
        let finish = [Finish::Store, Finish::Add, Finish::Gelu][finish];
        let left = numbers(rows * depth, &mut seed);
        let panels = tokens.div_ceil(LANES);
        let (right_stride, out_stride) = ((depth + beyond) * LANES, (rows + beyond) * LANES);
        let right = numbers(panels * right_stride, &mut seed);
        let before = numbers(panels * out_stride, &mut seed);
        let bias = with_bias.then(|| numbers(rows, &mut seed));
        let run = |kernel: Kernel| {
            let kernel = Runnable::new(kernel);
            let packed = Packed::from_rows(kernel, rows, depth, &left);
            let mut out = before.clone();
            kernel.product(&packed, &right, right_stride, &mut out, out_stride, tokens, bias.as_deref(), finish);
            let token = |token: usize| {
                let at = token / LANES * out_stride + token % LANES;
                (0..rows).map(|row| out[at + row * LANES]).collect::<Vec<f32>>()
            };
            (0..tokens).flat_map(token).collect::<Vec<f32>>()
        };
        let got = run(Kernel::Portable);
        for kernel in Kernel::available() {
            prop_assert_eq!(bits(&run(kernel)), bits(&got), "{}", kernel.name());
        }
        if finish != Finish::Gelu {
            for (index, got) in got.iter().enumerate() {
                let (token, row) = (index / rows, index % rows);
                let (panel, lane) = (token / LANES, token % LANES);
                let step = |step: usize| {
                    f64::from(left[row * depth + step]) * f64::from(right[panel * right_stride + step * LANES + lane])
                };
                let mut want: f64 = (0..depth).map(step).sum();
                want += bias.as_ref().map_or(0.0, |bias| f64::from(bias[row]));
                if finish == Finish::Add {
                    want += f64::from(before[panel * out_stride + row * LANES + lane]);
                }
                prop_assert!((f64::from(*got) - want).abs() < 1e-6 + 2e-7 * depth as f64, "{got} {want}");
            }
        }
    }

    #[test]
    fn functions_are_those_of_plain_code(rows in 1..40_usize, spread in 0.1..60.0_f32, mut seed in any::<u32>()) {
        let values: Vec<f32> = numbers(rows * LANES, &mut seed).iter().map(|v| v * spread).collect();
        let [weight, bias] = [(); 2].map(|()| numbers(rows, &mut seed));
        let run = |kernel: Kernel| {
            let kernel = Runnable::new(kernel);
            let mut all = values.clone();
            kernel.gelu(&mut all);
            let mut normal = values.clone();
            kernel.layer_norm(&values, &weight, &bias, 1e-5, &mut normal);
            let mut weights = values.clone();
            let factors = kernel.softmax(&mut weights, 0.7);
            kernel.scale(&mut weights, &factors);
            [all, normal, weights].concat()
        };
        let want = bits(&run(Kernel::Portable));
        for kernel in Kernel::available() {
            prop_assert_eq!(bits(&run(kernel)), want.clone(), "{}", kernel.name());
        }
        let got = run(Kernel::best());
        let lanes = |values: &[f32], lane: usize| -> Vec<f64> {
            values.chunks(LANES).map(|row| f64::from(row[lane])).collect()
        };
        for lane in 0..LANES {
            let x = lanes(&values, lane);
            let most = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let scale = f64::from(0.7_f32);
            let sum: f64 = x.iter().map(|v| (scale * (v - most)).exp()).sum();
            for (got, x) in lanes(&got[2 * values.len()..], lane).iter().zip(&x) {
                // The exponent itself is rounded, by as much as its size.
                let want = (scale * (x - most)).exp() / sum;
                prop_assert!((got - want).abs() < 3e-6 * want + 1e-12, "{got} {want}");
            }
            let mean = x.iter().sum::<f64>() / rows as f64;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / rows as f64;
            for (row, got) in lanes(&got[values.len()..], lane).iter().take(rows).enumerate() {
                let normal = (x[row] - mean) / (variance + 1e-5).sqrt();
                let want = normal * f64::from(weight[row]) + f64::from(bias[row]);
                // With few rows the mean's rounding shows against a small deviation.
                let room = 1e-5 + 1e-6 * most.abs().max(mean.abs()) / (variance + 1e-5).sqrt();
                prop_assert!((got - want).abs() < room, "{got} {want}");
            }
        }
    }
}

#[test]
fn gelu_is_within_its_error() {
    // Φ by steps of 1 / 1000 from its known value at 0, with Simpson's rule.
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let mut below = 0.5;
    for step in 0..8000 {
        let x = f64::from(step) / 1000.0;
        let mut values = [x as f32, -x as f32];
        Runnable::new(Kernel::best()).gelu(&mut values);
        for (got, want) in values.iter().zip([x * below, -x * (1.0 - below)]) {
            let error = (f64::from(*got) - want).abs();
            assert!(error < 3e-7 * x.max(0.1), "{x}: {got} instead of {want}");
        }
        let ends = density(x) + 4.0 * density(x + 5e-4) + density(x + 1e-3);
        below += ends / 6000.0;
    }
}

#[test]
fn what_is_no_number_stays_none() {
    for kernel in Kernel::available() {
        let kernel = Runnable::new(kernel);
        let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 100.0, -100.0];
        kernel.gelu(&mut values);
        assert!(
            values[0].is_nan()
                && values[1] == f32::INFINITY
                && (values[3] - 100.0).abs() < 1e-5
                && values[4].abs() < 1e-5
        );
        let mut logits = vec![0.0; 3 * LANES];
        logits[LANES] = f32::NAN;
        let factors = kernel.softmax(&mut logits, 1.0);
        assert!(factors[0].is_nan() && (factors[1] - 1.0 / 3.0).abs() < 1e-7);
    }
}
