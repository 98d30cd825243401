//! From what a user types (`gldv2:index`, `--parts 0-3`) to files.

use super::{Entry, FileEntry, Link, PullError, Table};
use crate::did_you_mean::suggestion;
use std::str::FromStr;

/// How deep entries may need each other.
const DEEPEST: usize = 8;

/// Numbers as they are typed: `0-3,7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers(Vec<(u32, u32)>);

impl FromStr for Numbers {
    type Err = PullError;

    fn from_str(text: &str) -> Result<Self, PullError> {
        let wrong = || PullError::Unknown {
            name: text.to_owned(),
            reason: "parts are numbers and ranges, such as 0-3,7".to_owned(),
        };
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let mut ranges = Vec::new();
        for piece in text.split(',') {
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let range = (number(first)?, number(last)?);
            if range.0 > range.1 {
                return Err(wrong());
            }
            ranges.push(range);
        }
        Ok(Self(ranges))
    }
}

impl Numbers {
    fn has(&self, number: u32) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }
}

/// One file to pull, and the entry it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The entry's name.
    pub entry: String,
    /// The file; its `numbers` are resolved.
    pub file: FileEntry,
}

/// What a name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// What is pulled, in this order.
    pub files: Vec<Choice>,
    /// The links to make afterwards.
    pub links: Vec<Link>,
}

impl Table {
    /// The files that `name` (`NAME` or `NAME:GROUP`) stands for, with those of the entries that it needs first. `parts`
    /// limits numbered files.
    ///
    /// # Errors
    /// Lists what there is where the name, the group or a part does not exist, with the nearest name.
    pub fn select(&self, name: &str, parts: Option<&Numbers>) -> Result<Chosen, PullError> {
        let mut chosen = Chosen::default();
        self.collect(name, parts, &mut chosen, 0)?;
        Ok(chosen)
    }

    /// The entry of that name, in capitals or not.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    fn collect(
        &self,
        typed: &str,
        parts: Option<&Numbers>,
        chosen: &mut Chosen,
        depth: usize,
    ) -> Result<(), PullError> {
        let unknown = |reason: String| PullError::Unknown {
            name: typed.to_owned(),
            reason,
        };
        if depth > DEEPEST {
            return Err(unknown(
                "entries of the table need each other in a circle".to_owned(),
            ));
        }
        let (name, group) = match typed.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (typed, None),
        };
        let entry = self.entry(name).ok_or_else(|| {
            let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
            unknown(format!(
                "there is no such entry{}; there are {}",
                suggestion(name, names.iter().copied()),
                names.join(", ")
            ))
        })?;
        let groups = entry.groups();
        if let Some(group) = group
            && !groups.contains(&group)
        {
            return Err(unknown(if groups.is_empty() {
                format!("{} has no groups", entry.name)
            } else {
                format!(
                    "{} has no such group{}; it has {}",
                    entry.name,
                    suggestion(group, groups.iter().copied()),
                    groups.join(", ")
                )
            }));
        }
        // A group by itself needs nothing else.
        if group.is_none() {
            for need in &entry.needs {
                self.collect(need, None, chosen, depth + 1)?;
            }
            for link in &entry.links {
                if !chosen.links.contains(link) {
                    chosen.links.push(link.clone());
                }
            }
        }
        let wanted = |file: &FileEntry| match (group, &file.group) {
            (Some(group), of_file) => of_file.as_deref() == Some(group),
            (None, Some(of_file)) => entry.default.is_empty() || entry.default.contains(of_file),
            (None, None) => true,
        };
        let files: Vec<FileEntry> = entry
            .files
            .iter()
            .filter(|file| wanted(file))
            .flat_map(numbered)
            .collect();
        let any_numbered = files.iter().any(|file| file.number.is_some());
        if parts.is_some() && !any_numbered {
            let with = entry
                .files
                .iter()
                .find(|file| file.numbers.is_some() || file.number.is_some());
            let with = with.and_then(|file| file.group.as_deref());
            return Err(unknown(match with {
                Some(group) => format!("what it stands for has no parts; {}:{group} has", entry.name),
                None => "it has no parts".to_owned(),
            }));
        }
        let before = chosen.files.len();
        for file in files {
            let fits = match (parts, file.number) {
                (Some(parts), Some(number)) => parts.has(number),
                _ => true,
            };
            let choice = Choice {
                entry: entry.name.clone(),
                file,
            };
            if fits && !chosen.files.contains(&choice) {
                chosen.files.push(choice);
            }
        }
        if parts.is_some() && chosen.files.len() == before {
            let numbers = entry.files.iter().filter(|file| wanted(file)).flat_map(numbered);
            let numbers: Vec<u32> = numbers.filter_map(|file| file.number).collect();
            let (first, last) = (numbers.iter().min(), numbers.iter().max());
            return Err(unknown(format!(
                "none of its parts is meant; they are numbered {} to {}",
                first.unwrap_or(&0),
                last.unwrap_or(&0)
            )));
        }
        Ok(())
    }
}

