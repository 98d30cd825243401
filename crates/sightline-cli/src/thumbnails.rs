//! Small pictures of a data set, for pages and drawings.

use crate::pictures::Finder;
use crate::progress::Screen;
use sightline::dataset::{Dataset, Truth};
use sightline::report::{Thumbnail, thumbnail};
use std::cell::{Cell, RefCell};
use std::path::Path;

/// Finds the pictures of a data set, and remembers how many could not be read.
pub(crate) struct Thumbnails {
    finder: Option<RefCell<Finder>>,
    lost: Cell<usize>,
    max_pixels: u64,
}

impl Thumbnails {
    /// Pictures lie in `images`, else where the data set says.
    pub(crate) fn of(dataset: &Dataset, images: Option<&Path>, max_pixels: u64) -> Self {
        let root = match (images.or(dataset.root.as_deref()), &dataset.truth) {
            // A list without a root names its pictures from where the program runs.
            (None, Truth::Labels { .. }) => Some(Path::new("")),
            (root, _) => root,
        };
        Self {
            finder: root.map(|root| RefCell::new(Finder::new(root))),
            lost: Cell::new(0),
            max_pixels,
        }
    }

    /// The picture of that name with its box; empty where it cannot be read.
    pub(crate) fn thumbnail(&self, name: &str, bbox: Option<[f64; 4]>) -> Thumbnail {
        let find = |finder: &RefCell<Finder>| finder.borrow_mut().find(name).ok().flatten();
        let file = self.finder.as_ref().and_then(find);
        let file = file.and_then(|path| std::fs::read(path).ok());
        let small = file.map(|file| thumbnail(&file, self.max_pixels, bbox));
        let small = small.unwrap_or_default();
        self.lost
            .set(self.lost.get() + usize::from(small.jpeg.is_empty()));
        small
    }

    /// Says that names stand in the place of pictures, where they do.
    pub(crate) fn tell(&self, screen: &Screen) {
        if self.finder.is_none() {
            screen.say("remark: names are shown instead of pictures; name their folder with --images FOLDER");
        } else if self.lost.get() > 0 {
            let remark = "pictures could not be read; their names are shown instead";
            screen.say(&format!("remark: {} {remark}", self.lost.get()));
        }
    }
}
