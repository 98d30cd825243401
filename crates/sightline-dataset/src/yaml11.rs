//! YAML as PyYAML's `safe_load` understands it (version 1.1): which plain words are numbers, truth values and null.
//!
//! `5.e-6` is a float, `1e-4` and `1.0e5` are text (a float needs a point and a signed exponent), `yes` is true, `010` is 8.
//! Source: PyYAML, `resolver.py` and `constructor.py`. Text goes through `saphyr-parser`, which tells plain
//! words from quoted ones. Infinite and undefined numbers, which JSON lacks, stay text.

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value as Json};
use std::collections::HashMap;

/// How deep lists and dictionaries may lie in one another.
const MAX_DEPTH: usize = 64;

/// How many values a document may have, aliases written out.
const MAX_VALUES: usize = 200_000;

/// Reads the one document of a text; none is null.
///
/// # Errors
/// If it is no YAML, has several documents, or a tag, key or merge that `safe_load` would not take either; and if it
/// is deeper or larger than a parameter file can be.
pub fn parse(text: &str) -> Result<Json, String> {
    let mut composer = Composer::default();
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        if matches!(event, Event::DocumentStart(_)) {
            documents += 1;
            if documents > 1 {
                return Err("it holds more than one document".to_owned());
            }
        }
        composer
            .take(event)
            .map_err(|reason| format!("{reason} (line {})", span.start.line()))?;
    }
    Ok(composer.root.unwrap_or(Json::Null))
}

#[derive(Default)]
struct Composer {
    open: Vec<Open>,
    anchors: HashMap<usize, Json>,
    values: usize,
    root: Option<Json>,
}

enum Open {
    List(usize, Vec<Json>),
    Dict {
        anchor: usize,
        entries: Map<String, Json>,
        /// What `<<` brought in; own entries win.
        merged: Vec<Map<String, Json>>,
        key: Option<String>,
    },
}

impl Composer {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())?;
                self.put(value, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or("an alias names something that is not complete")?;
                self.values = self.values.saturating_add(count(&value));
                self.put(value, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Open::List(anchor, Vec::new()), tag.as_deref(), "seq")
            }
            Event::MappingStart(anchor, tag) => {
                let dict = Open::Dict {
                    anchor,
                    entries: Map::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.open(dict, tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, tag: Option<&Tag>, core: &str) -> Result<(), String> {
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == core)) {
            return Err("a list or dictionary has a tag that is not accepted".to_owned());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("lists and dictionaries nest more than {MAX_DEPTH} deep"));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let (value, anchor) = match self
            .open
            .pop()
            .ok_or("a list or dictionary ends that did not begin")?
        {
            Open::List(anchor, items) => (Json::Array(items), anchor),
            Open::Dict {
                anchor,
                entries,
                merged,
                ..
            } if merged.is_empty() => (Json::Object(entries), anchor),
            Open::Dict {
                anchor,
                entries,
                merged,
                ..
            } => {
                // As PyYAML: merged entries stand first, the earlier of several wins, own entries win over all.
                let mut all = Map::new();
                for (key, value) in merged.into_iter().rev().flatten().chain(entries) {
                    all.insert(key, value);
                }
                (Json::Object(all), anchor)
            }
        };
        self.put(value, anchor)
    }

    fn put(&mut self, value: Json, anchor: usize) -> Result<(), String> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(format!("it holds more than {MAX_VALUES} values"));
        }
        if anchor > 0 {
            self.values = self.values.saturating_add(count(&value));
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(_, items)) => items.push(value),
            Some(Open::Dict {
                entries, merged, key, ..
            }) => match key.take() {
                None => *key = Some(key_text(value)?),
                Some(name) if name == "<<" => merge(value, merged)?,
                Some(name) => {
                    entries.insert(name, value);
                }
            },
        }
        Ok(())
    }
}

fn merge(value: Json, merged: &mut Vec<Map<String, Json>>) -> Result<(), String> {
    match value {
        Json::Object(entries) => merged.push(entries),
        Json::Array(items) => {
            for item in items {
                match item {
                    Json::Object(entries) => merged.push(entries),
                    _ => return Err("<< takes dictionaries only".to_owned()),
                }
            }
        }
        _ => return Err("<< takes dictionaries only".to_owned()),
    }
    Ok(())
}

