//! dirtorch's data set expressions: `NAME` or `NAME('text', root='text')`. They are parsed, never evaluated.

use crate::DatasetError;
use crate::did_you_mean::suggestion;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// Which kind of data set.
    pub name: String,
    /// Arguments in order; `None` is Python's None.
    pub arguments: Vec<Option<String>>,
    /// Named arguments in order.
    pub named: Vec<(String, Option<String>)>,
}

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
    /// Parses `NAME` or `NAME(arguments)`. Arguments are texts in single or double quotes or None, named or not.
    ///
    /// # Errors
    /// [`DatasetError::Expression`] says at which character it stops making sense.
    pub fn parse(text: &str) -> Result<Self, DatasetError> {
        let characters: Vec<char> = text.chars().collect();
        let mut parser = Parser {
            characters: &characters,
            at: 0,
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
    ) -> Result<[Option<String>; N], DatasetError> {
        let wrong = |reason: String| DatasetError::Expression {
            expression: self.to_string(),
            reason,
        };
        if self.arguments.len() > N {
            return Err(wrong(format!(
                "{} takes at most {N} arguments ({})",
                self.name,
                parameters.join(", ")
            )));
        }
        let mut bound: [Option<String>; N] = std::array::from_fn(|_| None);
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
        if let Some(index) = (0..required).find(|index| bound[*index].is_none()) {
            return Err(wrong(format!(
                "{} needs the argument {}",
                self.name, parameters[index]
            )));
        }
        Ok(bound)
    }
}

impl std::fmt::Display for Expression {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |argument: &Option<String>| match argument {
            Some(text) => format!("{text:?}"),
            None => "None".to_owned(),
        };
        let placed = self.arguments.iter().map(text);
        let named = self
            .named
            .iter()
            .map(|(name, argument)| format!("{name}={}", text(argument)));
        let all: Vec<String> = placed.chain(named).collect();
        write!(out, "{}({})", self.name, all.join(", "))
    }
}

struct Parser<'a> {
    characters: &'a [char],
    at: usize,
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

    fn value(&mut self) -> Result<Option<String>, String> {
        self.blanks();
        let start = self.at;
        if let Ok(name) = self.name() {
            if name == "None" {
                return Ok(None);
            }
            // r'...' as in Python: without escapes.
            let raw = name == "r" && matches!(self.characters.get(self.at), Some('\'' | '"'));
            if !raw {
                self.at = start;
                return Err(format!("\"{name}\" is no text in quotes"));
            }
            return self.quoted(true).map(Some);
        }
        self.quoted(false).map(Some)
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

    #[test]
    fn arguments_by_place_and_by_name() {
        let parsed = Expression::parse(r#" ImageList( "a b.txt" , root='it\'s' ) "#).unwrap();
        assert_eq!(parsed.name, "ImageList");
        let [list, root, _] = parsed.bind(["img_list_path", "root", "imgs"], 1).unwrap();
        assert_eq!(
            (list.as_deref(), root.as_deref()),
            (Some("a b.txt"), Some("it's"))
        );
        assert!(Expression::parse("Oxford5K").unwrap().arguments.is_empty());
        assert!(Expression::parse("Oxford5K()").unwrap().arguments.is_empty());
        assert_eq!(
            Expression::parse(r"X(r'a\b', None,)").unwrap().arguments,
            [Some(r"a\b".to_owned()), None]
        );
    }

    #[test]
    fn nothing_is_evaluated() {
        for text in [
            "ImageList(open('x').read())",
            "ImageList('a' + 'b')",
            "ImageList('a'); x",
            "__import__('os').system('x')",
            "ImageList('a",
            "ImageList(['a'])",
            "ImageList('\\x41')",
            "",
            "3",
            "ImageList(root='a', 'b')",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
        let message = Expression::parse("ImageList('a').x").unwrap_err().to_string();
        assert!(message.contains("character"), "{message}");
    }

    #[test]
    fn arguments_that_do_not_fit_are_named() {
        let bind = |text: &str| {
            let parsed = Expression::parse(text).unwrap();
            parsed.bind(["img_list_path", "root"], 1).unwrap_err().to_string()
        };
        assert!(bind("ImageList()").contains("needs the argument img_list_path"));
        assert!(bind("ImageList('a', rot='b')").contains("did you mean root"));
        assert!(bind("ImageList('a', 'b', 'c')").contains("at most 2"));
        assert!(bind("ImageList('a', img_list_path='b')").contains("twice"));
    }
}
