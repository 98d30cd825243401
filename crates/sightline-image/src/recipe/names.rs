//! The named recipes: the rows of `table.json`.

use super::{Recipe, RecipeError};
use serde_json::{Map, Value as Json};

/// One object per recipe.
const TABLE: &str = include_str!("table.json");

fn table() -> Map<String, Json> {
    // The table is part of the crate, and a test reads every row of it.
    serde_json::from_str(TABLE).unwrap_or_default()
}

pub(super) fn all() -> Vec<String> {
    table().keys().cloned().collect()
}

pub(super) fn row(name: &str) -> Result<Recipe, RecipeError> {
    let table = table();
    if let Some(row) = table.get(name) {
        let recipe = Recipe::from_json(row)?;
        return Ok(Recipe {
            name: name.to_owned(),
            ..recipe
        });
    }
    let nearest = table.keys().min_by_key(|known| distance(name, known)).cloned();
    Err(RecipeError::Unknown {
        name: name.to_owned(),
        nearest: nearest.unwrap_or_default(),
        known: all().join(", "),
    })
}

/// How many letters must be changed, put in or left out (Levenshtein), capitals aside.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().take(60).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_recipe_and_comes_back_from_its_spelled_out_form() {
        let names = all();
        assert_eq!(
            names.join(" "),
            "photos dirtorch cirtorch token how solar delg netvlad cgd cgd-tf superglobal"
        );
        for name in names {
            let recipe = row(&name).unwrap();
            let spelled = recipe.spelled_out();
            let back = Recipe::from_json(&spelled).unwrap();
            assert_eq!(back.spelled_out(), spelled, "{name}");
        }
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_nearest() {
        let error = row("Cirtroch").unwrap_err().to_string();
        assert!(error.contains("did you mean cirtorch?"), "{error}");
        assert!(error.contains("superglobal"), "{error}");
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
