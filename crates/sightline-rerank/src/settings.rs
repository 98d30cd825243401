//! Settings of a method as text: `k=3,alpha=3`.

use std::str::FromStr;

/// Settings of a method, as typed behind its name.
#[derive(Clone, Debug)]
pub struct Settings {
    method: &'static str,
    pairs: Vec<(String, String)>,
}

/// Why a text is no settings of a method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No such key.
    #[error("{method}: there is no key `{key}`; there are {}", known.join(", "))]
    UnknownKey {
        /// The method.
        method: &'static str,
        /// What was typed.
        key: String,
        /// The keys that there are.
        known: &'static [&'static str],
    },
    /// A key that is there twice.
    #[error("{method}: {key} is given twice")]
    Twice {
        /// The method.
        method: &'static str,
        /// The key.
        key: String,
    },
    /// A key that has to be there.
    #[error("{method} needs {key}, such as {method}:{example}")]
    Missing {
        /// The method.
        method: &'static str,
        /// The key.
        key: &'static str,
        /// Settings as they may be.
        example: &'static str,
    },
    /// A value of another kind.
    #[error("{method}: {key}={value} should be {wanted}")]
    Value {
        /// The method.
        method: &'static str,
        /// The key.
        key: String,
        /// What was typed.
        value: String,
        /// What it should be.
        wanted: String,
    },
}

impl Settings {
    /// Reads `key=value,key=value`, each of `known` at most once. A part without `=` belongs to the value before it, so that paths
    /// may hold commas.
    ///
    /// # Errors
    /// When a key is unknown or given twice.
    pub fn read(
        method: &'static str,
        text: &str,
        known: &'static [&'static str],
    ) -> Result<Self, SettingsError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in text.split(',') {
            let (key, value) = match (part.split_once('='), pairs.last_mut()) {
                (Some((key, value)), _) => (key.trim(), value.trim()),
                (None, Some((_, value))) if !part.trim().is_empty() => {
                    value.push(',');
                    value.push_str(part.trim_end());
                    continue;
                }
                (None, _) if part.trim().is_empty() => continue,
                (None, _) => (part.trim(), ""),
            };
            if !known.contains(&key) {
                return Err(SettingsError::UnknownKey {
                    method,
                    key: key.to_owned(),
                    known,
                });
            }
            if pairs.iter().any(|(given, _)| given == key) {
                return Err(SettingsError::Twice {
                    method,
                    key: key.to_owned(),
                });
            }
            pairs.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self { method, pairs })
    }

    /// The value of a key.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(given, _)| given == key);
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a key as a number that `fits`; `wanted` says which numbers do, such as `a whole number from 1`.
    ///
    /// # Errors
    /// When it is none.
    pub fn number<T: FromStr>(
        &self,
        key: &str,
        wanted: &str,
        fits: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(fits);
        number.map(Some).ok_or_else(|| self.wrong(key, wanted))
    }

    /// The value of a key as one of several words.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, SettingsError> {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == text);
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        found
            .map(|(_, value)| Some(*value))
            .ok_or_else(|| self.wrong(key, &format!("one of {}", names.join(", "))))
    }

    /// An error about a key that has to be there; `example` shows settings as they may be.
    #[must_use]
    pub fn missing(&self, key: &'static str, example: &'static str) -> SettingsError {
        SettingsError::Missing {
            method: self.method,
            key,
            example,
        }
    }

    /// An error about the value of a key.
    #[must_use]
    pub fn wrong(&self, key: &str, wanted: &str) -> SettingsError {
        SettingsError::Value {
            method: self.method,
            key: key.to_owned(),
            value: self.text(key).unwrap_or_default().to_owned(),
            wanted: wanted.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEYS: &[&str] = &["k", "weights"];

    #[test]
    fn values_may_hold_commas() {
        let read = |text| Settings::read("csa", text, KEYS);
        let settings = read("weights=a,b.pth, k = 3").unwrap();
        assert_eq!(settings.text("weights"), Some("a,b.pth"));
        assert_eq!(settings.number("k", "a number", |k: &usize| *k > 0), Ok(Some(3)));
        assert_eq!(settings.number::<usize>("l", "a number", |_| true), Ok(None));
        assert!(read("").unwrap().text("k").is_none());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let message = |text| Settings::read("csa", text, KEYS).unwrap_err().to_string();
        assert_eq!(message("kk=3"), "csa: there is no key `kk`; there are k, weights");
        assert_eq!(message("k=3,k=4"), "csa: k is given twice");
        assert_eq!(
            message("weights.pth"),
            "csa: there is no key `weights.pth`; there are k, weights"
        );
        let settings = Settings::read("csa", "k=0", KEYS).unwrap();
        let wrong = settings.number("k", "a whole number from 1", |k: &usize| *k > 0);
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "csa: k=0 should be a whole number from 1"
        );
    }
}