fn count(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Json::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Keys as JSON writes them.
fn key_text(value: Json) -> Result<String, String> {
    match value {
        Json::String(text) => Ok(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(value.to_string()),
        _ => Err("a list or dictionary cannot be a key".to_owned()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Json, String> {
    match tag {
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(text.into()),
        Some(tag) if tag.is_yaml_core_schema() => {
            let value = plain(text);
            match tag.suffix.as_str() {
                "str" => Ok(text.into()),
                "null" => Ok(Json::Null),
                "bool" if value.is_boolean() => Ok(value),
                "int" if value.is_i64() => Ok(value),
                "float" => value
                    .as_f64()
                    .or_else(|| text.replace('_', "").parse().ok())
                    .map(number)
                    .ok_or_else(|| format!("\"{text}\" is no float")),
                other => Err(format!("\"{text}\" is not accepted as {other}")),
            }
        }
        // A single `!` says "text".
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(text.into()),
        Some(tag) => Err(format!("the tag {}{} is not accepted", tag.handle, tag.suffix)),
    }
}

/// What a plain word means.
fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return true.into(),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return false.into(),
        _ => {}
    }
    if let Some(whole) = whole(text) {
        return whole.into();
    }
    float(text).map_or_else(|| text.into(), number)
}

fn number(value: f64) -> Json {
    // JSON has no number for what is infinite or undefined.
    Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
}

/// Binary, octal (leading zero), decimal, hexadecimal and base 60, with underscores.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let plain = digits.replace('_', "");
    let among =
        |allowed: &str, text: &str| !text.is_empty() && text.chars().all(|c| allowed.contains(c) || c == '_');
    let magnitude = if let Some(binary) = digits.strip_prefix("0b") {
        among("01", binary).then(|| i64::from_str_radix(&plain[2..], 2).ok())?
    } else if let Some(hexadecimal) = digits.strip_prefix("0x") {
        among("0123456789abcdefABCDEF", hexadecimal).then(|| i64::from_str_radix(&plain[2..], 16).ok())?
    } else if digits == "0" {
        Some(0)
    } else if let Some(octal) = digits.strip_prefix('0') {
        among("01234567", octal).then(|| i64::from_str_radix(&plain, 8).ok())?
    } else if digits.starts_with(|c: char| ('1'..='9').contains(&c)) {
        let mut parts = plain.split(':');
        let first = parts.next().filter(|first| among("0123456789", first))?;
        let mut value = first.parse::<i64>().ok();
        for part in parts {
            let sixty = sixtieth(part)?;
            value = value.and_then(|value| value.checked_mul(60)?.checked_add(sixty));
        }
        value
    } else {
        None
    }?;
    Some(if negative { -magnitude } else { magnitude })
}

/// One or two digits below 60.
fn sixtieth(part: &str) -> Option<i64> {
    let digits = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    part.parse().ok().filter(|value| digits && *value < 60)
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if text == unsigned => return Some(f64::NAN),
        _ => {}
    }
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    if let Some(exponent) = exponent {
        let power = exponent.strip_prefix(['+', '-'])?;
        if power.is_empty() || !power.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    let (before, after) = mantissa.split_once('.')?;
    if let Some((first, rest)) = before.split_once(':') {
        // Base 60 with a fraction.
        if exponent.is_some()
            || !first.starts_with(|c: char| c.is_ascii_digit())
            || !digits(first)
            || !digits(after)
        {
            return None;
        }
        let mut value: f64 = first.replace('_', "").parse().ok()?;
        for part in rest.split(':') {
            value = value * 60.0 + sixtieth(part)? as f64;
        }
        let fraction: f64 = format!("0.{}0", after.replace('_', "")).parse().ok()?;
        return Some(sign * (value + fraction));
    }
    let begins_with_digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let sound = if before.is_empty() {
        // PyYAML takes no sign before a bare point.
        text == unsigned && begins_with_digit(after)
    } else {
        begins_with_digit(before)
    };
    if !sound || !digits(before) || !digits(after) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_words_mean_what_pyyaml_says() {
        for (word, meaning) in [
            ("5.e-6", json!(5e-6)),
            ("1e-4", json!("1e-4")),
            ("1.0e5", json!("1.0e5")),
            ("1.0e+5", json!(1e5)),
            ("1.", json!(1.0)),
            (".5", json!(0.5)),
            ("-.5", json!("-.5")),
            (".", json!(".")),
            ("-1.5", json!(-1.5)),
            ("1_000", json!(1000)),
            ("010", json!(8)),
            ("08", json!("08")),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1:30", json!(90)),
            ("1:30.5", json!(90.5)),
            ("1:60", json!("1:60")),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!("y")),
            ("~", json!(null)),
            ("-", json!([null])),
            ("1.2.3", json!("1.2.3")),
            ("'1'", json!("1")),
            ("\"yes\"", json!("yes")),
            ("!!str 1", json!("1")),
            ("!!float 1", json!(1.0)),
            ("12345678901234567890", json!("12345678901234567890")),
            ("1e", json!("1e")),
            ("é5.", json!("é5.")),
        ] {
            assert_eq!(parse(word).unwrap(), meaning, "{word}");
        }
    }

    #[test]
    fn anchors_merges_and_keys() {
        let parsed = parse("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n3: z\nc: *x\n").unwrap();
        assert_eq!(
            parsed,
            json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}, "3": "z", "c": {"p": 1, "q": 2}})
        );
        assert_eq!(parse("").unwrap(), Json::Null);
    }

    #[test]
    fn what_a_parameter_file_does_not_hold_is_refused() {
        assert!(parse("!!python/object/apply:os.system [x]").is_err());
        assert!(parse("a: [1").is_err());
        assert!(parse("--- 1\n--- 2").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(parse(&laughs).unwrap_err().contains("values"));
    }
}
