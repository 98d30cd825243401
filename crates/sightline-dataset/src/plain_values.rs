//! Texts and numbers out of the value tree, whichever of lists, tuples, arrays and cells a file keeps them in.

use serde_json::Value as Json;
use sightline_checkpoint::Value;

/// Texts: a list of texts, an array of texts, or a Matlab cell of them.
pub(crate) fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Strings(strings) => Ok(strings.values.iter().map(|text| text.to_string()).collect()),
        Value::Cell(cell) => cell.items.iter().map(text).collect(),
        _ => value
            .as_list()
            .ok_or_else(|| format!("{} stands where a list of names should", value.kind()))?
            .iter()
            .map(text)
            .collect(),
    }
}

/// One text: Python's, or a Matlab character array of one row.
pub(crate) fn text(value: &Value) -> Result<String, String> {
    match value {
        Value::Strings(strings) if strings.values.len() <= 1 => Ok(strings
            .values
            .first()
            .map(|text| text.to_string())
            .unwrap_or_default()),
        // Python 2 wrote names as bytes; they are read as latin-1.
        Value::Bytes(bytes) => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{} stands where a name should", value.kind())),
    }
}

/// Numbers: one, an array of any shape, or lists of them inside one another, joined.
pub(crate) fn numbers(value: &Value) -> Result<Vec<f64>, String> {
    let mut out = Vec::new();
    collect(value, &mut out)?;
    Ok(out)
}

fn collect(value: &Value, out: &mut Vec<f64>) -> Result<(), String> {
    if let Some(number) = value.as_f64() {
        out.push(number);
    } else if let Some(tensor) = value.as_tensor() {
        out.extend(tensor.to_f64().map_err(|error| error.to_string())?);
    } else if let Some(items) = value.as_list() {
        for item in items {
            collect(item, out)?;
        }
    } else if let Value::Range(range) = value {
        let [start, stop, step] = **range;
        let inside = |at: &i64| {
            if step > 0 {
                *at < stop
            } else {
                step < 0 && *at > stop
            }
        };
        let mut next = Some(start);
        while let Some(at) = next.filter(inside) {
            if out.len() > u32::MAX as usize >> 4 {
                return Err("a range is too long".to_owned());
            }
            out.push(at as f64);
            next = at.checked_add(step);
        }
    } else {
        return Err(format!("{} stands where numbers should", value.kind()));
    }
    Ok(())
}

/// Indices, counted from `first` in the file and from 0 in the result.
pub(crate) fn indices(value: &Value, first: u32) -> Result<Vec<u32>, String> {
    numbers(value)?
        .into_iter()
        .map(|number| {
            let index = number - f64::from(first);
            if index >= 0.0 && index <= f64::from(u32::MAX) && index.fract() == 0.0 {
                Ok(index as u32)
            } else {
                Err(format!("{number} is no index (they count from {first})"))
            }
        })
        .collect()
}

/// The element of a Matlab structure array of one element, or the entry of a dict.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Struct(all) => {
            let index = all.fields.iter().position(|field| field == name)?;
            all.items.first()?.get(index)
        }
        _ => value.get(name),
    }
}

/// JSON as the same tree.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| Value::Float(number.as_f64().unwrap_or(f64::NAN)), Value::Int),
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.iter().map(from_json).collect()),
        Json::Object(items) => Value::dict(items.iter().map(|(key, value)| (key, from_json(value)))),
    }
}
