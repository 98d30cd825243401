//! Query expansion and database augmentation as stages.

#![allow(clippy::unwrap_used)]

use sightline_checkpoint::formula::unit_rows;
use sightline_descriptor::Expansion;
use sightline_rerank::{Aqe, Dba, Rankings, RerankError, Reranker, Settings};
use sightline_search::{Hit, Rows, top_k};

const DIM: usize = 8;

fn rankings<'a>(database: &'a [f32], behind: &[&'a [f32]], length: usize) -> Rankings<'a> {
    let queries = unit_rows("queries", 5, DIM, 1);
    let behind = behind.iter().map(|set| Rows::f32(set, DIM)).collect();
    Rankings::search(
        Rows::f32(&queries, DIM),
        Rows::f32(database, DIM),
        behind,
        length,
        Vec::new(),
    )
    .unwrap()
}

fn run(stage: &mut dyn Reranker, rankings: &mut Rankings<'_>) -> Vec<usize> {
    stage.rerank(rankings, &|_, _, _| ()).unwrap()
}

#[test]
fn the_queries_of_a_search_are_expanded_by_the_gallery() {
    let (database, behind) = (unit_rows("database", 40, DIM, 2), unit_rows("behind", 9, DIM, 3));
    let mut rankings = rankings(&database, &[&behind], 12);
    let how = Expansion { k: 4, alpha: 3 };
    let sets = [Rows::f32(&database, DIM), Rows::f32(&behind, DIM)];
    let want = how
        .expand_among(Rows::f32(&rankings.queries, DIM), &sets)
        .unwrap();
    assert_eq!(run(&mut Aqe { how }, &mut rankings), [12; 5]);
    assert_eq!(rankings.queries, want);
    assert!(rankings.searched);
    let again = rankings.lists.clone();
    rankings.search_again("test").unwrap();
    assert_eq!(rankings.lists, again);
}

#[test]
fn after_another_order_its_first_answers_are_the_neighbours() {
    let database = unit_rows("database", 40, DIM, 2);
    let how = Expansion { k: 3, alpha: 2 };
    let mut searched = rankings(&database, &[], 40);
    let mut other = rankings(&database, &[], 40);
    // The same order, of which nobody says where it comes from, expands alike.
    other.searched = false;
    run(&mut Aqe { how }, &mut searched);
    run(&mut Aqe { how }, &mut other);
    assert_eq!(other.queries, searched.queries);
    assert_eq!(other.lists, searched.lists);

    let mut reversed = rankings(&database, &[], 40);
    reversed.lists.iter_mut().for_each(|list| list.reverse());
    reversed.searched = false;
    let last: Vec<usize> = reversed.lists[0][..3].iter().map(|hit| hit.index).collect();
    let query = reversed.queries[..DIM].to_vec();
    run(&mut Aqe { how }, &mut reversed);
    let row = |index: usize| &database[index * DIM..(index + 1) * DIM];
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut sum = query.clone();
    for index in last {
        let weight = dot(&query, row(index)).powi(2);
        sum.iter_mut()
            .zip(row(index))
            .for_each(|(sum, x)| *sum += weight * x);
    }
    let norm = dot(&sum, &sum).sqrt();
    for (got, want) in reversed.queries[..DIM].iter().zip(&sum) {
        assert!((got - want / norm).abs() < 1e-5);
    }
    // Fewer answers than neighbours are all of them.
    reversed.lists.iter_mut().for_each(|list| list.truncate(2));
    reversed.searched = false;
    run(&mut Aqe { how }, &mut reversed);
}

#[test]
fn a_whole_database_is_augmented() {
    let database = unit_rows("database", 40, DIM, 2);
    let how = Expansion { k: 4, alpha: 1 };
    let mut rankings = rankings(&database, &[], 10);
    run(&mut Dba { how, top: None }, &mut rankings);
    let augmented = how.augment(Rows::f32(&database, DIM)).unwrap();
    let want = top_k(
        Rows::f32(&rankings.queries, DIM),
        Rows::f32(&augmented, DIM),
        10,
        None,
    );
    assert_eq!(rankings.lists, want.unwrap());
    assert_eq!(rankings.augmented, Some(augmented));
}

#[test]
fn first_answers_are_augmented_exactly() {
    let (database, behind) = (unit_rows("database", 30, DIM, 2), unit_rows("behind", 11, DIM, 3));
    let all = [database.clone(), behind.clone()].concat();
    let how = Expansion { k: 4, alpha: 1 };
    let mut whole = rankings(&all, &[], 41);
    run(&mut Dba { how, top: None }, &mut whole);
    let mut bounded = rankings(&database, &[&behind], 41);
    let scored = run(&mut Dba { how, top: Some(41) }, &mut bounded);
    assert_eq!(scored, [41; 5]);
    for (got, want) in bounded.lists.iter().zip(&whole.lists) {
        let index = |list: &[Hit]| list.iter().map(|hit| hit.index).collect::<Vec<_>>();
        assert_eq!(index(got), index(want));
        let close = |(got, want): (&Hit, &Hit)| (got.score - want.score).abs() < 1e-6;
        assert!(got.iter().zip(want).all(close));
    }
    assert_eq!((bounded.searched, bounded.augmented), (false, None));

    let mut few = rankings(&database, &[&behind], 41);
    let before = few.lists.clone();
    assert_eq!(run(&mut Dba { how, top: Some(6) }, &mut few), [6; 5]);
    for ((got, before), whole) in few.lists.iter().zip(&before).zip(&whole.lists) {
        assert_eq!(got[6..], before[6..]);
        for hit in &got[..6] {
            let want = whole.iter().find(|other| other.index == hit.index).unwrap();
            assert!((hit.score - want.score).abs() < 1e-6);
        }
        assert!(got[..6].windows(2).all(|pair| pair[0].score >= pair[1].score));
    }
}

#[test]
fn settings_are_needed_and_bounded() {
    let aqe = |text| Aqe::from_settings(&Settings::read("aqe", text, Aqe::KEYS).unwrap());
    assert_eq!(aqe("alpha=3,k=10").unwrap().how, Expansion { k: 10, alpha: 3 });
    assert_eq!(
        aqe("k=3").unwrap_err().to_string(),
        "aqe needs k (neighbours) and alpha (the power of their similarity), such as aqe:k=10,alpha=3"
    );
    assert!(aqe("k=3,alpha=1001").is_err() && aqe("k=-1,alpha=1").is_err());
    let dba = |text| Dba::from_settings(&Settings::read("dba", text, Dba::KEYS).unwrap());
    assert_eq!(dba("k=3,alpha=0,top=7").unwrap().top, Some(7));
    assert!(dba("k=3,alpha=0,top=0").is_err());
}

#[test]
fn what_cannot_be_is_an_error() {
    let how = Expansion { k: 41, alpha: 1 };
    let database = unit_rows("database", 40, DIM, 2);
    let mut rankings = rankings(&database, &[], 10);
    let error = |stage: &mut dyn Reranker, rankings: &mut Rankings<'_>| {
        stage.rerank(rankings, &|_, _, _| ()).unwrap_err()
    };
    let too_many = error(&mut Aqe { how }, &mut rankings).to_string();
    assert!(too_many.contains("Ask for at most 40"), "{too_many}");
    let mut lists = Rankings::of_lists(&[vec![0, 1]], 2);
    let none = error(&mut Dba { how, top: None }, &mut lists);
    assert!(matches!(none, RerankError::NeedsDescriptors { method: "dba" }));
}
