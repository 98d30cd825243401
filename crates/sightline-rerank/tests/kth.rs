//! Real descriptors: 149 photographs of buildings and 50 queries, beside numbers of an independent computation.

#![allow(clippy::unwrap_used)]

use sightline_descriptor::{DescriptorSet, Expansion};
use sightline_eval::average_precision::trapezoid;
use sightline_eval::positions::Positions;
use sightline_rerank::{Aqe, KReciprocal, Rankings, Reranker, SuperGlobal};
use std::path::Path;

#[test]
fn rankings_are_as_good_as_computed_elsewhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/kth-buildings");
    let file = folder.join("reference_descriptors.safetensors");
    if !file.exists() {
        eprintln!("skipped: {} is absent", file.display());
        return;
    }
    let open = |tensor: &str| DescriptorSet::open(format!("{}#{tensor}", file.display())).unwrap();
    let (database, queries) = (open("database"), open("queries"));
    let truth = std::fs::read(folder.join("kth.json")).unwrap();
    let truth: serde_json::Value = serde_json::from_slice(&truth).unwrap();
    let positives: Vec<Vec<u32>> = truth["gnd"]
        .as_array()
        .unwrap()
        .iter()
        .map(|query| serde_json::from_value(query["easy"].clone()).unwrap())
        .collect();
    let map = |stage: Option<&mut dyn Reranker>| {
        let (rows, length) = (database.rows(), database.len());
        let mut rankings = Rankings::search(queries.rows(), rows, Vec::new(), length, Vec::new()).unwrap();
        if let Some(stage) = stage {
            stage.rerank(&mut rankings, &|_, _, _| ()).unwrap();
        }
        let ap = |(list, positives): (&Vec<sightline_search::Hit>, &Vec<u32>)| {
            let list: Vec<u32> = list.iter().map(|hit| hit.index as u32).collect();
            let found = Positions::in_list(&list, positives, &[]);
            trapezoid(&found.junk_free(), found.named)
        };
        let aps: Vec<f64> = rankings.lists.iter().zip(&positives).map(ap).collect();
        aps.iter().sum::<f64>() / aps.len() as f64
    };
    let aqe = |k| Aqe {
        how: Expansion { k, alpha: 3 },
    };
    let small = KReciprocal {
        k1: 5,
        k2: 3,
        ..KReciprocal::default()
    };
    let two = SuperGlobal {
        k: 2,
        ..SuperGlobal::default()
    };
    let found = [
        ("none", map(None), 0.9478),
        ("aqe:k=10,alpha=3", map(Some(&mut aqe(10))), 0.6993),
        ("aqe:k=3,alpha=3", map(Some(&mut aqe(3))), 0.9602),
        ("k-reciprocal", map(Some(&mut KReciprocal::default())), 0.9298),
        ("k-reciprocal:k1=5,k2=3", map(Some(&mut { small })), 0.9648),
        ("superglobal", map(Some(&mut SuperGlobal::default())), 0.8976),
        ("superglobal:k=2", map(Some(&mut { two })), 0.9340),
    ];
    for (stage, got, want) in found {
        assert!((got - want).abs() < 1e-4, "{stage}: {got} instead of {want}");
    }
}
