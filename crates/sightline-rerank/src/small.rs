//! What is said where a published setting meets a small collection.
//!
//! The published settings were chosen on collections of thousands of images and more. Where a list of neighbours takes more than a twentieth of
//! the collection, most of its entries show something else, and the method brings them nearer.

/// Images for each neighbour below which a remark is made.
const LEAST_SHARE: usize = 20;
/// Images for each neighbour that is suggested instead.
const SUGGESTED_SHARE: f64 = 30.0;
/// Fewer neighbours are never suggested.
const LEAST_SUGGESTED: usize = 2;

/// A sentence where `key=value` takes more than a twentieth of `images` as the neighbours of each, with a smaller number to try: a
/// thirtieth of them, between 2 and what is `published`. None where the setting fits, or nothing smaller can be suggested.
#[must_use]
pub fn neighbours_remark(key: &str, value: usize, images: usize, published: usize) -> Option<String> {
    let suggested = (images as f64 / SUGGESTED_SHARE).round() as usize;
    let suggested = suggested.min(published).max(LEAST_SUGGESTED);
    if images == 0 || value.saturating_mul(LEAST_SHARE) <= images || suggested >= value {
        return None;
    }
    Some(format!(
        "{key}={value} takes {} the {images} images as neighbours of each; try {key}={suggested}.",
        share(value, images)
    ))
}

/// `value` of `images` in words.
fn share(value: usize, images: usize) -> String {
    if value >= images {
        return "all of".to_owned();
    }
    let part = images as f64 / value as f64;
    match part.round() as usize {
        0 | 1 => "most of".to_owned(),
        2 => "half of".to_owned(),
        3 => "a third of".to_owned(),
        4 => "a quarter of".to_owned(),
        5 => "a fifth of".to_owned(),
        part => format!("one in {part} of"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_takes_much_of_the_collection_is_named() {
        let remark = |value, images| neighbours_remark("kd", value, images, 50);
        let said = |value, images| remark(value, images).unwrap_or_default();
        assert_eq!(
            said(50, 149),
            "kd=50 takes a third of the 149 images as neighbours of each; try kd=5."
        );
        assert!(said(149, 149).starts_with("kd=149 takes all of the 149"));
        assert!(said(100, 149).starts_with("kd=100 takes most of the 149"));
        assert!(said(9, 149).starts_with("kd=9 takes one in 17 of the 149"));
        assert_eq!((remark(7, 149), remark(50, 1000)), (None, None));
        assert!(said(51, 1000).ends_with("try kd=33."));
        assert!(said(900, 9000).ends_with("try kd=50."));
    }

    #[test]
    fn nothing_is_said_where_nothing_helps() {
        assert_eq!(neighbours_remark("k", 2, 10, 9), None);
        assert_eq!(neighbours_remark("k", 5, 0, 9), None);
        let least = neighbours_remark("k", 3, 10, 9).unwrap_or_default();
        assert!(least.ends_with("try k=2."), "{least}");
    }
}
