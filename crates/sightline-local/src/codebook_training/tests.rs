use super::*;
use crate::feature_file::{FeatureHeader, FeatureWriter};
use crate::features::LocalFeatures;
use sightline_checkpoint::formula::uniform;
use sightline_descriptor::RowType;

/// Six pictures of 50 features, every third at scale 1.
fn features(folder: &Path) -> FeatureFile {
    let path = folder.join("f.safetensors");
    let names: Vec<String> = (0..6).map(|picture| format!("{picture}.jpg")).collect();
    let header = FeatureHeader {
        names: &names,
        counts: &[50; 6],
        dim: 4,
        row_type: RowType::F32,
        card: None,
        shard: None,
    };
    let mut writer = FeatureWriter::create(&path, &header).unwrap();
    for picture in 0..6 {
        let values = uniform("training", picture, 200);
        let picture = LocalFeatures {
            dim: 4,
            descriptors: values.into_iter().map(|value| value as f32).collect(),
            strengths: (0..50).map(|i| 1.0 - i as f32 / 100.0).collect(),
            places: vec![[0.0; 2]; 50],
            scales: (0..50).map(|i| if i % 3 == 0 { 1.0 } else { 2.0 }).collect(),
            size: [9, 9],
        };
        writer.push(&picture).unwrap();
    }
    writer.finish().unwrap();
    FeatureFile::open(&path).unwrap()
}

fn go_on(_: KMeansReport<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn features_are_chosen_by_picture_number_and_scale() {
    let folder = tempfile::tempdir().unwrap();
    let file = features(folder.path());
    let count = |images, per_image, scale1_only| {
        let chosen = TrainingFeatures {
            images,
            per_image,
            scale1_only,
        };
        training_points(&file, chosen).unwrap().count()
    };
    assert_eq!(count(None, None, false), 300);
    assert_eq!(count(Some(2), None, false), 100);
    assert_eq!(count(Some(9), Some(7), false), 42);
    assert_eq!(count(None, None, true), 6 * 17);
    assert_eq!(count(Some(1), Some(30), true), 17);
    assert_eq!(count(Some(1), Some(3), true), 3);
}

#[test]
fn an_interrupted_training_goes_on_from_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let file = features(folder.path());
    let state = folder.path().join("c.state");
    let settings = KMeansSettings::new(8);
    let all = TrainingFeatures::default();
    let whole = train_codebook(&file, all, &settings, &state, false, &mut go_on).unwrap();
    let trained = whole.trained.as_ref().unwrap();
    assert_eq!((trained.iterations, trained.vectors), (10, 300));
    assert!(trained.mean_distance > 0.0);

    remove_training_state(&state).unwrap();
    remove_training_state(&state).unwrap();
    let stopped = train_codebook(&file, all, &settings, &state, true, &mut |report| match report {
        KMeansReport::Done(now) if now.iterations.len() == 4 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(matches!(
        stopped,
        Err(TrainingError::KMeans(KMeansError::Stopped))
    ));
    let mut first = None;
    let resumed = train_codebook(&file, all, &settings, &state, true, &mut |report| {
        if let KMeansReport::Assigned { iteration, .. } = report {
            first.get_or_insert(iteration);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(first, Some(4));
    let resumed = resumed.unwrap();
    assert_eq!(
        (resumed.centroids(), &resumed.trained),
        (whole.centroids(), &whole.trained)
    );

    // Another seed is another training, and a changed byte is noticed.
    let other = KMeansSettings {
        seed: 5,
        ..settings.clone()
    };
    let error = train_codebook(&file, all, &other, &state, true, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("other settings"), "{error}");
    let mut bytes = std::fs::read(&state).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    std::fs::write(&state, bytes).unwrap();
    let error = train_codebook(&file, all, &settings, &state, true, &mut go_on).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    assert!(train_codebook(&file, all, &settings, &state, false, &mut go_on).is_ok());
}
