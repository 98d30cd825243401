//! The tree of `formats/README.md`: a value as JSON with its arrays aside, and its comparison.

use crate::case::{Case, Data, Outputs};
use serde_json::{Map, Value as Json, json};
use sightline::checkpoint::tensor::{Dtype, Tensor};
use sightline::checkpoint::value::Value;

/// Writes a value as tree and arrays and judges it against `out.tree`.
pub(crate) fn push_tree(case: &Case, value: &Value, outputs: &mut Outputs) -> Result<(), String> {
    push_trees(case, &[("tree", value)], outputs)
}

/// Several trees whose arrays are numbered through.
pub(crate) fn push_trees(case: &Case, trees: &[(&str, &Value)], outputs: &mut Outputs) -> Result<(), String> {
    let mut writer = Writer { outputs, next: 0 };
    let mut verdicts = Vec::new();
    for (name, value) in trees {
        let got = writer.value(value)?;
        let want: Json = serde_json::from_str(case.text(&format!("out.{name}"))?)
            .map_err(|error| format!("out.{name}: {error}"))?;
        verdicts.push((name, difference(&want, &got, "")));
    }
    for (name, difference) in verdicts {
        outputs.verdict(name, difference.map_or(Ok(()), Err));
    }
    Ok(())
}

/// The first place where two trees differ.
pub(crate) fn difference(want: &Json, got: &Json, path: &str) -> Option<String> {
    match (want, got) {
        (Json::Object(a), Json::Object(b)) if a.keys().eq(b.keys()) => a
            .iter()
            .zip(b.values())
            .find_map(|((key, a), b)| difference(a, b, &format!("{path}.{key}"))),
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (a, b))| difference(a, b, &format!("{path}[{index}]"))),
        _ if want == got => None,
        _ => {
            let short = |value: &Json| value.to_string().chars().take(120).collect::<String>();
            Some(format!("{} instead of {} at {path}", short(got), short(want)))
        }
    }
}

struct Writer<'a> {
    outputs: &'a mut Outputs,
    next: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) -> Result<Json, String> {
        Ok(match value {
            Value::None => Json::Null,
            Value::Bool(truth) => json!(truth),
            Value::Int(number) if number.unsigned_abs() > 1 << 53 => json!({"$int": number.to_string()}),
            Value::Int(number) => json!(number),
            Value::BigInt(text) => json!({"$int": &**text}),
            Value::Float(number) if number.is_nan() => json!({"$float": "nan"}),
            Value::Float(number) if number.is_infinite() => {
                json!({"$float": if *number > 0.0 { "inf" } else { "-inf" }})
            }
            Value::Float(number) => json!(number),
            Value::Text(text) => json!(&**text),
            Value::Bytes(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                json!({"$bytes": hex})
            }
            Value::List(items) => Json::Array(self.all(items)?),
            Value::Tuple(items) => json!({"$tuple": self.all(items)?}),
            Value::Set(items) => {
                let mut items = self.all(items)?;
                items.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => a.to_string().cmp(&b.to_string()),
                });
                json!({"$set": items})
            }
            Value::Dict(items) => json!({"$dict": self.pairs(items)?}),
            Value::OrderedDict { items, attrs } => {
                let mut tree = Map::new();
                tree.insert("$odict".into(), self.pairs(items)?);
                if let Some(attrs) = attrs {
                    tree.insert("attrs".into(), json!({"$dict": self.pairs(attrs)?}));
                }
                Json::Object(tree)
            }
            Value::DefaultDict(dict) => {
                json!({"$defaultdict": dict.factory, "items": self.pairs(&dict.items)?})
            }
            Value::Range(range) => json!({"$range": **range}),
            Value::Size(sizes) => json!({"$size": **sizes}),
            Value::Dtype(dtype) => json!({"$dtype": dtype.name()}),
            Value::Device(text) => json!({"$device": &**text}),
            Value::Tensor(tensor) => self.tensor(tensor)?,
            Value::Parameter {
                tensor,
                requires_grad,
            } => json!({"$parameter": self.tensor(tensor)?, "requires_grad": requires_grad}),
            Value::Array(tensor) => {
                let name = self.array(tensor)?;
                json!({"$array": name, "dtype": tensor.numpy_text(), "shape": tensor.shape()})
            }
            Value::Scalar(scalar) => {
                json!({"$scalar": scalar.dtype, "value": self.value(&scalar.value)?})
            }
            Value::Strings(strings) => {
                let texts: Vec<&str> = strings.values.iter().map(|text| &**text).collect();
                json!({"$strings": texts, "dtype": strings.dtype, "shape": strings.shape})
            }
            Value::Struct(table) => {
                let items = table.items.iter().map(|row| self.all(row));
                let items = items.collect::<Result<Vec<_>, _>>()?;
                json!({"$struct": table.shape, "fields": table.fields, "items": items})
            }
            Value::Cell(cell) => json!({"$cell": cell.shape, "items": self.all(&cell.items)?}),
            Value::Object(object) => {
                json!({"$object": object.class, "state": self.value(&object.state)?})
            }
        })
    }

    fn all(&mut self, items: &[Value]) -> Result<Vec<Json>, String> {
        items.iter().map(|item| self.value(item)).collect()
    }

    fn pairs(&mut self, items: &[(Value, Value)]) -> Result<Json, String> {
        items
            .iter()
            .map(|(key, value)| Ok(json!([self.value(key)?, self.value(value)?])))
            .collect::<Result<Vec<_>, String>>()
            .map(Json::Array)
    }

    fn tensor(&mut self, tensor: &Tensor) -> Result<Json, String> {
        let name = self.array(tensor)?;
        Ok(json!({"$tensor": name, "dtype": tensor.dtype().name(), "shape": tensor.shape()}))
    }

    /// Sets an array aside and gives its name.
    fn array(&mut self, tensor: &Tensor) -> Result<String, String> {
        let name = format!("t{}", self.next);
        self.next += 1;
        let shape = match tensor.shape() {
            [] => vec![1],
            shape => shape.to_vec(),
        };
        self.outputs.push(&name, &shape, data(tensor)?);
        Ok(format!("out.{name}"))
    }
}

/// The values of a tensor, with their own width.
pub(crate) fn data(tensor: &Tensor) -> Result<Data, String> {
    let bits = || {
        let bytes = tensor.to_bytes();
        bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect::<Vec<u16>>()
    };
    Ok(match tensor.dtype() {
        Dtype::F16 => Data::F16(bits()),
        Dtype::Bf16 => Data::Int(bits().into_iter().map(i128::from).collect()),
        Dtype::F32 => Data::F32(tensor.to_f32().map_err(|error| error.to_string())?),
        Dtype::F64 => Data::F64(tensor.to_f64().map_err(|error| error.to_string())?),
        Dtype::U64 => Data::Int(
            tensor
                .to_bytes()
                .chunks_exact(8)
                .map(|b| u64::from_le_bytes(b.try_into().unwrap()).into())
                .collect(),
        ),
        Dtype::Complex64 | Dtype::Complex128 => return Err("complex numbers are not compared".into()),
        _ => Data::Int(
            tensor
                .to_i64()
                .map_err(|error| error.to_string())?
                .into_iter()
                .map(i128::from)
                .collect(),
        ),
    })
}
