//! Plans over tokens, run by our own kernels, by `rten` and by hand in f64.

#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use sightline_plan::{
    Executor, Kernel, Operation, Plan, Region, RtenExecutor, Tensor, TransformerExecutor, Value,
    plan_executor,
};

/// Sizes of a network over tokens.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    anchors: usize,
    width: usize,
    heads: usize,
    hidden: usize,
    depth: usize,
    bias: bool,
}

/// Numbers in [-1, 1), the same for the same seed.
fn numbers(count: usize, seed: &mut u32) -> Vec<f32> {
    let mut next = || {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A layer `[O, C]`, perhaps with bias.
struct Layer {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    outputs: usize,
    inputs: usize,
}

impl Layer {
    fn new(outputs: usize, inputs: usize, bias: bool, seed: &mut u32) -> Self {
        let size = (3.0 / inputs as f32).sqrt();
        Self {
            weight: numbers(outputs * inputs, seed).iter().map(|v| v * size).collect(),
            bias: bias.then(|| numbers(outputs, seed)),
            outputs,
            inputs,
        }
    }

    fn record(&self, plan: &mut Plan, x: Value) -> Value {
        let weight = plan.constant(Tensor::new(&[self.outputs, self.inputs], self.weight.clone()).unwrap());
        let mut inputs = vec![x, weight];
        if let Some(bias) = &self.bias {
            inputs.push(plan.constant(Tensor::new(&[self.outputs], bias.clone()).unwrap()));
        }
        plan.step(Operation::Linear, &inputs)
    }

    fn compute(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let row = |x: &Vec<f64>| {
            let sum = |output: usize| {
                let weights = &self.weight[output * self.inputs..][..self.inputs];
                let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[output]));
                weights.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>() + bias
            };
            (0..self.outputs).map(sum).collect()
        };
        x.iter().map(row).collect()
    }
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    fn new(width: usize, seed: &mut u32) -> Self {
        let [weight, bias] = [(); 2].map(|()| numbers(width, seed));
        Self { weight, bias }
    }

    fn record(&self, plan: &mut Plan, x: Value) -> Value {
        let width = self.weight.len();
        let [weight, bias] =
            [&self.weight, &self.bias].map(|v| plan.constant(Tensor::new(&[width], v.clone()).unwrap()));
        plan.step(Operation::LayerNorm { epsilon: 1e-5 }, &[x, weight, bias])
    }

    fn compute(&self, x: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let row = |x: &Vec<f64>| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
            let normal = x.iter().map(|v| (v - mean) / (variance + 1e-5).sqrt());
            let each = normal.zip(self.weight.iter().zip(&self.bias));
            each.map(|(v, (w, b))| v * f64::from(*w) + f64::from(*b))
                .collect()
        };
        x.iter().map(row).collect()
    }
}

struct Block {
    norms: [Norm; 2],
    qkv: Layer,
    proj: Layer,
    mlp: [Layer; 2],
}

/// A transformer that compares its tokens with the first one, as CSA's.
struct Network {
    sizes: Sizes,
    first: Layer,
    blocks: Vec<Block>,
}

impl Network {
    fn new(sizes: Sizes, seed: &mut u32) -> Self {
        let Sizes {
            width, hidden, bias, ..
        } = sizes;
        let block = |seed: &mut u32| Block {
            norms: [Norm::new(width, seed), Norm::new(width, seed)],
            qkv: Layer::new(3 * width, width, bias, seed),
            proj: Layer::new(width, width, true, seed),
            mlp: [
                Layer::new(hidden, width, true, seed),
                Layer::new(width, hidden, true, seed),
            ],
        };
        Self {
            sizes,
            first: Layer::new(width, sizes.anchors, true, seed),
            blocks: (0..sizes.depth).map(|_| block(seed)).collect(),
        }
    }

    /// With the outputs `scores`, and with the tokens `before` and `after` the blocks where they are wanted.
    fn record(&self, with_tokens: bool) -> Plan {
        let Sizes { width, heads, .. } = self.sizes;
        let (mut plan, input) = Plan::new(self.sizes.anchors);
        let mut x = self.first.record(&mut plan, input);
        let before = x;
        for block in &self.blocks {
            let normal = block.norms[0].record(&mut plan, x);
            let all = block.qkv.record(&mut plan, normal);
            let parts = [0, 1, 2].map(|part| {
                let (from, to) = (part * width, Some((part + 1) * width));
                plan.step(Operation::Channels { from, to }, &[all])
            });
            let seen = plan.step(Operation::Attention { heads, width }, &parts);
            let branch = block.proj.record(&mut plan, seen);
            x = plan.step(Operation::Add, &[x, branch]);
            let normal = block.norms[1].record(&mut plan, x);
            let hidden = block.mlp[0].record(&mut plan, normal);
            let hidden = plan.step(Operation::Gelu, &[hidden]);
            let branch = block.mlp[1].record(&mut plan, hidden);
            x = plan.step(Operation::Add, &[branch, x]);
        }
        if with_tokens {
            plan.output("before", before);
            plan.output("after", x);
        }
        let squares = plan.step(Operation::Mul, &[x, x]);
        let sum = plan.step(Operation::SumChannels, &[squares]);
        let norm = plan.step(Operation::Sqrt, &[sum]);
        let norm = plan.step(Operation::ClampMin(1e-12), &[norm]);
        let unit = plan.step(Operation::Div, &[x, norm]);
        let first = Region {
            top: 0,
            left: 0,
            height: 1,
            width: 1,
        };
        let query = plan.step(Operation::Crop(first), &[unit]);
        let products = plan.step(Operation::Mul, &[unit, query]);
        let sums = plan.step(Operation::SumChannels, &[products]);
        let row = plan.step(Operation::Reshape(vec![0, -1]), &[sums]);
        let scores = plan.step(Operation::Channels { from: 1, to: None }, &[row]);
        plan.output("scores", scores);
        plan
    }

