//! What CSA trains on: for every image the list of its nearest images, of each backbone by itself (MCC-WH/CSA,
//! `Dataset/ImageFromList.py`, `RerankDataset_TopKSIM`).

use crate::TrainError;
use rayon::prelude::*;
use sightline_plan::Tensor;
use sightline_search::{KnnGraph, RowData, Rows, SearchError, inner_products, knn_graph};

/// How much of a list is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSizes {
    /// Tokens: images that are looked at, the list's own image first (`topk`).
    pub topk: usize,
    /// Anchors: images that they are compared with, the same ones from the first (`sim_len`); the network's
    /// [`CsaSizes::anchors`](sightline_nn::CsaSizes::anchors).
    pub sim_len: usize,
}

impl ListSizes {
    /// Those of the published training.
    pub const PUBLISHED: Self = Self {
        topk: 512,
        sim_len: 512,
    };

    /// The most of either: a sample's similarities then take 256 MB.
    pub const MOST: usize = 8192;

    /// Images of a list.
    pub fn list(self) -> usize {
        self.topk.max(self.sim_len)
    }

    /// The neighbours of all images by one backbone's descriptors. Where a graph is stored with lists that are as long, use that.
    ///
    /// Memory: 8 bytes for each image of each list, 375 MB for lists of 512 of 91,642 images.
    ///
    /// # Errors
    /// When rows are not whole, or too many.
    pub fn graph(self, descriptors: Rows<'_>) -> Result<KnnGraph, SearchError> {
        knn_graph(&[descriptors], self.list())
    }
}

/// What one network says of all images.
#[derive(Clone, Copy, Debug)]
pub struct Backbone<'a> {
    /// A descriptor of each image, of length 1.
    pub descriptors: Rows<'a>,
    /// Their neighbours among themselves, as many as a list has or more.
    pub neighbours: &'a KnnGraph,
}

/// The lists of a training set: one for each image of each backbone.
///
/// Sample s is image s mod n of backbone s / n, with n images. More backbones are more samples; lists and similarities are never mixed
/// across them. The descriptors and the graphs of neighbours are somebody else's and used as they are; this has no memory of its own.
#[derive(Clone, Debug)]
pub struct CsaLists<'a> {
    backbones: Vec<Backbone<'a>>,
    clusters: &'a [u32],
    sizes: ListSizes,
}

/// Some samples together.
#[derive(Clone, Debug, PartialEq)]
pub struct CsaBatch {
    /// The similarities of each list's anchors with its tokens, `[N, L, T, 1]`, as the network takes them.
    pub affinity: Tensor,
    /// Which tokens show the same as the list's first one, `[N, T]`.
    pub relevant: Vec<bool>,
}

impl<'a> CsaLists<'a> {
    /// Lists of the same images in the same order by each backbone. `clusters` says what each image shows.
    ///
    /// # Errors
    /// When there is not one descriptor, list and cluster for each image, lists are too short, or one of `sizes` is 0 or above [`ListSizes::MOST`].
    pub fn new(
        backbones: Vec<Backbone<'a>>,
        clusters: &'a [u32],
        sizes: ListSizes,
    ) -> Result<Self, TrainError> {
        for (name, value) in [("topk", sizes.topk), ("sim_len", sizes.sim_len)] {
            let fits = (1..=ListSizes::MOST).contains(&value);
            let wanted = "a whole number from 1 to 8192";
            TrainError::check_setting(name, value as f64, wanted, |_| fits)?;
        }
        let images = clusters.len();
        for (backbone, given) in backbones.iter().enumerate() {
            let graph = given.neighbours;
            for (what, got) in [
                ("descriptors", given.descriptors.count()),
                ("neighbours", graph.count()),
            ] {
                if got != images {
                    return Err(TrainError::Images {
                        what,
                        backbone,
                        got,
                        images,
                    });
                }
            }
            // A graph's list may end early, with indices of no image.
            let shortest = graph.indices.chunks(graph.k.max(1)).map(|list| {
                let whole = list.iter().take_while(|index| (**index as usize) < images);
                whole.count()
            });
            let k = shortest.min().unwrap_or(graph.k).min(graph.k);
            if k < sizes.list() {
                let wanted = sizes.list();
                return Err(TrainError::ShortLists { backbone, k, wanted });
            }
        }
        Ok(Self {
            backbones,
            clusters,
            sizes,
        })
    }

    /// How many samples there are.
    pub fn count(&self) -> usize {
        self.backbones.len() * self.clusters.len()
    }

