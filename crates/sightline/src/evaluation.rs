//! From descriptor sets to rankings: rows meet the ground truth's names, the search streams the ranks.

use crate::Error;
use sightline_dataset::Dataset;
use sightline_descriptor::DescriptorSet;
use sightline_eval::{Rank, Ranking};
use sightline_search::{Hit, RowData, Rows};
use std::collections::HashMap;
use std::path::Path;

/// The rows of a descriptor set in the order of a data set's names.
///
/// Where the set has exactly these names in this order (the usual case), rows are used where they lie; otherwise those that are
/// wanted are copied.
pub struct Aligned<'a> {
    rows: Gathered<'a>,
    dim: usize,
    /// Row of each name; none: the set has no such picture.
    places: Vec<Option<usize>>,
    /// Name of each row.
    names: Vec<usize>,
}

enum Gathered<'a> {
    InPlace(Rows<'a>),
    Copied(Vec<f32>),
}

impl<'a> Aligned<'a> {
    /// Finds the row of every name: by the name as it stands, else by file name without its ending. A set without names is taken
    /// to be in the right order.
    ///
    /// # Errors
    /// When a set without names has another number of rows, when two rows fit one name, or when no name is found at all.
    pub fn new(set: &'a DescriptorSet, names: &[&str]) -> Result<Self, Error> {
        let places = places(set, names)?;
        let missing = places.iter().filter(|place| place.is_none()).count();
        if missing == names.len() && !names.is_empty() {
            return Err(Error::NothingMeets {
                set: set.source().to_owned(),
                wanted: names[0].to_owned(),
            });
        }
        let in_order =
            set.len() == names.len() && places.iter().enumerate().all(|(i, place)| *place == Some(i));
        let dim = set.dim();
        let rows = if in_order {
            Gathered::InPlace(set.rows())
        } else {
            Gathered::Copied(
                places
                    .iter()
                    .flatten()
                    .flat_map(|place| set.row(*place))
                    .collect(),
            )
        };
        // Rows that were copied lie without gaps.
        let mut next = 0;
        let places: Vec<Option<usize>> = places
            .into_iter()
            .map(|place| {
                place.map(|_| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        // A set without gaps is in the order of the names or was copied in it.
        let names = (0..places.len()).filter(|name| places[*name].is_some()).collect();
        Ok(Self {
            rows,
            dim,
            places,
            names,
        })
    }

    /// The rows, without those of missing names.
    pub fn rows(&self) -> Rows<'_> {
        match &self.rows {
            Gathered::InPlace(rows) => *rows,
            Gathered::Copied(values) => Rows::f32(values, self.dim),
        }
    }

    /// Whether the rows are all rows of the set, in its order.
    #[must_use]
    pub fn in_place(&self) -> bool {
        matches!(self.rows, Gathered::InPlace(_))
    }

    /// The same names with other rows, `[rows, dim]` as [`Aligned::rows`] has them: expanded or augmented ones.
    #[must_use]
    pub fn with_rows(&self, rows: Vec<f32>) -> Self {
        Self {
            rows: Gathered::Copied(rows),
            dim: self.dim,
            places: self.places.clone(),
            names: self.names.clone(),
        }
    }

    /// Index of the name that a row of [`Aligned::rows`] belongs to.
    pub fn name_of(&self, row: usize) -> usize {
        self.names.get(row).copied().unwrap_or(row)
    }

    /// Indices of the names that the set has no row for.
    pub fn missing(&self) -> Vec<usize> {
        (0..self.places.len())
            .filter(|index| self.places[*index].is_none())
            .collect()
    }
}

pub(crate) fn places(set: &DescriptorSet, names: &[&str]) -> Result<Vec<Option<usize>>, Error> {
    if !set.has_names() {
        if set.len() != names.len() {
            return Err(Error::NamelessSet {
                set: set.source().to_owned(),
                rows: set.len(),
                wanted: names.len(),
            });
        }
        return Ok((0..names.len()).map(Some).collect());
    }
    places_by_name(set.source(), set.names(), names)
}

/// Where each of `names` lies among pictures called `held`: by the name as it stands, else by file name without its ending.
pub(crate) fn places_by_name(
    source: &Path,
    held: &[String],
    names: &[&str],
) -> Result<Vec<Option<usize>>, Error> {
    let mut by_name = HashMap::new();
    let mut by_stem: HashMap<&str, Vec<usize>> = HashMap::new();
    for (row, name) in held.iter().enumerate() {
        by_name.entry(name.as_str()).or_insert(row);
        by_stem.entry(stem(file_name(name))).or_default().push(row);
    }
    let find = |name: &str| {
        let file = file_name(name);
        // The whole file name first: in `tower.v2` the part after the point may be no ending.
        let fitting = [file, stem(file)].into_iter().find_map(|stem| by_stem.get(stem));
        match (by_name.get(name), fitting.map(Vec::as_slice)) {
            (Some(row), _) => Ok(Some(*row)),
            (None, None | Some([])) => Ok(None),
            (None, Some([row])) => Ok(Some(*row)),
            (None, Some([first, second, ..])) => Err(Error::TwoRows {
                set: source.to_owned(),
                name: name.to_owned(),
                first: held[*first].clone(),
                second: held[*second].clone(),
            }),
        }
    };
    names.iter().map(|name| find(name)).collect()
}

fn file_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

fn stem(file: &str) -> &str {
    file.rsplit_once('.')
        .map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem })
}