    /// Scores and final tokens in f64, from affinities `[L, T]`.
    fn compute(&self, input: &[f32], tokens: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
        let Sizes { width, heads, .. } = self.sizes;
        let token = |t: usize| {
            input
                .iter()
                .skip(t)
                .step_by(tokens)
                .map(|v| f64::from(*v))
                .collect()
        };
        let x: Vec<Vec<f64>> = (0..tokens).map(token).collect();
        let mut x = self.first.compute(&x);
        let add = |x: &mut Vec<Vec<f64>>, branch: Vec<Vec<f64>>| {
            let each = x.iter_mut().flatten().zip(branch.into_iter().flatten());
            each.for_each(|(x, branch)| *x += branch);
        };
        for block in &self.blocks {
            let all = block.qkv.compute(&block.norms[0].compute(&x));
            let mut seen = vec![vec![0.0; width]; tokens];
            let part = width / heads;
            for head in 0..heads {
                for (query, seen) in all.iter().zip(&mut seen) {
                    let dot = |key: &Vec<f64>| {
                        let (q, k) = (&query[head * part..], &key[width + head * part..]);
                        let sum: f64 = q.iter().zip(k).take(part).map(|(q, k)| q * k).sum();
                        sum / (part as f64).sqrt()
                    };
                    let logits: Vec<f64> = all.iter().map(dot).collect();
                    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let weights: Vec<f64> = logits.iter().map(|v| (v - most).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for (channel, seen) in seen[head * part..][..part].iter_mut().enumerate() {
                        let values = all.iter().map(|key| key[2 * width + head * part + channel]);
                        *seen = values.zip(&weights).map(|(v, w)| v * w).sum::<f64>() / sum;
                    }
                }
            }
            add(&mut x, block.proj.compute(&seen));
            let mut hidden = block.mlp[0].compute(&block.norms[1].compute(&x));
            hidden
                .iter_mut()
                .flatten()
                .for_each(|v| *v *= 0.5 * (1.0 + erf(*v / 2.0_f64.sqrt())));
            add(&mut x, block.mlp[1].compute(&hidden));
        }
        let size = |x: &Vec<f64>| x.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
        let score = |token: &Vec<f64>| {
            let product: f64 = token.iter().zip(&x[0]).map(|(a, b)| a * b).sum();
            product / size(token) / size(&x[0])
        };
        (x[1..].iter().map(score).collect(), x)
    }
}

/// The error function by its power series (Abramowitz and Stegun 7.1.6), for |x| up to 6.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt()
}

fn ours(plan: &Plan, threads: usize, kernel: Kernel) -> TransformerExecutor {
    TransformerExecutor::with_kernel(plan, threads, kernel)
        .unwrap()
        .unwrap()
}

fn affinities(batch: usize, sizes: Sizes, tokens: usize, seed: &mut u32) -> Tensor {
    let data = numbers(batch * sizes.anchors * tokens, seed);
    Tensor::new(&[batch, sizes.anchors, tokens, 1], data).unwrap()
}

