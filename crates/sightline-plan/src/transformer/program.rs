//! From a plan to what is done with panels, where all of its operations are known here.

use crate::kernels::{Finish, Packed, Runnable};
use crate::plan::{Operation, Plan, Source, Step, Value};
use crate::{Region, Tensor};

/// Values of all tokens, or of one: some channels of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) buffer: usize,
    /// The first channel.
    pub(super) from: usize,
    pub(super) channels: usize,
    /// The one token that is meant, where it is one.
    pub(super) token: Option<usize>,
}

/// Arithmetic between two values, number by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Mul,
    Div,
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    Gelu,
    Sqrt,
    ClampMin(f32),
}

/// What is done; `to` is the buffer that takes the result.
pub(super) enum Instruction {
    Linear {
        weight: Packed,
        bias: Option<Vec<f32>>,
        x: Place,
        to: usize,
        finish: Finish,
    },
    LayerNorm {
        weight: Vec<f32>,
        bias: Vec<f32>,
        epsilon: f32,
        x: Place,
        to: usize,
    },
    Attention {
        queries: Place,
        keys: Place,
        values: Place,
        heads: usize,
        to: usize,
    },
    Apply {
        function: Function,
        x: Place,
        to: usize,
    },
    Combine {
        arithmetic: Arithmetic,
        a: Place,
        b: Place,
        to: usize,
    },
    SumChannels {
        x: Place,
        to: usize,
    },
}

/// Form of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `[N, C, T, 1]`.
    Map,
    /// `[N, to - from]`, tokens of a single channel.
    Row { from: usize, to: Option<usize> },
}

/// A plan made ready.
pub(super) struct Program {
    /// Channels of each buffer; the first one takes the input.
    pub(super) buffers: Vec<usize>,
    pub(super) instructions: Vec<Instruction>,
    pub(super) outputs: Vec<(String, Place, Form)>,
}

/// Where a value of the plan lies, once its step is done.
#[derive(Clone, Copy)]
struct Known {
    place: Place,
    form: Form,
    /// The value whose buffer it is.
    root: usize,
}

impl Program {
    /// The plan's program; none where it does something that is not known here, or has no attention: such plans are
    /// `rten`'s.
    pub(super) fn of(plan: &Plan, kernel: Runnable) -> Option<Self> {
        if !plan
            .operations()
            .any(|operation| matches!(operation, Operation::Attention { .. }))
        {
            return None;
        }
        let mut writer = Writer {
            plan,
            kernel,
            known: vec![None; plan.values.len()],
            last_reader: last_readers(plan),
            readers: readers(plan),
            owners: vec![None],
            program: Self {
                buffers: vec![plan.channels],
                instructions: Vec::new(),
                outputs: Vec::new(),
            },
        };
        writer.known[0] = Some(writer.hold(0, 0));
        for (index, source) in plan.values.iter().enumerate() {
            if let Source::Step(step) = source {
                let known = writer.step(index, step)?;
                writer.known[index] = Some(known);
                writer.release(index);
            }
        }
        for (name, value) in &plan.outputs {
            let Known { place, form, .. } = writer.known.get(value.0).copied().flatten()?;
            if place.token.is_some() {
                return None;
            }
            writer.program.outputs.push((name.clone(), place, form));
        }
        Some(writer.program)
    }
}

/// The value in whose memory a value lies: its own, or that of the value of which it is a part.
fn roots(plan: &Plan) -> Vec<usize> {
    let mut roots: Vec<usize> = Vec::with_capacity(plan.values.len());
    for (index, source) in plan.values.iter().enumerate() {
        let root = match source {
            Source::Step(Step {
                operation: Operation::Channels { .. } | Operation::Crop(_) | Operation::Reshape(_),
                inputs,
            }) => inputs.first().and_then(|input| roots.get(input.0)).copied(),
            _ => None,
        };
        roots.push(root.unwrap_or(index));
    }
    roots
}

