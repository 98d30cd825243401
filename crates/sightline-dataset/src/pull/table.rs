//! The table of addresses: what can be pulled, from where, to where.

use super::place::relative;
use super::{PullError, selection};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::HashSet;
use std::path::Path;

/// The largest table that is read.
const LARGEST: u64 = 16 << 20;
/// The version of the form.
const FORMAT: u32 = 1;
/// The most numbered files of one line.
const MOST_NUMBERS: u32 = 10_000;

/// Whether data sets or weights are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pictures, lists and ground truths.
    Datasets,
    /// Weights of networks, and whitenings.
    Models,
}

/// What can be pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// One data set or one set of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What the user types.
    pub name: String,
    /// What it is, in one line.
    pub what: String,
    /// The page of its makers.
    #[serde(default)]
    pub page: Option<String>,
    /// Licence, terms, what to cite.
    #[serde(default)]
    pub terms: Option<String>,
    /// Anything else to know before pulling.
    #[serde(default)]
    pub note: Option<String>,
    /// What must be there too, as it is typed: `oxford5k:pictures`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Its files.
    pub files: Vec<FileEntry>,
    /// The groups that are pulled where none is named; all files where this is empty.
    #[serde(default)]
    pub default: Vec<String>,
    /// Links that make other tools find the files.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// One file, or with `numbers` as many as that says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The group it belongs to.
    #[serde(default)]
    pub group: Option<String>,
    /// First and last of a numbered row; `{n}` and `{n:3}` (with zeros, three wide) in the texts below stand for the number.
    #[serde(default)]
    pub numbers: Option<[u32; 2]>,
    /// Its number in a row whose addresses follow no rule.
    #[serde(default)]
    pub number: Option<u32>,
    /// Its addresses: one text or a list, tried in turn.
    #[serde(default, deserialize_with = "one_or_more")]
    pub url: Vec<String>,
    /// The page from which it must be fetched by hand, where it has no address.
    #[serde(default)]
    pub by_hand: Option<String>,
    /// Where it goes, below the data root.
    pub to: String,
    /// Its bytes, exactly.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its bytes, roughly; nothing is compared with this.
    #[serde(default)]
    pub about: Option<u64>,
    /// Its MD5, in hexadecimal.
    #[serde(default)]
    pub md5: Option<String>,
    /// Its SHA-256, in hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Where its makers publish its MD5 as a text file.
    #[serde(default)]
    pub md5_url: Option<String>,
    /// How it is unpacked.
    #[serde(default)]
    pub unpack: Option<Unpack>,
}

/// How an archive is unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpack {
    /// What it is.
    #[serde(rename = "as")]
    pub form: Form,
    /// The folder its files go to, below the data root.
    pub into: String,
    /// Leave out the folders of the archive.
    #[serde(default)]
    pub flat: bool,
    /// Leave out this first folder of the archive.
    #[serde(default)]
    pub drop: Option<String>,
}

/// Kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// tar.
    Tar,
    /// tar, packed with gzip.
    Tgz,
    /// zip.
    Zip,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Where it lies, below the data root.
    pub path: String,
    /// What it shows, below the data root.
    pub to: String,
}

/// A table as a file: both kinds may stand in one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    format_version: u32,
    #[serde(default)]
    datasets: Vec<Entry>,
    #[serde(default)]
    models: Vec<Entry>,
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        More(Vec<String>),
    }
    Ok(match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::More(urls) => urls,
    })
}

impl Table {
    /// The table that comes with Sightline.
    ///
    /// # Errors
    /// None that a user could cause.
    pub fn embedded(kind: Kind) -> Result<Self, PullError> {
        match kind {
            Kind::Datasets => Self::parse(include_str!("../../tables/datasets.json"), "datasets.json", kind),
            Kind::Models => Self::parse(include_str!("../../tables/models.json"), "models.json", kind),
        }
    }