/// The files of a numbered row, or the one file.
pub(super) fn numbered(file: &FileEntry) -> Vec<FileEntry> {
    let Some([first, last]) = file.numbers else {
        return vec![file.clone()];
    };
    let with = |number: u32| {
        let fill = |text: &String| filled(text, number);
        FileEntry {
            numbers: None,
            number: Some(number),
            url: file.url.iter().map(fill).collect(),
            to: filled(&file.to, number),
            md5_url: file.md5_url.as_ref().map(fill),
            ..file.clone()
        }
    };
    (first..=last).map(with).collect()
}

/// `{n}` becomes the number, `{n:3}` the number with zeros before it, three digits wide (one to nine).
fn filled(text: &str, number: u32) -> String {
    let mut text = text.replace("{n}", &number.to_string());
    for width in 1..=9_usize {
        text = text.replace(&format!("{{n:{width}}}"), &format!("{number:0width$}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pull::Kind;

    fn datasets() -> Table {
        Table::embedded(Kind::Datasets).unwrap()
    }

    fn places(name: &str, parts: Option<&str>) -> Vec<String> {
        let parts = parts.map(|text| text.parse().unwrap());
        let chosen = datasets().select(name, parts.as_ref()).unwrap();
        chosen.files.into_iter().map(|choice| choice.file.to).collect()
    }

    #[test]
    fn parts_are_filled_in() {
        let archive = |number: &str| format!("Google-landmark-v2/archives/index/images_{number}.tar");
        assert_eq!(
            places("gldv2:index", Some("0-1,99")),
            ["000", "001", "099"].map(archive)
        );
        assert_eq!(places("GLDV2:test", None).len(), 20);
        assert_eq!(places("revisitop1m", None), ["revisitop1m/revisitop1m.txt"]);
        let chosen = datasets()
            .select("gldv2:index", Some(&"7".parse().unwrap()))
            .unwrap();
        let file = &chosen.files[0].file;
        assert_eq!(
            file.url,
            ["https://s3.amazonaws.com/google-landmark/index/images_007.tar"]
        );
        assert!(
            file.md5_url
                .as_ref()
                .unwrap()
                .ends_with("md5sum/index/md5.images_007.txt")
        );
    }

    #[test]
    fn an_entry_brings_what_it_needs() {
        assert_eq!(
            places("roxford5k", None),
            [
                "test/oxford5k/oxbuild_images-v1.tgz",
                "test/roxford5k/gnd_roxford5k.pkl"
            ]
        );
        assert_eq!(
            places("roxford5k:truth", None),
            ["test/roxford5k/gnd_roxford5k.pkl"]
        );
        assert_eq!(datasets().select("roxford5k", None).unwrap().links.len(), 1);
    }

    #[test]
    fn what_does_not_exist_is_answered_with_what_does() {
        let refused = |name: &str, parts: Option<&str>| {
            let parts = parts.map(|text| text.parse().unwrap());
            datasets().select(name, parts.as_ref()).unwrap_err().to_string()
        };
        let said = refused("oxfrod5k", None);
        assert!(
            said.contains("did you mean oxford5k?") && said.contains("cub200"),
            "{said}"
        );
        let said = refused("gldv2:indx", None);
        assert!(
            said.contains("did you mean index?") && said.contains("train"),
            "{said}"
        );
        assert!(refused("cub200:x", None).contains("has no groups"));
        assert!(refused("gldv2", Some("1")).contains("gldv2:train has"));
        assert!(refused("gldv2:test", Some("20-30")).contains("0 to 19"));
        for text in ["", "a", "3-1", "1-", "-1", "1,,2", "99999999999"] {
            assert!(text.parse::<Numbers>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn entries_that_need_each_other_are_refused() {
        let text = r#"{"format_version": 1, "datasets": [{"name": "a", "what": "", "needs": ["b"], "files": []},
            {"name": "b", "what": "", "needs": ["a"], "files": []}]}"#;
        let table = Table::parse(text, "t", Kind::Datasets).unwrap();
        assert!(
            table
                .select("a", None)
                .unwrap_err()
                .to_string()
                .contains("circle")
        );
    }
}
