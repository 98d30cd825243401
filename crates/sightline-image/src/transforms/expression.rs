//! The grammar of transform texts: a list of calls with constant arguments.
//!
//! ```text
//! list  := [call {"," call} [","]]
//! call  := name "(" [argument {"," argument} [","]] ")"
//! argument := [name "="] sum
//! sum   := product {("+" | "-") product}
//! product := signed {("*" | "/" | "//" | "%") signed}
//! signed := ("+" | "-") signed | atom ["**" signed]
//! atom  := number | text | name | "(" ... ")" | "[" ... "]"
//! name  := identifier {"." identifier}
//! ```

use super::Names;
use super::arithmetic::{Operation, apply, negate};
use crate::resize::Filter;

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A tuple or list.
    Sequence(Vec<Value>),
}

/// A call as read.
pub(super) struct Call {
    pub(super) name: String,
    /// Where it begins, in characters from 0.
    pub(super) at: usize,
    pub(super) positional: Vec<Value>,
    pub(super) keyword: Vec<(String, Value)>,
}

/// Where a text is wrong, in characters from 0, and why.
type Failure = (usize, String);

/// Deeper brackets and signs are refused, so that no text can exhaust the stack.
const DEEPEST: usize = 32;

/// Reads a whole text.
pub(super) fn calls(text: &str, names: &Names) -> Result<Vec<Call>, Failure> {
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader {
        characters: &characters,
        at: 0,
        depth: 0,
        names,
    };
    let mut calls = Vec::new();
    loop {
        reader.skip_space();
        if reader.peek().is_none() {
            return Ok(calls);
        }
        calls.push(reader.call()?);
        reader.skip_space();
        match reader.peek() {
            None => return Ok(calls),
            Some(',') => reader.at += 1,
            Some(other) => return reader.fail(format!("a comma must follow a transform, not {other:?}")),
        }
    }
}