    /// The list of a sample: images of its backbone, best first, its own one first as long as rows have the length 1.
    fn list(&self, sample: usize) -> Result<&'a [u32], TrainError> {
        let samples = self.count();
        if sample >= samples {
            return Err(TrainError::NoSuchSample { sample, samples });
        }
        let graph = self.backbones[sample / self.clusters.len()].neighbours;
        let first = sample % self.clusters.len() * graph.k;
        Ok(&graph.indices[first..first + self.sizes.list()])
    }

    /// The list of a sample as samples: the images' numbers behind those of the backbones before its own.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn neighbours(&self, sample: usize) -> Result<Vec<usize>, TrainError> {
        let list = self.list(sample)?;
        let offset = sample - sample % self.clusters.len();
        Ok(list.iter().map(|image| offset + *image as usize).collect())
    }

    /// For each image of a sample's list, whether it shows the same as the first one.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn relevant(&self, sample: usize) -> Result<Vec<bool>, TrainError> {
        let clusters = self
            .list(sample)?
            .iter()
            .map(|image| self.clusters[*image as usize]);
        let clusters: Vec<u32> = clusters.collect();
        Ok(clusters.iter().map(|cluster| cluster == &clusters[0]).collect())
    }

    /// The inner products of a sample's anchors with its tokens, `[L, T]`.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn affinity(&self, sample: usize) -> Result<Vec<f32>, TrainError> {
        let list = self.list(sample)?;
        let set = self.backbones[sample / self.clusters.len()].descriptors;
        let mut rows = Vec::with_capacity(list.len() * set.dim);
        for image in list {
            let image = *image as usize;
            match set.slice(image..image + 1).data {
                RowData::F32(row) => rows.extend_from_slice(row),
                RowData::F16(row) => rows.extend(row.iter().map(|value| value.to_f32())),
            }
        }
        let rows = Rows::f32(&rows, set.dim);
        let ListSizes { topk, sim_len } = self.sizes;
        Ok(inner_products(rows.slice(0..sim_len), rows.slice(0..topk))?)
    }

    /// Those samples as a batch: 4 bytes for each similarity, 1 MB a sample at the published sizes.
    ///
    /// The original shuffles the tokens behind the first one; the network does not see their order, so this does not.
    ///
    /// # Errors
    /// When there is no such sample.
    pub fn batch(&self, samples: &[usize]) -> Result<CsaBatch, TrainError> {
        let ListSizes { topk, sim_len } = self.sizes;
        let item = |sample: &usize| Ok((self.affinity(*sample)?, self.relevant(*sample)?));
        let items: Vec<(Vec<f32>, Vec<bool>)> =
            samples.par_iter().map(item).collect::<Result<_, TrainError>>()?;
        let mut affinity = Vec::with_capacity(samples.len() * sim_len * topk);
        let mut relevant = Vec::with_capacity(samples.len() * topk);
        for (products, labels) in items {
            affinity.extend(products);
            relevant.extend_from_slice(&labels[..topk]);
        }
        let affinity = Tensor {
            shape: vec![samples.len(), sim_len, topk, 1],
            data: affinity,
        };
        Ok(CsaBatch { affinity, relevant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f32; 8] = [1.0, 0.0, 0.0, 1.0, 0.8, 0.6, 0.6, 0.8];
    const B: [f32; 8] = [0.0, 1.0, 1.0, 0.0, 0.6, 0.8, -0.6, 0.8];

    fn lists<'a>(
        rows: &[Rows<'a>],
        graphs: &'a [KnnGraph],
        clusters: &'a [u32],
        sizes: ListSizes,
    ) -> Result<CsaLists<'a>, TrainError> {
        let both = rows.iter().zip(graphs);
        let backbones = both.map(|(descriptors, neighbours)| Backbone {
            descriptors: *descriptors,
            neighbours,
        });
        CsaLists::new(backbones.collect(), clusters, sizes)
    }

    #[test]
    fn backbones_are_never_mixed() {
        let rows = [Rows::f32(&A, 2), Rows::f32(&B, 2)];
        let sizes = ListSizes { topk: 2, sim_len: 3 };
        let graphs = rows.map(|rows| sizes.graph(rows).unwrap());
        let lists = lists(&rows, &graphs, &[5, 5, 9, 5], sizes).unwrap();
        assert_eq!(lists.count(), 8);
        assert_eq!(lists.neighbours(1).unwrap(), [1, 3, 2]);
        assert_eq!(lists.neighbours(5).unwrap(), [5, 6, 4]);
        assert_eq!(lists.relevant(1).unwrap(), [true, true, false]);
        assert_eq!(lists.relevant(5).unwrap(), [true, false, true]);
        let batch = lists.batch(&[5, 0]).unwrap();
        assert_eq!(batch.affinity.shape, [2, 3, 2, 1]);
        let want = [1.0, 0.6, 0.6, 1.0, 0.0, 0.8];
        for (got, want) in batch.affinity.data.iter().zip(want) {
            assert!((got - want).abs() < 1e-6, "{got} {want}");
        }
        assert_eq!(batch.relevant, [true, false, true, false]);
        let none = TrainError::NoSuchSample {
            sample: 8,
            samples: 8,
        };
        assert_eq!(lists.batch(&[8]), Err(none));
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        let rows = [Rows::f32(&A, 2)];
        let long = ListSizes { topk: 5, sim_len: 2 };
        let mut graphs = [long.graph(rows[0]).unwrap()];
        let short = |k, wanted| TrainError::ShortLists {
            backbone: 0,
            k,
            wanted,
        };
        assert_eq!(lists(&rows, &graphs, &[0; 4], long).unwrap_err(), short(4, 5));
        let sizes = ListSizes { topk: 3, sim_len: 2 };
        assert!(lists(&rows, &graphs, &[0; 4], sizes).is_ok());
        assert!(lists(&rows, &graphs, &[0; 3], sizes).is_err());
        for topk in [0, ListSizes::MOST + 1] {
            let refused = lists(&rows, &graphs, &[0; 4], ListSizes { topk, ..sizes });
            assert!(matches!(refused, Err(TrainError::Setting { name: "topk", .. })));
        }
        // A list that ends early.
        graphs[0].indices[6] = u32::MAX;
        assert_eq!(lists(&rows, &graphs, &[0; 4], sizes).unwrap_err(), short(2, 3));
    }
}