fn bits(outputs: &[(String, Tensor)]) -> Vec<Vec<u32>> {
    let bits = |tensor: &Tensor| tensor.data.iter().map(|v| v.to_bits()).collect();
    outputs.iter().map(|(_, tensor)| bits(tensor)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn agrees_with_f64_and_rten_whatever_the_sizes(
        tokens in 2..80_usize, anchors in 1..40_usize, heads in 1..4_usize, part in 1..24_usize, hidden in 1..50_usize,
        depth in 0..3_usize, bias in any::<bool>(), mut seed in any::<u32>(),
    ) {
        // Without a block there is no attention, and the plan is rten's.
        let sizes = Sizes { anchors, width: heads * part, heads, hidden, depth: depth.max(1), bias };
        let network = Network::new(sizes, &mut seed);
        let input = affinities(1, sizes, tokens, &mut seed);
        let plan = network.record(depth == 2);
        let (scores, after) = network.compute(&input.data, tokens);
        // What a token is divided by; a narrow one may nearly vanish, and its direction with it.
        let least = after.iter().map(|x| x.iter().map(|v| v * v).sum::<f64>().sqrt()).fold(1.0, f64::min);
        let got = ours(&plan, 1, Kernel::best()).run(&input).unwrap();
        let rten = RtenExecutor::new(&plan, 1).unwrap().run(&input).unwrap();
        for ((name, got), (rten_name, rten)) in got.iter().zip(&rten) {
            prop_assert_eq!(name, rten_name);
            prop_assert_eq!(&got.shape, &rten.shape);
            let room = if name == "scores" { 2e-5 / least as f32 } else { 3e-5 };
            for (got, rten) in got.data.iter().zip(&rten.data) {
                prop_assert!((got - rten).abs() < room, "{name}: {got}, rten {rten}");
            }
        }
        for (got, want) in got.last().unwrap().1.data.iter().zip(&scores) {
            prop_assert!((f64::from(*got) - want).abs() < 1e-5 / least, "{got} instead of {want}");
        }
        if depth == 2 {
            for (channel, got) in got[1].1.data.chunks(tokens).enumerate() {
                for (token, got) in got.iter().enumerate() {
                    let want = after[token][channel];
                    prop_assert!((f64::from(*got) - want).abs() < 2e-5, "{got} instead of {want}");
                }
            }
        }
    }

    #[test]
    fn the_same_bytes_on_every_kernel_for_any_batch_and_threads(
        tokens in 2..150_usize, heads in 1..4_usize, part in 1..20_usize, batch in 1..6_usize, threads in 1..4_usize,
        mut seed in any::<u32>(),
    ) {
        let sizes = Sizes { anchors: 7, width: heads * part, heads, hidden: 31, depth: 1, bias: true };
        let plan = Network::new(sizes, &mut seed).record(true);
        let input = affinities(batch, sizes, tokens, &mut seed);
        let together = bits(&ours(&plan, threads, Kernel::best()).run(&input).unwrap());
        for kernel in Kernel::available() {
            let mut executor = ours(&plan, 1, kernel);
            let mut apart = vec![Vec::new(); together.len()];
            for query in input.data.chunks(sizes.anchors * tokens) {
                let query = Tensor::new(&[1, sizes.anchors, tokens, 1], query.to_vec()).unwrap();
                let each = bits(&executor.run(&query).unwrap());
                apart.iter_mut().zip(each).for_each(|(all, one)| all.extend(one));
            }
            prop_assert_eq!(&apart, &together, "{}", kernel.name());
        }
    }
}

#[test]
fn sums_longer_than_a_pass_and_memory_that_is_used_again() {
    let sizes = Sizes {
        anchors: 5,
        width: 12,
        heads: 2,
        hidden: 2500,
        depth: 1,
        bias: false,
    };
    let mut seed = 3;
    let network = Network::new(sizes, &mut seed);
    let plan = network.record(false);
    let mut executor = ours(&plan, 2, Kernel::best());
    for tokens in [40, 1100, 7] {
        let input = affinities(1, sizes, tokens, &mut seed);
        let got = executor.run(&input).unwrap().remove(0).1;
        assert_eq!(got.shape, [1, tokens - 1]);
        let (want, _) = network.compute(&input.data, tokens);
        for (got, want) in got.data.iter().zip(&want) {
            assert!((f64::from(*got) - want).abs() < 1e-5, "{got} instead of {want}");
        }
    }
}

#[test]
fn plans_with_other_operations_are_rtens() {
    let sizes = Sizes {
        anchors: 3,
        width: 4,
        heads: 1,
        hidden: 4,
        depth: 1,
        bias: true,
    };
    let network = Network::new(sizes, &mut 1);
    let runtime = |plan: &Plan| plan_executor(plan, 1).unwrap().describe().name;
    let plan = network.record(false);
    let own = if Kernel::best() == Kernel::Portable {
        "rten"
    } else {
        "sightline"
    };
    assert_eq!(runtime(&plan), own);
    let (mut no_attention, image) = Plan::new(1);
    let y = no_attention.step(Operation::Gelu, &[image]);
    no_attention.output("y", y);
    assert_eq!(runtime(&no_attention), "rten");
    let (mut other, image) = Plan::new(4);
    let seen = other.step(Operation::Attention { heads: 2, width: 4 }, &[image; 3]);
    let y = other.step(Operation::Relu, &[seen]);
    other.output("y", y);
    assert_eq!(runtime(&other), "rten");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let sizes = Sizes {
        anchors: 3,
        width: 4,
        heads: 2,
        hidden: 4,
        depth: 1,
        bias: true,
    };
    let mut executor = ours(&Network::new(sizes, &mut 1).record(false), 1, Kernel::best());
    let error = |executor: &mut TransformerExecutor, shape: [usize; 4]| {
        let input = Tensor::new(&shape, vec![0.0; shape.iter().product()]).unwrap();
        executor.run(&input).unwrap_err().to_string()
    };
    assert!(error(&mut executor, [1, 2, 5, 1]).contains("3 channels"));
    assert!(error(&mut executor, [1, 3, 5, 2]).contains("a width of 1"));
    let one = Tensor::new(&[1, 3, 1, 1], vec![0.5; 3]).unwrap();
    assert_eq!(executor.run(&one).unwrap()[0].1.shape, [1, 0]);
}