    /// Reads a table; `name` is what errors call it.
    ///
    /// # Errors
    /// Names the entry and what is wrong with it.
    pub fn parse(text: &str, name: &str, kind: Kind) -> Result<Self, PullError> {
        let wrong = |reason: String| PullError::Table {
            table: name.to_owned(),
            reason,
        };
        let form: TableFile = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if form.format_version != FORMAT {
            return Err(wrong(format!(
                "it has format version {}, this sightline reads version {FORMAT}",
                form.format_version
            )));
        }
        // Both are looked at, so that a mistake shows whichever command reads the file.
        for entries in [&form.datasets, &form.models] {
            let mut names = HashSet::new();
            for entry in entries {
                if !names.insert(entry.name.to_lowercase()) {
                    return Err(wrong(format!("the entry \"{}\" stands twice in it", entry.name)));
                }
                entry
                    .validate()
                    .map_err(|reason| wrong(format!("in the entry \"{}\", {reason}", entry.name)))?;
            }
        }
        Ok(Self {
            entries: match kind {
                Kind::Datasets => form.datasets,
                Kind::Models => form.models,
            },
        })
    }

    /// Reads a user's table and lets its entries replace those of the same name.
    ///
    /// # Errors
    /// If it cannot be read or something in it is wrong.
    pub fn override_with(&mut self, path: &Path, kind: Kind) -> Result<(), PullError> {
        let name = path.display().to_string();
        let wrong = |reason: String| PullError::Table {
            table: name.clone(),
            reason,
        };
        let size = std::fs::metadata(path)
            .map_err(|error| wrong(error.to_string()))?
            .len();
        if size > LARGEST {
            return Err(wrong(format!("it is larger than {LARGEST} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        for entry in Self::parse(&text, &name, kind)?.entries {
            match self
                .entries
                .iter_mut()
                .find(|old| old.name.eq_ignore_ascii_case(&entry.name))
            {
                Some(old) => *old = entry,
                None => self.entries.push(entry),
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Its groups, in the order of its files.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for group in self.files.iter().filter_map(|file| file.group.as_deref()) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    fn validate(&self) -> Result<(), String> {
        let plain = |text: &str| {
            !text.is_empty() && !text.contains([':', '/', ' ']) && !text.contains(char::is_control)
        };
        if !plain(&self.name) {
            return Err("the name is empty or holds a colon, slash or blank".to_owned());
        }
        let groups = self.groups();
        if let Some(group) = groups.iter().find(|group| !plain(group)) {
            return Err(format!(
                "the group \"{group}\" is empty or holds a colon, slash or blank"
            ));
        }
        if let Some(group) = self
            .default
            .iter()
            .find(|group| !groups.contains(&group.as_str()))
        {
            return Err(format!("no file belongs to the default group \"{group}\""));
        }
        let mut places = HashSet::new();
        for file in &self.files {
            file.validate()
                .map_err(|reason| format!("{reason} (the file to {})", file.to))?;
            for one in selection::numbered(file) {
                if !places.insert(one.to.clone()) {
                    return Err(format!("two files go to {}", one.to));
                }
            }
        }
        for path in self.links.iter().flat_map(|link| [&link.path, &link.to]) {
            path_of_table(path)?;
        }
        Ok(())
    }
}

impl FileEntry {
    fn validate(&self) -> Result<(), String> {
        path_of_table(&self.to)?;
        if let Some(unpack) = &self.unpack {
            relative(&unpack.into)
                .map_err(|reason| format!("the path \"{}\" is no good: {reason}", unpack.into))?;
        }
        if self.url.is_empty() == self.by_hand.is_none() {
            return Err("it needs either an address (url) or a page (by_hand)".to_owned());
        }
        let addresses = self.url.iter().chain(&self.by_hand).chain(&self.md5_url);
        for url in addresses {
            let rest = url
                .strip_prefix("https://")
                .or_else(|| url.strip_prefix("http://"));
            if rest.is_none_or(str::is_empty) || url.contains(|c: char| c.is_control() || c == ' ') {
                return Err(format!("the address \"{url}\" is none of http or https"));
            }
        }
        for (what, digits, hash) in [("MD5", 32, &self.md5), ("SHA-256", 64, &self.sha256)] {
            if let Some(hash) = hash
                && (hash.len() != digits || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
            {
                return Err(format!("the {what} is not {digits} hexadecimal digits"));
            }
        }
        if let Some([first, last]) = self.numbers {
            if first > last || last - first >= MOST_NUMBERS {
                return Err(format!("the numbers {first} to {last} are none, or too many"));
            }
            if self.number.is_some() {
                return Err("it has both a number and numbers".to_owned());
            }
            if first != last && !self.to.contains("{n") {
                return Err("its numbered files would all go to one place; {n} is missing".to_owned());
            }
        }
        Ok(())
    }
}

/// A path of a table must lead somewhere below the data root.
fn path_of_table(text: &str) -> Result<(), String> {
    let path = relative(text).map_err(|reason| format!("the path \"{text}\" is no good: {reason}"))?;
    if path.as_os_str().is_empty() {
        return Err(format!("the path \"{text}\" leads nowhere"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &str) -> String {
        let text = format!(
            r#"{{"format_version": 1, "datasets": [{{"name": "a", "what": "b", "files": [{file}]}}]}}"#
        );
        Table::parse(&text, "t.json", Kind::Datasets)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_embedded_tables_are_sound() {
        for (kind, least) in [(Kind::Datasets, 12), (Kind::Models, 40)] {
            let table = Table::embedded(kind).unwrap();
            assert!(table.entries.len() >= least);
            for entry in &table.entries {
                let chosen = table.select(&entry.name, None).unwrap();
                assert!(!chosen.files.is_empty(), "{}", entry.name);
                assert!(entry.page.is_some(), "{} has no page", entry.name);
            }
        }
    }

    #[test]
    fn broken_tables_say_what_is_wrong() {
        let good = r#"{"url": "http://x/y", "to": "a/b"}"#;
        let parse = |text: &str| Table::parse(text, "t.json", Kind::Models);
        assert!(parse("{").unwrap_err().is_usage());
        assert!(
            parse(r#"{"format_version": 2}"#)
                .unwrap_err()
                .to_string()
                .contains("format version 2")
        );
        assert_eq!(parse(r#"{"format_version": 1}"#).unwrap().entries, []);
        let twice = format!(
            r#"{{"format_version": 1, "models": [{{"name": "a", "what": "", "files": [{good}]}}, {{"name": "A", "what": "", "files": []}}]}}"#
        );
        assert!(parse(&twice).unwrap_err().to_string().contains("stands twice"));
        for (file, reason) in [
            (r#"{"url": "http://x/y", "to": "../b"}"#, "leads out"),
            (r#"{"url": "http://x/y", "to": "/b"}"#, "absolute"),
            (r#"{"url": "http://x/y", "to": "."}"#, "nowhere"),
            (r#"{"url": "ftp://x/y", "to": "b"}"#, "http"),
            (r#"{"to": "b"}"#, "either an address"),
            (r#"{"url": "http://x", "to": "b", "md5": "12"}"#, "32 hexadecimal"),
            (r#"{"url": "http://x", "to": "b", "numbers": [3, 1]}"#, "3 to 1"),
            (
                r#"{"url": "http://x", "to": "b", "numbers": [0, 4000000000]}"#,
                "too many",
            ),
            (r#"{"url": "http://x", "to": "b", "numbers": [0, 1]}"#, "{n}"),
            (r#"{"url": "http://x", "to": "b", "colour": 1}"#, "colour"),
            (&format!("{good}, {good}"), "two files"),
        ] {
            let said = refused(file);
            assert!(said.contains(reason), "{file}: {said}");
        }
    }
}