struct Reader<'a> {
    characters: &'a [char],
    at: usize,
    depth: usize,
    names: &'a Names,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T, Failure> {
        Err((self.at, reason.into()))
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes these characters, after any space, if they come next.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let count = token.chars().count();
        let next = self.characters.get(self.at..self.at + count);
        let found = next.is_some_and(|next| next.iter().copied().eq(token.chars()));
        if found {
            self.at += count;
        }
        found
    }

    /// A dotted name; empty where none comes next.
    fn name(&mut self) -> String {
        self.skip_space();
        let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
        let start = self.at;
        while self.peek().is_some_and(starts) {
            while self.peek().is_some_and(|c| starts(c) || c.is_ascii_digit()) {
                self.at += 1;
            }
            let dotted =
                self.peek() == Some('.') && self.characters.get(self.at + 1).copied().is_some_and(starts);
            if !dotted {
                break;
            }
            self.at += 1;
        }
        self.characters[start..self.at].iter().collect()
    }

    fn call(&mut self) -> Result<Call, Failure> {
        self.skip_space();
        let at = self.at;
        let name = self.name();
        if name.is_empty() {
            return self.fail("a transform's name is expected here");
        }
        if !self.take("(") {
            return self.fail(format!("{name} needs its parentheses: {name}(...)"));
        }
        let mut call = Call {
            name,
            at,
            positional: Vec::new(),
            keyword: Vec::new(),
        };
        loop {
            if self.take(")") {
                return Ok(call);
            }
            self.argument(&mut call)?;
            if !self.take(",") {
                if self.take(")") {
                    return Ok(call);
                }
                return self.fail(format!(
                    "the arguments of {} are not closed by a parenthesis",
                    call.name
                ));
            }
        }
    }

    fn argument(&mut self, call: &mut Call) -> Result<(), Failure> {
        self.skip_space();
        let start = self.at;
        let keyword = self.name();
        if !keyword.is_empty() && !keyword.contains('.') && self.take("=") {
            if call.keyword.iter().any(|(known, _)| *known == keyword) {
                self.at = start;
                return self.fail(format!("{keyword} is given twice"));
            }
            let value = self.sum()?;
            call.keyword.push((keyword, value));
            return Ok(());
        }
        self.at = start;
        if !call.keyword.is_empty() {
            return self.fail("an argument without a name cannot follow one with a name");
        }
        call.positional.push(self.sum()?);
        Ok(())
    }

    fn sum(&mut self) -> Result<Value, Failure> {
        let mut value = self.product()?;
        loop {
            let operation = if self.take("+") {
                Operation::Add
            } else if self.take("-") {
                Operation::Subtract
            } else {
                return Ok(value);
            };
            let right = self.product()?;
            value = self.combine(operation, value, right)?;
        }
    }

    fn product(&mut self) -> Result<Value, Failure> {
        let mut value = self.signed()?;
        loop {
            let operation = if self.take("//") {
                Operation::FloorDivide
            } else if self.take("*") {
                Operation::Multiply
            } else if self.take("/") {
                Operation::Divide
            } else if self.take("%") {
                Operation::Remainder
            } else {
                return Ok(value);
            };
            let right = self.signed()?;
            value = self.combine(operation, value, right)?;
        }
    }

    fn combine(&self, operation: Operation, left: Value, right: Value) -> Result<Value, Failure> {
        apply(operation, &left, &right).map_err(|reason| (self.at, reason))
    }

    fn signed(&mut self) -> Result<Value, Failure> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail(format!("brackets and signs are nested deeper than {DEEPEST}"));
        }
        let value = if self.take("-") {
            let value = self.signed()?;
            negate(&value).map_err(|reason| (self.at, reason))?
        } else if self.take("+") {
            let value = self.signed()?;
            apply(Operation::Add, &Value::Int(0), &value).map_err(|reason| (self.at, reason))?
        } else {
            let base = self.atom()?;
            if self.take("**") {
                let exponent = self.signed()?;
                self.combine(Operation::Power, base, exponent)?
            } else {
                base
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn atom(&mut self) -> Result<Value, Failure> {
        self.skip_space();
        match self.peek() {
            Some('(') => self.sequence(')'),
            Some('[') => self.sequence(']'),
            Some(quote @ ('\'' | '"')) => self.text(quote),
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            _ => self.constant(),
        }
    }

    /// A tuple, a list, or an expression in parentheses.
    fn sequence(&mut self, closing: char) -> Result<Value, Failure> {
        self.at += 1;
        let closing_text = if closing == ')' { ")" } else { "]" };
        let mut items = Vec::new();
        let mut commas = 0;
        loop {
            if self.take(closing_text) {
                break;
            }
            if commas < items.len() {
                return self.fail(format!("a comma or {closing_text} is missing"));
            }
            items.push(self.sum()?);
            commas += usize::from(self.take(","));
        }
        match items.pop() {
            Some(only) if closing == ')' && items.is_empty() && commas == 0 => Ok(only),
            last => {
                items.extend(last);
                Ok(Value::Sequence(items))
            }
        }
    }

    fn text(&mut self, quote: char) -> Result<Value, Failure> {
        let start = self.at + 1;
        let length = self.characters[start..].iter().position(|c| *c == quote);
        let Some(length) = length else {
            return self.fail("a text is not closed by its quotation mark");
        };
        let text: String = self.characters[start..start + length].iter().collect();
        if text.contains('\\') || text.contains('\n') {
            return self.fail("a text may not hold a backslash or a line end");
        }
        self.at = start + length + 1;
        Ok(Value::Text(text))
    }

    fn number(&mut self) -> Result<Value, Failure> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            while reader.peek().is_some_and(|c| c.is_ascii_digit()) {
                reader.at += 1;
            }
        };
        digits(self);
        let mut whole = true;
        if self.peek() == Some('.') {
            whole = false;
            self.at += 1;
            digits(self);
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            whole = false;
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            digits(self);
        }
        if self
            .peek()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        {
            return self.fail("this is no number");
        }
        let text: String = self.characters[start..self.at].iter().collect();
        let leading_zero =
            text.len() > 1 && text.starts_with('0') && !text.bytes().all(|digit| digit == b'0');
        let value = if whole && leading_zero {
            None
        } else if whole {
            text.parse().ok().map(Value::Int)
        } else {
            text.parse().ok().map(Value::Float)
        };
        value.ok_or((start, format!("{text} is no number that is read here")))
    }

    fn constant(&mut self) -> Result<Value, Failure> {
        let start = self.at;
        let name = self.name();
        let floats = |values: &[f64]| Value::Sequence(values.iter().copied().map(Value::Float).collect());
        Ok(match name.as_str() {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::None,
            "mean" => floats(&self.names.mean),
            "std" => floats(&self.names.std),
            "input_size" => Value::Int(self.names.input_size),
            "" => return self.fail("a value is expected here"),
            _ => match name.strip_prefix("Image.").and_then(filter) {
                Some(filter) => Value::Int(filter.number()),
                None => return Err((start, format!("the name {name} is not known here"))),
            },
        })
    }
}

/// A filter by its name in Pillow's `Image`, in capitals.
fn filter(name: &str) -> Option<Filter> {
    let capitals = name.bytes().all(|letter| letter.is_ascii_uppercase());
    capitals.then(|| Filter::from_name(name)).flatten()
}
