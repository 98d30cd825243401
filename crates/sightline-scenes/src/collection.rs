//! A small data set of scenes: one query and several database pictures of every facade, with ground truth.

use crate::facade::Facade;
use crate::view::View;
use sightline_dataset::{Dataset, Query, RevisitedLists, Truth};
use sightline_image::RgbImage;

/// What a picture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The picture that is searched with.
    Query,
    /// A database picture that shows the facade clearly.
    Easy,
    /// A database picture taken from the side, in bad light or with trees in front.
    Hard,
}

/// One picture of a collection.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its name, without an ending: `scene07_hard1`.
    pub name: String,
    /// Which facade it shows, from 0.
    pub scene: usize,
    /// What it is for.
    pub role: Role,
    seed: u64,
}

/// A collection of scenes, fixed by its seed.
#[derive(Clone, Debug)]
pub struct Collection {
    /// All pictures; the database pictures come in the order of the ground truth's list.
    pub pictures: Vec<Picture>,
    facades: Vec<Facade>,
}

/// Views of every facade: role, how many, difficulty.
const VIEWS: [(Role, usize, f32); 3] = [(Role::Query, 1, 0.35), (Role::Easy, 3, 0.4), (Role::Hard, 2, 1.0)];

impl Collection {
    /// `scenes` facades, each with one query, three easy and two hard database pictures.
    pub fn new(scenes: usize, seed: u64) -> Self {
        let facades = (0..scenes)
            .map(|scene| Facade::from_seed(seed_of(seed, scene, 0)))
            .collect();
        let mut pictures = Vec::new();
        for scene in 0..scenes {
            let mut number = 0;
            for (role, count, _) in VIEWS {
                for index in 1..=count {
                    number += 1;
                    let kind = match role {
                        Role::Query => "query".to_owned(),
                        Role::Easy => format!("easy{index}"),
                        Role::Hard => format!("hard{index}"),
                    };
                    let name = format!("scene{:02}_{kind}", scene + 1);
                    pictures.push(Picture {
                        name,
                        scene,
                        role,
                        seed: seed_of(seed, scene, number),
                    });
                }
            }
        }
        Self { pictures, facades }
    }

    /// Draws one picture, `width` x `height` pixels.
    pub fn draw(&self, picture: &Picture, width: u32, height: u32) -> RgbImage {
        let difficulty = VIEWS
            .iter()
            .find(|view| view.0 == picture.role)
            .map_or(0.0, |view| view.2);
        View::from_seed(picture.seed, difficulty).draw(&self.facades[picture.scene], width, height)
    }

    /// The ground truth, in the form of the revisited sets: easy and hard pictures of every query.
    pub fn dataset(&self) -> Dataset {
        let database: Vec<&Picture> = self
            .pictures
            .iter()
            .filter(|picture| picture.role != Role::Query)
            .collect();
        let queries: Vec<&Picture> = self
            .pictures
            .iter()
            .filter(|picture| picture.role == Role::Query)
            .collect();
        let positives = |scene: usize, role: Role| {
            let shows = |picture: &Picture| picture.scene == scene && picture.role == role;
            (0_u32..)
                .zip(&database)
                .filter(|(_, picture)| shows(picture))
                .map(|(index, _)| index)
                .collect()
        };
        let truth = queries.iter().map(|query| RevisitedLists {
            easy: positives(query.scene, Role::Easy),
            hard: positives(query.scene, Role::Hard),
            junk: Vec::new(),
        });
        Dataset {
            name: "scenes".to_owned(),
            images: database.iter().map(|picture| picture.name.clone()).collect(),
            queries: queries
                .iter()
                .map(|query| Query {
                    name: query.name.clone(),
                    bbox: None,
                })
                .collect(),
            truth: Truth::Revisited(truth.collect()),
            ..Dataset::default()
        }
    }
}

fn seed_of(seed: u64, scene: usize, picture: usize) -> u64 {
    seed.wrapping_mul(1_000_003)
        .wrapping_add(scene as u64 * 1_000 + picture as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_picture_and_another_seed_another() {
        let (a, b, c) = (
            Collection::new(2, 1),
            Collection::new(2, 1),
            Collection::new(2, 2),
        );
        let draw =
            |collection: &Collection, index: usize| collection.draw(&collection.pictures[index], 40, 30);
        assert_eq!(draw(&a, 0), draw(&b, 0));
        assert_ne!(draw(&a, 0), draw(&c, 0));
        assert_ne!(draw(&a, 0), draw(&a, 6), "two scenes look the same");
    }

    #[test]
    fn every_query_has_its_positives() {
        let collection = Collection::new(4, 3);
        let dataset = collection.dataset();
        let Truth::Revisited(truth) = &dataset.truth else {
            panic!("the truth is not of the revisited kind")
        };
        assert_eq!(
            (dataset.images.len(), dataset.queries.len(), truth.len()),
            (20, 4, 4)
        );
        for (query, lists) in dataset.queries.iter().zip(truth) {
            let scene = &query.name[..7];
            assert_eq!((lists.easy.len(), lists.hard.len()), (3, 2));
            for index in lists.easy.iter().chain(&lists.hard) {
                assert!(dataset.images[*index as usize].starts_with(scene));
            }
        }
    }
}
