//! dirtorch's data set expressions: `NAME` or `NAME('text', root='text')`. They are parsed, never evaluated.
//!
//! An argument is `None`, a text, a list of texts or a bare name. A text is one or several literals in quotes,
//! `DB_ROOT`, `os.path.join(...)` of texts, or a sum of these: what users of dirtorch write, where `create()` would run anything.

use crate::DatasetError;
use crate::did_you_mean::suggestion;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Which kind of data set.
    pub name: String,
    /// Arguments in order.
    pub arguments: Vec<Argument>,
    /// Named arguments in order.
    pub named: Vec<(String, Argument)>,
}

/// The value of an argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Argument {
    /// Python's None, or not given.
    #[default]
    None,
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// A bare name, such as the function `not_none`.
    Name(String),
}

/// How deep lists and `join` may stand in one another.
const DEEPEST: usize = 16;

/// Whether a text has the form of an expression with brackets.
pub fn looks_like_one(text: &str) -> bool {
    let text = text.trim();
    let name = text.split('(').next().unwrap_or_default().trim();
    text.ends_with(')')
        && text.contains('(')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Expression {
    /// Parses `NAME` or `NAME(arguments)`. `db_root` is what the name `DB_ROOT` stands for in it, if that is known.
    ///
    /// # Errors
    /// [`DatasetError::Expression`] says at which character it stops making sense.
    pub fn parse(text: &str, db_root: Option<&str>) -> Result<Self, DatasetError> {
        let characters: Vec<char> = text.chars().collect();
        let mut parser = Parser {
            characters: &characters,
            at: 0,
            db_root,
            depth: 0,
        };
        parser.expression().map_err(|reason| DatasetError::Expression {
            expression: text.to_owned(),
            reason: format!("{reason} at character {}", parser.at + 1),
        })
    }

    /// Puts the arguments in the order of `parameters`, by place or by name.
    ///
    /// # Errors
    /// If there are too many, one is given twice or has a name that is not a parameter, or one of the first
    /// `required` is missing.
    pub fn bind<const N: usize>(
        &self,
        parameters: [&str; N],
        required: usize,
    ) -> Result<[Argument; N], DatasetError> {
        let wrong = |reason: String| self.wrong(reason);
        if self.arguments.len() > N {
            return Err(wrong(format!(
                "{} takes at most {N} arguments ({})",
                self.name,
                parameters.join(", ")
            )));
        }
        let mut bound: [Argument; N] = std::array::from_fn(|_| Argument::None);
        let mut given = [false; N];
        for (index, argument) in self.arguments.iter().enumerate() {
            bound[index].clone_from(argument);
            given[index] = true;
        }
        for (name, argument) in &self.named {
            let index = parameters.iter().position(|parameter| parameter == name);
            let index = index.ok_or_else(|| {
                wrong(format!(
                    "{} has no argument {name}{}",
                    self.name,
                    suggestion(name, parameters)
                ))
            })?;
            if std::mem::replace(&mut given[index], true) {
                return Err(wrong(format!("the argument {name} is given twice")));
            }
            bound[index].clone_from(argument);
        }
        if let Some(index) = (0..required).find(|index| bound[*index] == Argument::None) {
            return Err(wrong(format!(
                "{} needs the argument {}",
                self.name, parameters[index]
            )));
        }
        Ok(bound)
    }

    /// As [`Expression::bind`], for parameters that are texts or None.
    ///
    /// # Errors
    /// As [`Expression::bind`], and where an argument is something else.
    pub fn bind_texts<const N: usize>(
        &self,
        parameters: [&str; N],
        required: usize,
    ) -> Result<[Option<String>; N], DatasetError> {
        let mut texts = std::array::from_fn(|_| None);
        for ((text, argument), name) in texts
            .iter_mut()
            .zip(self.bind(parameters, required)?)
            .zip(parameters)
        {
            *text = self.text(name, argument)?;
        }
        Ok(texts)
    }

    /// The text of an argument; `None` where it is None.
    ///
    /// # Errors
    /// If it is something else.
    pub fn text(&self, name: &str, argument: Argument) -> Result<Option<String>, DatasetError> {
        match argument {
            Argument::None => Ok(None),
            Argument::Text(text) => Ok(Some(text)),
            Argument::List(_) | Argument::Name(_) => {
                Err(self.wrong(format!("the argument {name} is {argument}, no text")))
            }
        }
    }

    /// An error about this expression.
    pub(crate) fn wrong(&self, reason: String) -> DatasetError {
        DatasetError::Expression {
            expression: self.to_string(),
            reason,
        }
    }
}

impl std::fmt::Display for Argument {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => out.write_str("None"),
            Self::Text(text) => write!(out, "{text:?}"),
            Self::List(texts) => write!(out, "{texts:?}"),
            Self::Name(name) => out.write_str(name),
        }
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let placed = self.arguments.iter().map(Argument::to_string);
        let named = self
            .named
            .iter()
            .map(|(name, argument)| format!("{name}={argument}"));
        let all: Vec<String> = placed.chain(named).collect();
        write!(out, "{}({})", self.name, all.join(", "))
    }
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
    db_root: Option<&'a str>,
    depth: usize,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expression, String> {
        let name = self.name()?;
        let mut expression = Expression {
            name,
            arguments: Vec::new(),
            named: Vec::new(),
        };
        if self.take('(') {
            while !self.take(')') {
                self.argument(&mut expression)?;
                if !self.take(',') {
                    if !self.take(')') {
                        return Err("a comma or a closing bracket is missing".to_owned());
                    }
                    break;
                }
            }
        }
        self.blanks();
        if self.at < self.characters.len() {
            return Err("something stands behind the expression".to_owned());
        }
        Ok(expression)
    }

    fn argument(&mut self, expression: &mut Expression) -> Result<(), String> {
        self.blanks();
        let start = self.at;
        if let Ok(name) = self.name() {
            if self.take('=') {
                let value = self.value()?;
                expression.named.push((name, value));
                return Ok(());
            }
            self.at = start;
        }
        if !expression.named.is_empty() {
            return Err("an argument without a name follows a named one".to_owned());
        }
        let value = self.value()?;
        expression.arguments.push(value);
        Ok(())
    }

    fn value(&mut self) -> Result<Argument, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("brackets stand too deep in one another".to_owned());
        }
        let mut value = self.term()?;
        while self.take('+') {
            let (Argument::Text(left), Argument::Text(right)) = (&value, &self.term()?) else {
                return Err("only texts can be added".to_owned());
            };
            value = Argument::Text(format!("{left}{right}"));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn term(&mut self) -> Result<Argument, String> {
        if self.take('[') {
            return self.texts(']').map(Argument::List);
        }
        let mut text: Option<String> = None;
        loop {
            self.blanks();
            let start = self.at;
            let name = self.name().unwrap_or_default();
            let quoted = matches!(self.characters.get(self.at), Some('\'' | '"'));
            // r'...' as in Python: without escapes.
            let prefix = matches!(name.as_str(), "" | "r" | "R" | "u");
            if quoted && prefix {
                let piece = self.quoted(name.eq_ignore_ascii_case("r"))?;
                text.get_or_insert_default().push_str(&piece);
            } else if let Some(text) = text {
                self.at = start;
                return Ok(Argument::Text(text));
            } else if name.is_empty() {
                return Err("a text in quotes is expected".to_owned());
            } else {
                return self.named_value(name, start);
            }
        }
    }

    /// What a name stands for that is not the beginning of a text.
    fn named_value(&mut self, mut name: String, start: usize) -> Result<Argument, String> {
        while self.take('.') {
            name = format!("{name}.{}", self.name()?);
        }
        let is_call = self.take('(');
        match name.as_str() {
            "os.path.join" | "osp.join" if is_call => {
                let mut parts = self.texts(')')?.into_iter();
                let first = parts.next().ok_or("join needs a text")?;
                let join = |path: String, part: String| crate::dirtorch_lists::join(&path, &part);
                Ok(Argument::Text(parts.fold(first, join)))
            }
            "None" if !is_call => Ok(Argument::None),
            "DB_ROOT" if !is_call => match self.db_root {
                Some(root) => Ok(Argument::Text(root.to_owned())),
                None => Err("DB_ROOT is not known: set the variable, or give a data root".to_owned()),
            },
            "not_none" if !is_call => Ok(Argument::Name(name)),
            _ => {
                self.at = start;
                Err(format!(
                    "\"{name}\" is no text in quotes and none of None, DB_ROOT and os.path.join(...)"
                ))
            }
        }
    }

    /// Texts between commas up to a closing bracket.
    fn texts(&mut self, close: char) -> Result<Vec<String>, String> {
        let mut texts = Vec::new();
        while !self.take(close) {
            match self.value()? {
                Argument::Text(text) => texts.push(text),
                other => return Err(format!("{other} stands where a text should")),
            }
            if !self.take(',') {
                if !self.take(close) {
                    return Err("a comma or a closing bracket is missing".to_owned());
                }
                break;
            }
        }
        Ok(texts)
    }

    fn quoted(&mut self, raw: bool) -> Result<String, String> {
        let quote = match self.characters.get(self.at) {
            Some(quote @ ('\'' | '"')) => *quote,
            _ => return Err("a text in quotes is expected".to_owned()),
        };
        self.at += 1;
        let mut text = String::new();
        loop {
            let next = self.characters.get(self.at).copied();
            self.at += 1;
            match next {
                None => return Err("a text does not end".to_owned()),
                Some(c) if c == quote => return Ok(text),
                Some('\\') if !raw => {
                    let escaped = self.characters.get(self.at).copied();
                    self.at += 1;
                    match escaped {
                        Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                        _ => return Err("only \\\\, \\' and \\\" are understood in texts".to_owned()),
                    }
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        self.blanks();
        let rest = self.characters.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
            .count();
        if length == 0 || rest[0].is_ascii_digit() {
            return Err("a name is expected".to_owned());
        }
        self.at += length;
        Ok(rest[..length].iter().collect())
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blanks();
        let found = self.characters.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn blanks(&mut self) {
        while self.characters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expression, DatasetError> {
        Expression::parse(text, Some("/db"))
    }

    fn text(text: &str) -> Argument {
        Argument::Text(text.to_owned())
    }

    #[test]
    fn arguments_by_place_and_by_name() {
        let parsed = Expression::parse(r#" ImageList( "a b.txt" , root='it\'s' ) "#, None).unwrap();
        assert_eq!(parsed.name, "ImageList");
        let [list, root] = parsed.bind_texts(["img_list_path", "root"], 1).unwrap();
        assert_eq!(
            (list.as_deref(), root.as_deref()),
            (Some("a b.txt"), Some("it's"))
        );
        assert!(parse("Oxford5K").unwrap().arguments.is_empty());
        assert!(parse("Oxford5K()").unwrap().arguments.is_empty());
        assert_eq!(
            parse(r"X(r'a\b', None,)").unwrap().arguments,
            [text(r"a\b"), Argument::None]
        );
    }

    #[test]
    fn texts_are_added_and_joined() {
        let parsed = parse(
            "X('a' 'b' + \"c\", DB_ROOT + '/x', os.path.join(DB_ROOT, 'y', 'z.txt'), imgs=['1', '2',])",
        );
        let parsed = parsed.unwrap();
        assert_eq!(
            parsed.arguments,
            [text("abc"), text("/db/x"), text("/db/y/z.txt")]
        );
        let list = Argument::List(vec!["1".into(), "2".into()]);
        assert_eq!(parsed.named, [("imgs".to_owned(), list)]);
        assert!(parse("X(['a'])").unwrap().bind_texts(["path"], 1).is_err());
        let unknown = Expression::parse("X(DB_ROOT)", None).unwrap_err().to_string();
        assert!(unknown.contains("DB_ROOT is not known"), "{unknown}");
    }

    #[test]
    fn nothing_is_evaluated() {
        for text in [
            "ImageList(open('x').read())",
            "ImageList('a' + None)",
            "ImageList(os.path.dirname('a'))",
            "ImageList(os.path.join)",
            "ImageList(None())",
            "ImageList('a'); x",
            "__import__('os').system('x')",
            "ImageList('a",
            "ImageList([['a']])",
            "ImageList('\\x41')",
            "",
            "3",
            "ImageList(root='a', 'b')",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let message = parse("ImageList('a').x").unwrap_err().to_string();
        assert!(message.contains("character"), "{message}");
        let deep = format!("ImageList({}", "os.path.join(".repeat(100_000));
        assert!(parse(&deep).unwrap_err().to_string().contains("too deep"));
    }

    #[test]
    fn arguments_that_do_not_fit_are_named() {
        let bind = |text: &str| {
            let parsed = parse(text).unwrap();
            parsed
                .bind_texts(["img_list_path", "root"], 1)
                .unwrap_err()
                .to_string()
        };
        assert!(bind("ImageList()").contains("needs the argument img_list_path"));
        assert!(bind("ImageList('a', rot='b')").contains("did you mean root"));
        assert!(bind("ImageList('a', 'b', 'c')").contains("at most 2"));
        assert!(bind("ImageList('a', img_list_path='b')").contains("twice"));
    }
}
