//! What `sightline local token` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::{Place, Said};
use sightline::card::AggregationIdentity;
use sightline::checkpoint::{Tensor, safetensors::write_safetensors};
use sightline::descriptor::{DescriptorSet, RowType};
use sightline::local::{FeatureFile, FeatureHeader, FeatureWriter, LocalFeatures};
use sightline::nn::{TokenLocal, TokenOptions};

/// A network that costs little.
const NAME: &str = "token-l2-d32-h4";

/// Local features of both sides of `gnd.json`, `db` and `q`, of 8 values.
fn extracted() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 2);
    for (side, output) in [("database", "db"), ("queries", "q")] {
        place
            .run(&format!(
                "local extract gnd.json --images pictures --side {side} -o {output} --model seeded --arch resnet18:layer1/how-out8 \
                 --scales 1,0.5 --features 60"
            ))
            .ends(0);
    }
    place
}

fn token(place: &Place, features: &str, more: &str) -> Said {
    place.run(&format!(
        "local token {features} -o {features}.safetensors {more}"
    ))
}

/// Writes the weights of a seeded network for features of `dim` values to `weights.safetensors`.
fn save(place: &Place, dim: usize) -> TokenLocal {
    let network = TokenLocal::seeded(&TokenOptions::parse(NAME).unwrap(), dim, 3).unwrap();
    let tensors: Vec<(String, Tensor)> = network
        .state_dict()
        .into_iter()
        .map(|(name, tensor)| (name, Tensor::from_f32(tensor.shape, &tensor.data).unwrap()))
        .collect();
    write_safetensors(&place.path("weights.safetensors"), &tensors, &[]).unwrap();
    network
}

#[test]
fn a_seeded_network_makes_sets_that_are_evaluated_and_whitened() {
    let place = extracted();
    for features in ["db", "q"] {
        let said = token(&place, features, &format!("--model seeded --arch {NAME} --json")).ends(0);
        let said = said.complains("has learned nothing").json();
        assert_eq!(
            (&said["dim"], &said["architecture"], &said["empty"]),
            (&1024.into(), &NAME.into(), &0.into())
        );
    }
    let set = DescriptorSet::open(place.path("db.safetensors")).unwrap();
    assert_eq!((set.len(), set.dim()), (10, 1024));
    let identity = &set.card().unwrap().identity;
    assert_eq!(identity.architecture, "resnet18:layer1/how-out8");
    let Some(AggregationIdentity::Token {
        architecture, seed, ..
    }) = identity.local.clone().unwrap().aggregation
    else {
        panic!("{identity:?}");
    };
    assert_eq!((architecture.as_str(), seed), (NAME, Some(0)));
    for row in 0..set.len() {
        let norm: f32 = set.row(row).iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-5);
    }

    let eval =
        "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json a.json";
    place.run(eval).ends(0);
    assert!(place.json("a.json")["metrics"]["mAP"].as_f64().unwrap() > 0.0);
    place
        .run("whiten learn db.safetensors -o w.safetensors --dims 3")
        .ends(0);
    place
        .run("whiten apply db.safetensors -w w.safetensors -o white.safetensors")
        .ends(0);

    // The threads change no byte.
    let bytes = place.read("db.safetensors");
    for threads in [1, 3] {
        token(
            &place,
            "db",
            &format!("--model seeded --arch {NAME} --threads {threads}"),
        )
        .ends(0);
        assert!(place.read("db.safetensors") == bytes);
    }
    // Descriptors of another network do not mix.
    token(&place, "q", "--model seeded --arch token-l3-d32-h4").ends(0);
    place
        .run(eval)
        .ends(3)
        .complains("local.aggregation.architecture");
}

#[test]
fn weights_of_a_file_say_their_sizes_and_make_the_networks_descriptors() {
    let place = extracted();
    let network = save(&place, 8);
    let from_file = "--model weights.safetensors --arch token-h4";
    let said = token(&place, "db", &format!("{from_file} --json")).ends(0).json();
    assert_eq!(said["architecture"], NAME);
    let set = DescriptorSet::open(place.path("db.safetensors")).unwrap();
    let features = FeatureFile::open(place.path("db")).unwrap();
    for picture in [0, 7] {
        let want = network
            .describe(&features.picture(picture).to_features().descriptors)
            .unwrap();
        for (got, want) in set.row(picture).iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
    }

    // Other weights do not mix, whatever their sizes.
    token(&place, "q", &format!("--model seeded --arch {NAME}")).ends(0);
    place
        .run("eval --dataset gnd.json --features db.safetensors --query-features q.safetensors")
        .ends(3)
        .complains("local.aggregation.weights");
}

#[test]
fn pictures_without_features_become_zeros_and_too_many_features_are_refused() {
    let place = Place::new();
    let write = |counts: &[usize]| {
        let names: Vec<String> = (0..counts.len()).map(|index| format!("p{index}.jpg")).collect();
        let header = FeatureHeader {
            names: &names,
            counts,
            dim: 1,
            row_type: RowType::F32,
            card: None,
            shard: None,
        };
        let mut writer = FeatureWriter::create(place.path("db"), &header).unwrap();
        for count in counts {
            let features = LocalFeatures {
                dim: 1,
                descriptors: vec![0.5; *count],
                strengths: vec![1.0; *count],
                places: vec![[1.0; 2]; *count],
                scales: vec![1.0; *count],
                size: [9, 9],
            };
            writer.push(&features).unwrap();
        }
        writer.finish().unwrap();
    };
    let seeded = format!("--model seeded --arch {NAME}");
    write(&[2, 0]);
    token(&place, "db", &seeded)
        .ends(0)
        .complains("1 of 2 pictures have no local features");
    let set = DescriptorSet::open(place.path("db.safetensors")).unwrap();
    assert!(set.row(1).iter().all(|value| *value == 0.0));
    assert!(set.row(0).iter().any(|value| *value != 0.0));

    write(&[2, 12_000]);
    token(&place, "db", &seeded)
        .ends(3)
        .complains("`p1.jpg`")
        .complains("more than 11585 do not fit into memory");
}

#[test]
fn what_does_not_fit_is_told() {
    let place = extracted();
    save(&place, 9);
    token(&place, "db", "--model weights.safetensors --arch token-h4")
        .ends(3)
        .complains("have 8 values each")
        .complains("features of 9");
    token(&place, "db", "--model weights.safetensors --arch token-h5")
        .ends(3)
        .complains("cannot be divided among 5 heads");
    token(&place, "db", "--model seeded --arch resnet18/token")
        .ends(2)
        .complains("token-l8-d512-h4");
    token(&place, "db", "--model gnd.json").ends(3);
    place
        .run("local token db -o db --model seeded")
        .ends(2)
        .complains("db is read, and would be replaced");
    assert!(!place.path("db.safetensors").exists());

    // A whole network of Token has a convolution there.
    let kernel = Tensor::from_f32(vec![32, 8, 1, 1], &[0.5; 256]).unwrap();
    write_safetensors(
        &place.path("whole.safetensors"),
        &[("tr.conv.0.weight", kernel)],
        &[],
    )
    .unwrap();
    token(&place, "db", "--model whole.safetensors")
        .ends(3)
        .complains("whole networks of Token take pictures");
}
