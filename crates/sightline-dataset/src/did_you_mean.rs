//! The name that was perhaps meant.

/// `; did you mean NAME?` for the known name nearest to `typed`, or nothing where none is near.
pub fn suggestion<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(
            suggestion("Oxford5k", ["Oxford5K", "Paris6K"]),
            "; did you mean Oxford5K?"
        );
        assert_eq!(
            suggestion("roxfrod5k", ["roxford5k"]),
            "; did you mean roxford5k?"
        );
        assert_eq!(suggestion("kitchen", ["Oxford5K", "Paris6K"]), "");
    }
}
