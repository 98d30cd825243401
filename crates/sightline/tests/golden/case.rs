//! One golden case: its inputs, parameters and expected outputs, and the comparison with what was computed.

use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// A tensor of a case, or a computed one.
#[derive(Clone, Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

/// Values of an [`Array`], row-major. Integers are widened; floats keep their width, so that "exact" is exact.
#[derive(Clone, Debug)]
pub enum Data {
    /// Any integer or boolean type.
    Int(Vec<i128>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    /// float16, as bits.
    F16(Vec<u16>),
}

/// What an area computed, by name without the leading `out.`.
#[derive(Default)]
pub struct Outputs {
    arrays: BTreeMap<String, Array>,
    verdicts: BTreeMap<String, Result<(), String>>,
}

impl Outputs {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn f32(&mut self, name: &str, shape: &[usize], data: Vec<f32>) {
        self.push(name, shape, Data::F32(data));
    }

    pub fn f64(&mut self, name: &str, shape: &[usize], data: Vec<f64>) {
        self.push(name, shape, Data::F64(data));
    }

    pub fn ints<T: Into<i128> + Copy>(&mut self, name: &str, shape: &[usize], data: &[T]) {
        self.push(name, shape, Data::Int(data.iter().map(|v| (*v).into()).collect()));
    }

    pub fn push(&mut self, name: &str, shape: &[usize], data: Data) {
        self.arrays.insert(
            name.to_owned(),
            Array {
                shape: shape.to_vec(),
                data,
            },
        );
    }

    /// For an output whose comparison is the area's own (a JSON tree, "refused or not").
    pub fn verdict(&mut self, name: &str, verdict: Result<(), String>) {
        self.verdicts.insert(name.to_owned(), verdict);
    }
}

/// A case as read from its file.
pub struct Case {
    pub area: String,
    /// The case's name, which says which computation it is.
    pub name: String,
    pub params: Json,
    tolerance: Json,
    tensors: BTreeMap<String, Array>,
    bytes: BTreeMap<String, Vec<u8>>,
}

impl Case {
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let (_, header) = SafeTensors::read_metadata(&file).map_err(|error| error.to_string())?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|table| table.get("case"))
            .ok_or("the file has no metadata key `case`")?;
        let case: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let read = SafeTensors::deserialize(&file).map_err(|error| error.to_string())?;
        let mut tensors = BTreeMap::new();
        let mut bytes = BTreeMap::new();
        for (name, view) in read.tensors() {
            let array = Array {
                shape: view.shape().to_vec(),
                data: Data::read(view.dtype(), view.data())?,
            };
            if view.dtype() == Dtype::U8 {
                bytes.insert(name.clone(), view.data().to_vec());
            }
            tensors.insert(name, array);
        }
        let text_of = |key: &str| {
            case[key]
                .as_str()
                .map(str::to_owned)
                .ok_or(format!("the case has no `{key}`"))
        };
        Ok(Self {
            area: text_of("area")?,
            name: text_of("case")?,
            params: case["params"].clone(),
            tolerance: case["tolerance"].clone(),
            tensors,
            bytes,
        })
    }

    /// Every tensor name that begins with `prefix` (such as `in.` or `out.`), in order.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.tensors
            .keys()
            .filter(|name| name.starts_with(prefix))
            .cloned()
            .collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor of that full name (`in.x`, `w.y`, `out.z`).
    pub fn array(&self, name: &str) -> Result<&Array, String> {
        self.tensors
            .get(name)
            .ok_or_else(|| format!("the case has no tensor {name}"))
    }

    /// The raw bytes of a u8 tensor, such as `in.file`.
    pub fn bytes(&self, name: &str) -> Result<&[u8], String> {
        self.bytes
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| format!("the case has no bytes {name}"))
    }

    /// A u8 tensor as text.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        std::str::from_utf8(self.bytes(name)?).map_err(|error| format!("{name}: {error}"))
    }

    /// Compares every `out.*` of the file with what was computed, within the case's tolerance.
    pub fn compare(&self, outputs: &Outputs) -> Result<(), String> {
        let expected = self.names("out.");
        if expected.is_empty() {
            return Err("the file names no output".into());
        }
        for full in &expected {
            let name = full.trim_start_matches("out.");
            if let Some(verdict) = outputs.verdicts.get(name) {
                verdict.clone().map_err(|reason| format!("{name}: {reason}"))?;
                continue;
            }
            let got = outputs
                .arrays
                .get(name)
                .ok_or_else(|| format!("{name} was not computed"))?;
            let tolerance = &self.tolerance[full.as_str()];
            compare(&self.tensors[full], got, tolerance).map_err(|reason| format!("{name}: {reason}"))?;
        }
        Ok(())
    }
}

impl Array {
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::Int(values) => values.iter().map(|v| *v as f64).collect(),
            Data::F32(values) => values.iter().map(|v| f64::from(*v)).collect(),
            Data::F64(values) => values.clone(),
            Data::F16(values) => values.iter().map(|v| half_to_f64(*v)).collect(),
        }
    }

    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            Data::F32(values) => values.clone(),
            _ => self.to_f64().into_iter().map(|v| v as f32).collect(),
        }
    }

    /// Whole numbers; an error for float tensors.
    pub fn to_ints<T: TryFrom<i128>>(&self) -> Result<Vec<T>, String> {
        match &self.data {
            Data::Int(values) => values
                .iter()
                .map(|v| T::try_from(*v).map_err(|_| format!("{v} does not fit")))
                .collect(),
            _ => Err("the tensor does not hold whole numbers".into()),
        }
    }
}