/// Rankings by inner product, streamed by the exact search: nothing grows with the gallery but what is asked for.
///
/// Distractors are images that answer no query. They stand behind the data set's images, so that they lose every tie
/// where the lower index comes first, and are counted past, never stored or sorted.
pub struct SearchRanking<'a> {
    queries: &'a Aligned<'a>,
    database: &'a Aligned<'a>,
    distractors: Vec<Rows<'a>>,
}

impl<'a> SearchRanking<'a> {
    /// Every query against every image of the database.
    ///
    /// # Errors
    /// When the two have descriptors of different length, or a query has no descriptor.
    pub fn new(
        queries: &'a Aligned<'a>,
        database: &'a Aligned<'a>,
        dataset: &Dataset,
    ) -> Result<Self, Error> {
        if let Some(query) = queries.missing().first() {
            let name = dataset
                .queries
                .get(*query)
                .map_or_else(|| dataset.images[*query].clone(), |query| query.name.clone());
            return Err(Error::QueryWithoutDescriptor { name });
        }
        // Asking for nothing checks what a search would check.
        sightline_search::ranks(
            queries.rows(),
            database.rows(),
            &vec![Vec::new(); queries.rows().count()],
        )?;
        Ok(Self {
            queries,
            database,
            distractors: Vec::new(),
        })
    }

    /// Adds distractors behind those that are there. A memory-mapped set is only read through, again for every ranking.
    ///
    /// # Errors
    /// When a set's descriptors have another length, or there are more than 2^32 rows.
    pub fn with_distractors(mut self, sets: &'a [DescriptorSet]) -> Result<Self, Error> {
        self.distractors.extend(sets.iter().map(DescriptorSet::rows));
        // Asking for nothing checks what a search would check.
        let queries = self.queries.rows();
        let nothing = vec![Vec::new(); queries.count()];
        sightline_search::ranks_among(queries, self.database.rows(), &self.distractors, &nothing)?;
        Ok(self)
    }

    /// How many distractors there are.
    pub fn distractors(&self) -> usize {
        self.distractors.iter().map(Rows::count).sum()
    }

    /// The `k` best answers of each of the `asked` queries, best first. An index is that of the data set's image; one at or
    /// above the number of images is a distractor. `exclude_self`: the images query themselves and are no answers of theirs.
    ///
    /// # Errors
    /// When a query is asked for that is not there.
    pub fn best(&self, asked: &[usize], k: usize, exclude_self: bool) -> Result<Vec<Vec<Hit>>, Error> {
        let queries = self.queries.rows();
        if let Some(row) = asked.iter().copied().find(|query| *query >= queries.count()) {
            let rows = queries.count();
            return Err(sightline_search::SearchError::NoSuchRow { row, rows }.into());
        }
        let values: Vec<f32> = asked
            .iter()
            .flat_map(|query| match queries.slice(*query..query + 1).data {
                RowData::F32(values) => values.to_vec(),
                RowData::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            })
            .collect();
        let own: Vec<Option<usize>> = asked.iter().map(|query| Some(*query)).collect();
        let mut hits = sightline_search::top_k_among(
            Rows::f32(&values, queries.dim),
            self.database.rows(),
            &self.distractors,
            k,
            exclude_self.then_some(&own),
        )?;
        for hit in hits.iter_mut().flatten() {
            hit.index = self.image(hit.index);
        }
        Ok(hits)
    }

    /// Index of the image that a row of the gallery describes (the database's rows, then the distractors'): that of the data set's
    /// image; one at or above the number of images is a distractor.
    pub fn image(&self, row: usize) -> usize {
        match row.checked_sub(self.database.rows().count()) {
            Some(distractor) => self.database.places.len() + distractor,
            None => self.database.name_of(row),
        }
    }

    /// The row of an image; none where it has no descriptor. The inverse of [`SearchRanking::image`].
    pub fn row(&self, image: usize) -> Option<usize> {
        match image.checked_sub(self.database.places.len()) {
            Some(distractor) => Some(self.database.rows().count() + distractor),
            None => self.database.places.get(image).copied().flatten(),
        }
    }
}

impl Ranking for SearchRanking<'_> {
    fn queries(&self) -> usize {
        self.queries.rows().count()
    }

    fn images(&self) -> Option<usize> {
        // An image without descriptor is never found.
        self.database
            .missing()
            .is_empty()
            .then_some(self.database.places.len() + self.distractors())
    }

    fn gallery(&self) -> Option<usize> {
        Some(self.database.places.len() + self.distractors())
    }

    fn ranks(&self, first_query: usize, wanted: &[Vec<u32>]) -> Vec<Vec<Option<Rank>>> {
        let place = |image: &u32| self.row(*image as usize);
        let asked: Vec<Vec<u32>> = wanted
            .iter()
            .map(|list| list.iter().filter_map(place).map(|row| row as u32).collect())
            .collect();
        let queries = self.queries.rows().slice(first_query..first_query + wanted.len());
        // Lengths and indices were checked, so an error would be a mistake of ours; then nothing is found.
        let found = sightline_search::ranks_among(queries, self.database.rows(), &self.distractors, &asked)
            .unwrap_or_default();
        wanted
            .iter()
            .enumerate()
            .map(|(query, list)| {
                let mut found = found.get(query).into_iter().flatten();
                list.iter()
                    .map(|image| {
                        place(image).and_then(|_| found.next()).map(|rank| Rank {
                            above: rank.above,
                            equal_before: rank.equal_before,
                            equal: rank.equal,
                        })
                    })
                    .collect()
            })
            .collect()
    }
}
