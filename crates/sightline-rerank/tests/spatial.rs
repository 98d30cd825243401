//! Spatial verification as a stage: which answers move, with which scores, and which stay.

#![allow(clippy::unwrap_used)]

use sightline_local::LocalFeatures;
use sightline_local::spatial::Placed;
use sightline_rerank::{LocalAccess, Rankings, RerankError, Reranker, Settings, Spatial};

/// Thirty features, of which `right` lie where the query's are, the others anywhere.
fn features(right: usize) -> LocalFeatures {
    let count: usize = 30;
    let place = |feature: usize| match feature < right {
        true => [(feature % 6) as f32 * 50.0, (feature / 6) as f32 * 40.0],
        false => [(feature * 7919 % 613) as f32, (feature * 104_729 % 419) as f32],
    };
    LocalFeatures {
        dim: count,
        descriptors: (0..count * count)
            .map(|value| f32::from(u8::from(value % (count + 1) == 0)))
            .collect(),
        strengths: vec![1.0; count],
        places: (0..count).map(place).collect(),
        scales: vec![1.0; count],
        size: [480, 640],
    }
}

fn stage(text: &str) -> Spatial {
    Spatial::from_settings(&Settings::read("spatial", text, Spatial::KEYS).unwrap()).unwrap()
}

#[test]
fn answers_that_agree_with_the_query_come_first() {
    let query = features(30);
    // Image 3 has no features; image 4 agrees best and lies beyond the first four.
    let images = [features(0), features(12), features(20), features(30)];
    let of_query = |query_index: usize| (query_index == 0).then(|| Placed::from(&query));
    let of_image = |image: usize| match image {
        3 => None,
        4 => images.get(3).map(Placed::from),
        other => images.get(other).map(Placed::from),
    };
    let lists = [vec![0, 1, 3, 2, 4], vec![4, 0]];
    let mut rankings = Rankings::of_lists(&lists, 5);
    rankings.local = Some(LocalAccess {
        query: &of_query,
        image: &of_image,
    });
    let scored = stage("top=4").rerank(&mut rankings, &|_, _, _| {}).unwrap();
    let order = |query: usize| -> Vec<usize> { rankings.lists[query].iter().map(|hit| hit.index).collect() };
    assert_eq!(order(0)[..2], [2, 1]);
    assert_eq!(order(0)[4], 4, "what is beyond the reach stays");
    let score = |image: usize| {
        let hit = rankings.lists[0].iter().find(|hit| hit.index == image);
        hit.unwrap().score
    };
    assert!(score(2) >= 20.0 && score(1) >= 12.0 && score(2) > score(1));
    assert_eq!((score(3), score(4)), (0.0, -4.0));
    // A query without features keeps its list.
    assert_eq!(order(1), [4, 0]);
    assert_eq!(scored, [4, 0]);
    assert!(!rankings.searched);
}

#[test]
fn rankings_without_local_features_are_refused() {
    let mut rankings = Rankings::of_lists(&[vec![0, 1]], 2);
    let refused = stage("").rerank(&mut rankings, &|_, _, _| {});
    assert!(matches!(
        refused,
        Err(RerankError::NeedsLocalFeatures { method: "spatial" })
    ));
}