impl Data {
    fn read(dtype: Dtype, bytes: &[u8]) -> Result<Self, String> {
        fn each<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
            bytes
                .chunks_exact(N)
                .map(|chunk| read(chunk.try_into().unwrap()))
                .collect()
        }
        Ok(match dtype {
            Dtype::BOOL | Dtype::U8 => Self::Int(bytes.iter().map(|v| i128::from(*v)).collect()),
            Dtype::I8 => Self::Int(each(bytes, |b| i8::from_le_bytes(b).into())),
            Dtype::I16 => Self::Int(each(bytes, |b| i16::from_le_bytes(b).into())),
            Dtype::U16 => Self::Int(each(bytes, |b| u16::from_le_bytes(b).into())),
            Dtype::I32 => Self::Int(each(bytes, |b| i32::from_le_bytes(b).into())),
            Dtype::U32 => Self::Int(each(bytes, |b| u32::from_le_bytes(b).into())),
            Dtype::I64 => Self::Int(each(bytes, |b| i64::from_le_bytes(b).into())),
            Dtype::U64 => Self::Int(each(bytes, |b| u64::from_le_bytes(b).into())),
            Dtype::F16 => Self::F16(each(bytes, u16::from_le_bytes)),
            Dtype::F32 => Self::F32(each(bytes, f32::from_le_bytes)),
            Dtype::F64 => Self::F64(each(bytes, f64::from_le_bytes)),
            other => return Err(format!("the harness does not read {other:?}")),
        })
    }
}

/// Compares one output with its expectation: shape first, then each tolerance that the case names.
pub fn compare(want: &Array, got: &Array, tolerance: &Json) -> Result<(), String> {
    if want.shape != got.shape {
        return Err(format!("shape {:?} instead of {:?}", got.shape, want.shape));
    }
    if tolerance == "exact" {
        return exact(want, got);
    }
    let table = tolerance
        .as_object()
        .ok_or("the case names no tolerance for this output")?;
    let (want_values, got_values) = (want.to_f64(), got.to_f64());
    if want_values.len() != got_values.len() {
        return Err(format!(
            "{} values instead of {}",
            got_values.len(),
            want_values.len()
        ));
    }
    let mut checked = false;
    if table.contains_key("rtol") || table.contains_key("atol") {
        let rtol = table.get("rtol").and_then(Json::as_f64).unwrap_or(0.0);
        let atol = table.get("atol").and_then(Json::as_f64).unwrap_or(0.0);
        within(&want_values, &got_values, rtol, atol)?;
        checked = true;
    }
    if let Some(least) = table.get("cosine").and_then(Json::as_f64) {
        let cosine = cosine(&want_values, &got_values);
        if cosine.is_nan() || cosine < least {
            return Err(format!("cosine {cosine} below {least}"));
        }
        checked = true;
    }
    if checked {
        Ok(())
    } else {
        Err(format!("the harness does not know the tolerance {tolerance}"))
    }
}

fn exact(want: &Array, got: &Array) -> Result<(), String> {
    let mut count = 0_usize;
    let mut largest = 0.0_f64;
    let mut note = |different: bool, a: f64, b: f64| {
        if different {
            count += 1;
            let difference = (a - b).abs();
            largest = largest.max(if difference.is_nan() {
                f64::INFINITY
            } else {
                difference
            });
        }
    };
    match (&want.data, &got.data) {
        (Data::Int(a), Data::Int(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .for_each(|(a, b)| note(a != b, *a as f64, *b as f64));
        }
        (Data::F32(a), Data::F32(b)) if a.len() == b.len() => {
            let same = |a: f32, b: f32| a == b || (a.is_nan() && b.is_nan());
            a.iter()
                .zip(b)
                .for_each(|(a, b)| note(!same(*a, *b), f64::from(*a), f64::from(*b)));
        }
        (Data::F64(a), Data::F64(b)) if a.len() == b.len() => {
            let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
            a.iter().zip(b).for_each(|(a, b)| note(!same(*a, *b), *a, *b));
        }
        (Data::F16(a), Data::F16(b)) if a.len() == b.len() => {
            a.iter()
                .zip(b)
                .for_each(|(a, b)| note(a != b, half_to_f64(*a), half_to_f64(*b)));
        }
        _ => return Err("another type or number of values than expected".into()),
    }
    if count == 0 {
        Ok(())
    } else {
        Err(format!("{count} values differ, largest difference {largest}"))
    }
}

fn within(want: &[f64], got: &[f64], rtol: f64, atol: f64) -> Result<(), String> {
    let mut worst = (0.0_f64, 0_usize);
    for (index, (want, got)) in want.iter().zip(got).enumerate() {
        if want == got || (want.is_nan() && got.is_nan()) {
            continue;
        }
        let excess = (got - want).abs() / (atol + rtol * want.abs());
        let excess = if excess.is_nan() { f64::INFINITY } else { excess };
        if excess > worst.0 {
            worst = (excess, index);
        }
    }
    if worst.0 <= 1.0 {
        return Ok(());
    }
    let (want, got) = (want[worst.1], got[worst.1]);
    Err(format!(
        "largest difference {:e} at value {} ({got} instead of {want})",
        (got - want).abs(),
        worst.1
    ))
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

fn half_to_f64(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}
