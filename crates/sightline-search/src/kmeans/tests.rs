use super::*;
use crate::quantiser::squared_distance;

fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Vectors about `centers` points, one after the other.
fn clustered(count: usize, dim: usize, centers: usize) -> Vec<f32> {
    let (middle, noise) = (values(centers * dim, 7), values(count * dim, 8));
    let value = |i: usize| 4.0 * middle[i / dim % centers * dim + i % dim] + 0.1 * noise[i];
    (0..count * dim).map(value).collect()
}

fn train(values: &[f32], dim: usize, settings: &KMeansSettings) -> Result<KMeansState, KMeansError> {
    let points = Points::new(vec![Rows::f32(values, dim)])?;
    k_means(&points, settings, None, &mut |_| ControlFlow::Continue(()))
}

fn forms() -> Vec<KMeansSettings> {
    let mut all = Vec::new();
    for form in [KMeansForm::Full, KMeansForm::MiniBatch { batch: 300 }] {
        for start in [KMeansStart::Random, KMeansStart::PlusPlus] {
            all.push(KMeansSettings {
                form,
                start,
                iterations: 12,
                ..KMeansSettings::new(20)
            });
        }
    }
    all
}

#[test]
fn threads_and_blocks_change_nothing() {
    let values = values(6000 * 5, 3);
    for settings in forms() {
        let run = |threads, cut: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let blocks = vec![Rows::f32(&values[..cut * 5], 5), Rows::f32(&values[cut * 5..], 5)];
            let points = Points::new(blocks).unwrap();
            pool.install(|| k_means(&points, &settings, None, &mut |_| ControlFlow::Continue(())).unwrap())
        };
        assert_eq!(run(1, 0), run(7, 2999), "{settings:?}");
    }
}

#[test]
fn an_interrupted_training_ends_alike() {
    let values = values(6000 * 5, 4);
    let points = Points::new(vec![Rows::f32(&values, 5)]).unwrap();
    for settings in forms() {
        let whole = train(&values, 5, &settings).unwrap();
        let mut kept = None;
        let stopped = k_means(&points, &settings, None, &mut |report| {
            if let KMeansReport::Done(state) = report {
                kept = Some(state.clone());
                if state.iterations.len() == 7 {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        assert_eq!(stopped, Err(KMeansError::Stopped));
        let resumed = k_means(&points, &settings, kept, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(resumed, whole, "{settings:?}");
    }
}

#[test]
fn clusters_are_found_and_the_objective_falls() {
    let (count, dim, centers) = (4000, 6, 25);
    let values = clustered(count, dim, centers);
    let mut last = Vec::new();
    for start in [KMeansStart::Random, KMeansStart::PlusPlus] {
        for form in [KMeansForm::Full, KMeansForm::MiniBatch { batch: 1000 }] {
            let settings = KMeansSettings {
                form,
                start,
                ..KMeansSettings::new(centers)
            };
            let trained = train(&values, dim, &settings).unwrap();
            let mean = |iteration: &Iteration| iteration.objective / iteration.vectors as f64;
            let (first, end) = (&trained.iterations[0], &trained.iterations[9]);
            assert!(mean(end) < mean(first), "{settings:?}");
            if form == KMeansForm::Full {
                let falls = trained.iterations.windows(2);
                let tolerance = |before: f64| before * 1e-6;
                assert!(falls.clone().all(|pair| pair[1].objective
                    <= pair[0].objective + tolerance(pair[0].objective)
                    || pair[0].splits > 0));
            }
            last.push(mean(end));
        }
    }
    // Started far from one another the words find every cluster: what is left is the noise, of variance 0.01 / 3.
    let noise = dim as f64 * 0.01 / 3.0;
    assert!(last[2] < 1.2 * noise && last[3] < 1.2 * noise, "{last:?}");
}

#[test]
fn as_many_vectors_as_words_are_copied_and_fewer_refused() {
    let values = values(12, 5);
    let trained = train(&values, 3, &KMeansSettings::new(4)).unwrap();
    assert_eq!(trained.centroids, values);
    let error = train(&values, 3, &KMeansSettings::new(5)).unwrap_err();
    assert_eq!(error, KMeansError::TooFew { vectors: 4, words: 5 });
}

#[test]
fn values_that_are_not_finite_are_refused_by_their_row() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = values(CHUNK * 2 + 10, 6);
        values[CHUNK + 5] = bad;
        values[CHUNK + 7] = bad;
        for form in [KMeansForm::Full, KMeansForm::MiniBatch { batch: 10 }] {
            let settings = KMeansSettings {
                form,
                ..KMeansSettings::new(2)
            };
            let error = train(&values, 1, &settings).unwrap_err();
            assert_eq!(error, KMeansError::NotFinite { row: CHUNK + 5 });
        }
    }
}

#[test]
fn equal_vectors_and_wrong_settings_end() {
    let same = vec![0.5; 40 * 3];
    for start in [KMeansStart::Random, KMeansStart::PlusPlus] {
        let settings = KMeansSettings {
            start,
            ..KMeansSettings::new(7)
        };
        let trained = train(&same, 3, &settings).unwrap();
        let far = |word| squared_distance(word, Some(&same[..3])) > 1e-4;
        assert!(!trained.centroids.chunks(3).any(far));
    }
    let given = vec![0.0; 4];
    let wrong = [
        KMeansSettings::new(0),
        KMeansSettings {
            form: KMeansForm::MiniBatch { batch: 0 },
            ..KMeansSettings::new(2)
        },
        KMeansSettings {
            given: given.clone(),
            ..KMeansSettings::new(2)
        },
        KMeansSettings {
            given: given[..3].iter().map(|_| f32::NAN).collect(),
            ..KMeansSettings::new(2)
        },
    ];
    for settings in wrong {
        assert!(matches!(
            train(&same, 3, &settings),
            Err(KMeansError::Settings(_))
        ));
    }
    let points = Points::new(vec![Rows::f32(&same, 3)]).unwrap();
    let state = KMeansState {
        centroids: vec![0.0; 6],
        counts: vec![0.0; 2],
        iterations: Vec::new(),
    };
    let settings = KMeansSettings::new(3);
    let error = k_means(
        &points,
        &settings,
        Some(state),
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(matches!(error, Err(KMeansError::State(_))));
}