/// For each value, the last step that reads its memory; `usize::MAX` where an output does.
fn last_readers(plan: &Plan) -> Vec<usize> {
    let roots = roots(plan);
    let mut last: Vec<usize> = (0..plan.values.len()).collect();
    for (index, source) in plan.values.iter().enumerate() {
        if let Source::Step(step) = source {
            for input in &step.inputs {
                last[roots[input.0]] = index;
            }
        }
    }
    for (_, value) in &plan.outputs {
        last[roots[value.0]] = usize::MAX;
    }
    last
}

/// How often each value is read.
fn readers(plan: &Plan) -> Vec<usize> {
    let mut readers = vec![0; plan.values.len()];
    let steps = plan.values.iter().filter_map(|source| match source {
        Source::Step(step) => Some(step),
        _ => None,
    });
    for input in steps.flat_map(|step| &step.inputs) {
        readers[input.0] += 1;
    }
    for (_, value) in &plan.outputs {
        readers[value.0] += 1;
    }
    readers
}

/// Writes a program, step by step.
struct Writer<'a> {
    plan: &'a Plan,
    kernel: Runnable,
    known: Vec<Option<Known>>,
    last_reader: Vec<usize>,
    readers: Vec<usize>,
    /// For each buffer the value that it holds; none where nobody needs it any more.
    owners: Vec<Option<usize>>,
    program: Program,
}

