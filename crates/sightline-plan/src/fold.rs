//! Folding batch norms into the convolutions and linear layers before them.
//!
//! In test mode a batch norm is `y = (x - mean) * s + bias` with `s = weight / sqrt(variance + epsilon)` for each
//! channel; behind a convolution (or linear layer) that only it reads, s goes into the kernel and the rest into the bias.

use crate::Tensor;
use crate::plan::{Operation, Plan, Source, Value};

impl Plan {
    /// The same plan with every batch norm that directly follows a convolution or a linear layer folded into it, and without the
    /// constants and operations that no output needs any more.
    ///
    /// The factors are computed in 64-bit arithmetic and rounded to float32 once.
    #[must_use]
    pub fn fold_batch_norms(mut self) -> Self {
        let mut readers = vec![0_usize; self.values.len()];
        for source in &self.values {
            if let Source::Step(step) = source {
                step.inputs.iter().for_each(|input| readers[input.0] += 1);
            }
        }
        for (_, value) in &self.outputs {
            readers[value.0] += 1;
        }
        for index in 0..self.values.len() {
            let Some((convolution, norm)) = self.foldable(index, &readers) else {
                continue;
            };
            let Source::Step(step) = &self.values[convolution.0] else {
                continue;
            };
            let step = step.clone();
            let Some((weight, bias)) = self.folded(&step.inputs, &norm) else {
                continue;
            };
            // A large network must not be held twice until the end.
            let kernel = step.inputs[1];
            if readers[kernel.0] == 1 {
                self.values[kernel.0] = Source::Constant(Tensor {
                    shape: vec![0],
                    data: Vec::new(),
                });
            }
            // The convolution moves to the batch norm's place; constants are put before their readers below.
            let mut folded = step;
            folded.inputs = vec![folded.inputs[0], self.constant(weight), self.constant(bias)];
            self.values[index] = Source::Step(folded);
        }
        self.without_unused()
    }

    /// The layer and the constants of the batch norm at `index`, if it can be folded.
    fn foldable(&self, index: usize, readers: &[usize]) -> Option<(Value, Norm<'_>)> {
        let Source::Step(step) = self.values.get(index)? else {
            return None;
        };
        let Operation::BatchNorm { epsilon } = step.operation else {
            return None;
        };
        let [x, weight, bias, mean, variance] = step.inputs[..] else {
            return None;
        };
        let Source::Step(before) = &self.values[x.0] else {
            return None;
        };
        if !matches!(before.operation, Operation::Conv2d(_) | Operation::Linear) || readers[x.0] != 1 {
            return None;
        }
        let norm = Norm {
            epsilon,
            weight: &self.constant_of(weight)?.data,
            bias: &self.constant_of(bias)?.data,
            mean: &self.constant_of(mean)?.data,
            variance: &self.constant_of(variance)?.data,
        };
        Some((x, norm))
    }

    /// Kernel and bias of the layer that takes `inputs`, with the batch norm in them.
    fn folded(&self, inputs: &[Value], norm: &Norm<'_>) -> Option<(Tensor, Tensor)> {
        let kernel = self.constant_of(*inputs.get(1)?)?;
        let channels = norm.weight.len();
        let same = [norm.bias, norm.mean, norm.variance]
            .iter()
            .all(|part| part.len() == channels);
        if !same || kernel.shape.first() != Some(&channels) || kernel.data.len() < channels.max(1) {
            return None;
        }
        let own_bias = match inputs.get(2) {
            Some(value) => Some(
                &self
                    .constant_of(*value)
                    .filter(|bias| bias.data.len() == channels)?
                    .data,
            ),
            None => None,
        };
        let mut weight = kernel.clone();
        let mut bias = Vec::with_capacity(channels);
        for (channel, taps) in weight.data.chunks_mut(kernel.data.len() / channels).enumerate() {
            let scale = f64::from(norm.weight[channel])
                / (f64::from(norm.variance[channel]) + f64::from(norm.epsilon)).sqrt();
            for tap in taps {
                *tap = (f64::from(*tap) * scale) as f32;
            }
            let before = own_bias.map_or(0.0, |bias| f64::from(bias[channel]));
            let shift = (before - f64::from(norm.mean[channel])) * scale;
            bias.push((shift + f64::from(norm.bias[channel])) as f32);
        }
        let bias = Tensor {
            shape: vec![channels],
            data: bias,
        };
        Some((weight, bias))
    }

    /// Drops what no output needs and puts constants before the operations that read them.
    fn without_unused(self) -> Self {
        let mut needed = vec![false; self.values.len()];
        let mut pending: Vec<Value> = self.outputs.iter().map(|(_, value)| *value).collect();
        while let Some(value) = pending.pop() {
            if std::mem::replace(&mut needed[value.0], true) {
                continue;
            }
            if let Source::Step(step) = &self.values[value.0] {
                pending.extend(&step.inputs);
            }
        }
        needed[0] = true; // the input stays, needed or not
        let mut order: Vec<usize> = (0..self.values.len()).filter(|index| needed[*index]).collect();
        order.sort_by_key(|index| match &self.values[*index] {
            Source::Input => 0,
            Source::Constant(_) => 1,
            Source::Step(_) => 2,
        });
        let mut moved = vec![Value(0); self.values.len()];
        for (new, old) in order.iter().enumerate() {
            moved[*old] = Value(new);
        }
        let mut sources: Vec<Option<Source>> = self.values.into_iter().map(Some).collect();
        let mut values = Vec::with_capacity(order.len());
        for old in order {
            let Some(mut source) = sources[old].take() else {
                continue;
            };
            if let Source::Step(step) = &mut source {
                step.inputs.iter_mut().for_each(|input| *input = moved[input.0]);
            }
            values.push(source);
        }
        Self {
            channels: self.channels,
            input: self.input,
            size: self.size,
            values,
            outputs: self
                .outputs
                .into_iter()
                .map(|(name, value)| (name, moved[value.0]))
                .collect(),
        }
    }
}

/// The constants of a batch norm, each one value for each channel.
struct Norm<'a> {
    epsilon: f32,
    weight: &'a [f32],
    bias: &'a [f32],
    mean: &'a [f32],
    variance: &'a [f32],
}