impl Writer<'_> {
    /// All channels of a buffer, which now holds that value.
    fn hold(&mut self, buffer: usize, root: usize) -> Known {
        self.owners[buffer] = Some(root);
        let place = Place {
            buffer,
            from: 0,
            channels: self.program.buffers[buffer],
            token: None,
        };
        let form = Form::Map;
        Known { place, form, root }
    }

    /// A buffer of that many channels, free or new.
    fn buffer(&mut self, channels: usize) -> usize {
        let buffers = &mut self.program.buffers;
        let mut each = buffers.iter().zip(&self.owners);
        match each.position(|(width, owner)| *width == channels && owner.is_none()) {
            Some(index) => index,
            None => {
                buffers.push(channels);
                self.owners.push(None);
                buffers.len() - 1
            }
        }
    }

    /// Frees the buffers that nothing after this step reads.
    fn release(&mut self, index: usize) {
        for owner in &mut self.owners {
            *owner = owner.filter(|root| self.last_reader[*root] > index);
        }
    }

    fn map(&self, value: Value) -> Option<Known> {
        let known = self.known.get(value.0).copied().flatten()?;
        (known.form == Form::Map).then_some(known)
    }

    fn tokens(&self, value: Value) -> Option<Place> {
        let place = self.map(value)?.place;
        place.token.is_none().then_some(place)
    }

    /// A constant of that shape.
    fn constant(&self, value: Value, shape: &[usize]) -> Option<&Tensor> {
        let constant = self.plan.constant_of(value)?;
        (constant.shape == shape && constant.is_consistent()).then_some(constant)
    }

    fn emit(
        &mut self,
        index: usize,
        channels: usize,
        instruction: impl FnOnce(usize) -> Instruction,
    ) -> Known {
        let to = self.buffer(channels);
        self.program.instructions.push(instruction(to));
        self.hold(to, index)
    }

    fn step(&mut self, index: usize, step: &Step) -> Option<Known> {
        let inputs = &step.inputs[..];
        let part = |known: Known, place: Place, form: Form| Some(Known { place, form, ..known });
        match (&step.operation, inputs) {
            (Operation::Linear, [x, weight, bias @ ..]) => self.linear(index, *x, *weight, bias.first()),
            (Operation::LayerNorm { epsilon }, [x, weight, bias]) => {
                let (x, epsilon) = (self.tokens(*x)?, *epsilon);
                let [weight, bias] = [weight, bias].map(|value| self.constant(*value, &[x.channels]));
                let (weight, bias) = (weight?.data.clone(), bias?.data.clone());
                Some(self.emit(index, x.channels, |to| Instruction::LayerNorm {
                    weight,
                    bias,
                    epsilon,
                    x,
                    to,
                }))
            }
            (Operation::Attention { heads, width }, [queries, keys, values]) => {
                let [queries, keys, values] = [queries, keys, values].map(|value| self.tokens(*value));
                let (queries, keys, values) = (queries?, keys?, values?);
                let heads = *heads;
                let divided = heads > 0 && width.is_multiple_of(heads) && *width > 0;
                if !divided || [queries, keys, values].iter().any(|x| x.channels != *width) {
                    return None;
                }
                Some(self.emit(index, *width, |to| Instruction::Attention {
                    queries,
                    keys,
                    values,
                    heads,
                    to,
                }))
            }
            (Operation::Gelu, [x]) => match self.behind_linear(index, *x) {
                Some(known) => Some(known),
                None => self.apply(index, *x, Function::Gelu),
            },
            (Operation::Sqrt, [x]) => self.apply(index, *x, Function::Sqrt),
            (Operation::ClampMin(least), [x]) => self.apply(index, *x, Function::ClampMin(*least)),
            (Operation::Add, [a, b]) => match self.added_to(index, *a, *b) {
                Some(known) => Some(known),
                None => self.combine(index, *a, *b, Arithmetic::Add),
            },
            (Operation::Mul, [a, b]) => self.combine(index, *a, *b, Arithmetic::Mul),
            (Operation::Div, [a, b]) => self.combine(index, *a, *b, Arithmetic::Div),
            (Operation::SumChannels, [x]) => {
                let x = self.tokens(*x)?;
                Some(self.emit(index, 1, |to| Instruction::SumChannels { x, to }))
            }
            (Operation::Crop(region), [x]) => {
                let known = self.map(*x).filter(|known| known.place.token.is_none())?;
                let one = Region {
                    top: region.top,
                    left: 0,
                    height: 1,
                    width: 1,
                };
                let token = Some(region.top).filter(|_| *region == one);
                part(
                    known,
                    Place {
                        token: Some(token?),
                        ..known.place
                    },
                    Form::Map,
                )
            }
            (Operation::Reshape(shape), [x]) => {
                let known = self.map(*x).filter(|known| known.place.token.is_none())?;
                let is_row = known.place.channels == 1 && shape[..] == [0, -1];
                let form = Form::Row { from: 0, to: None };
                is_row.then_some(Known { form, ..known })
            }
            (Operation::Channels { from, to }, [x]) => {
                let known = self.known.get(x.0).copied().flatten()?;
                match known.form {
                    Form::Map => {
                        let to = to.unwrap_or(known.place.channels);
                        if *from >= to || to > known.place.channels {
                            return None;
                        }
                        let from_buffer = known.place.from + from;
                        let place = Place {
                            from: from_buffer,
                            channels: to - from,
                            ..known.place
                        };
                        part(known, place, Form::Map)
                    }
                    Form::Row { from: 0, to: None } => {
                        part(known, known.place, Form::Row { from: *from, to: *to })
                    }
                    Form::Row { .. } => None,
                }
            }
            _ => None,
        }
    }

    fn linear(&mut self, index: usize, x: Value, weight: Value, bias: Option<&Value>) -> Option<Known> {
        let x = self.tokens(x)?;
        let rows = *self.plan.constant_of(weight)?.shape.first()?;
        let matrix = self.constant(weight, &[rows, x.channels])?;
        let weight = Packed::from_rows(self.kernel, rows, x.channels, &matrix.data);
        let bias = match bias {
            Some(bias) => Some(self.constant(*bias, &[rows])?.data.clone()),
            None => None,
        };
        let finish = Finish::Store;
        (rows > 0 && x.channels > 0).then(|| {
            self.emit(index, rows, |to| Instruction::Linear {
                weight,
                bias,
                x,
                to,
                finish,
            })
        })
    }

    fn apply(&mut self, index: usize, x: Value, function: Function) -> Option<Known> {
        let x = self.tokens(x)?;
        Some(self.emit(index, x.channels, |to| Instruction::Apply { function, x, to }))
    }

    fn combine(&mut self, index: usize, a: Value, b: Value, arithmetic: Arithmetic) -> Option<Known> {
        let (a, b) = (self.map(a)?.place, self.map(b)?.place);
        let channels = a.channels.max(b.channels);
        let fits = [a, b].iter().all(|x| x.channels == channels || x.channels == 1);
        // One of them has all tokens, so that the result has them.
        if !fits || (a.token.is_some() && b.token.is_some()) {
            return None;
        }
        Some(self.emit(index, channels, |to| Instruction::Combine {
            arithmetic,
            a,
            b,
            to,
        }))
    }

    /// Whether a value is that of the last instruction, which only one step reads and which is a linear layer that only stores;
    /// its place.
    fn fresh_linear(&self, value: Value) -> Option<Place> {
        let known = self.map(value)?;
        let place = known.place;
        match self.program.instructions.last() {
            Some(Instruction::Linear {
                to,
                finish: Finish::Store,
                ..
            }) if *to == place.buffer && known.root == value.0 && self.readers[value.0] == 1 => Some(place),
            _ => None,
        }
    }

    /// GELU of what a linear layer has just computed, done there.
    fn behind_linear(&mut self, index: usize, x: Value) -> Option<Known> {
        let place = self.fresh_linear(x)?;
        if let Some(Instruction::Linear { finish, .. }) = self.program.instructions.last_mut() {
            *finish = Finish::Gelu;
        }
        Some(self.hold(place.buffer, index))
    }

    /// The sum of what a linear layer has just computed and of a value that nobody reads later, made in that one's memory.
    fn added_to(&mut self, index: usize, a: Value, b: Value) -> Option<Known> {
        let (sum, branch) = match (self.fresh_linear(a), self.fresh_linear(b)) {
            (None, Some(branch)) => (a, branch),
            (Some(branch), None) => (b, branch),
            _ => return None,
        };
        let known = self.map(sum)?;
        let place = known.place;
        let is_whole = place.token.is_none() && self.program.buffers[place.buffer] == place.channels;
        if !is_whole || place.channels != branch.channels || self.last_reader[known.root] != index {
            return None;
        }
        match self.program.instructions.last_mut() {
            Some(Instruction::Linear { x, to, finish, .. }) if x.buffer != place.buffer => {
                *to = place.buffer;
                *finish = Finish::Add;
            }
            _ => return None,
        }
        Some(self.hold(place.buffer, index))
    }
}

impl Instruction {
    /// The buffer that takes the result.
    pub(super) fn to(&self) -> usize {
        match self {
            Self::Linear { to, .. }
            | Self::LayerNorm { to, .. }
            | Self::Attention { to, .. }
            | Self::Apply { to, .. }
            | Self::Combine { to, .. }
            | Self::SumChannels { to, .. } => *to,
        }
    }

    /// What it reads.
    fn reads(&self) -> Vec<Place> {
        match self {
            Self::Linear { x, .. }
            | Self::LayerNorm { x, .. }
            | Self::Apply { x, .. }
            | Self::SumChannels { x, .. } => vec![*x],
            Self::Attention {
                queries,
                keys,
                values,
                ..
            } => vec![*queries, *keys, *values],
            Self::Combine { a, b, .. } => vec![*a, *b],
        }
    }
}

impl Program {
    /// The fewest tokens of an input: one, or so many that those that are asked for are there.
    pub(super) fn least_tokens(&self) -> usize {
        let places = self.instructions.iter().flat_map(Instruction::reads);
        places.filter_map(|place| place.token).max().unwrap_or(0) + 1
    }
}
