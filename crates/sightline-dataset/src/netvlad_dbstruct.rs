//! The `dbStruct` of NetVLAD's place data sets (Pittsburgh, Tokyo 24/7): pictures with their places on the ground.
//!
//! Source: Nanne/pytorch-NetVlad, `pittsburgh.py`, and Relja Arandjelović's `dbBase`.

use crate::plain_values::{numbers, text, texts};
use crate::{ClassicLists, Dataset, Query, Truth};
use sightline_checkpoint::Value;

/// Database and query pictures, where each was taken, and how near counts as the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct DbStruct {
    /// `train`, `val` or `test`.
    pub which_set: String,
    /// Paths of the database pictures.
    pub db_image: Vec<String>,
    /// UTM easting and northing of each in metres.
    pub utm_db: Vec<[f64; 2]>,
    /// Paths of the query pictures.
    pub q_image: Vec<String>,
    /// UTM easting and northing of each in metres.
    pub utm_q: Vec<[f64; 2]>,
    /// Number of database pictures, as the file says.
    pub num_db: f64,
    /// Number of query pictures, as the file says.
    pub num_q: f64,
    /// A query's positives lie within this distance in metres.
    pub pos_dist_thr: f64,
    /// The same, squared.
    pub pos_dist_sq_thr: f64,
    /// Positives for training lie within the root of this.
    pub non_triv_pos_dist_sq_thr: f64,
}

/// Whether a Matlab file is one of these.
pub fn is_dbstruct(value: &Value) -> bool {
    value.get("dbStruct").is_some()
}

impl DbStruct {
    /// Reads the variable `dbStruct`. Its fields are taken by place, as the original does; Tokyo's has time stamps
    /// between them.
    ///
    /// # Errors
    /// Says which field is missing, or not what it should be.
    pub fn from_value(value: &Value) -> Result<Self, String> {
        let fields = match value.get("dbStruct") {
            Some(Value::Struct(all)) if all.items.len() == 1 => &all.items[0],
            _ => return Err("it has no variable \"dbStruct\" that is one structure".to_owned()),
        };
        let [
            db_image,
            utm_db,
            q_image,
            utm_q,
            num_db,
            num_q,
            thr,
            sq_thr,
            non_triv,
        ] = match fields.len() {
            10 | 11 => [1, 2, 3, 4, 5, 6, 7, 8, 9],
            12.. => [1, 2, 4, 5, 7, 8, 9, 10, 11],
            count => {
                return Err(format!(
                    "dbStruct has {count} fields, not ten (or twelve for Tokyo)"
                ));
            }
        };
        let names =
            |index: usize| texts(&fields[index]).map_err(|reason| format!("in field {index}, {reason}"));
        let number = |index: usize| match numbers(&fields[index])?[..] {
            [number] => Ok(number),
            _ => Err(format!("field {index} should hold one number")),
        };
        let out = Self {
            which_set: text(&fields[0])?,
            db_image: names(db_image)?,
            utm_db: places(&fields[utm_db], utm_db)?,
            q_image: names(q_image)?,
            utm_q: places(&fields[utm_q], utm_q)?,
            num_db: number(num_db)?,
            num_q: number(num_q)?,
            pos_dist_thr: number(thr)?,
            pos_dist_sq_thr: number(sq_thr)?,
            non_triv_pos_dist_sq_thr: number(non_triv)?,
        };
        if out.db_image.len() != out.utm_db.len() || out.q_image.len() != out.utm_q.len() {
            return Err(format!(
                "it has {} database pictures at {} places and {} queries at {} places",
                out.db_image.len(),
                out.utm_db.len(),
                out.q_image.len(),
                out.utm_q.len()
            ));
        }
        Ok(out)
    }

    /// The original's name of the data set, which it takes from the file's: Pittsburgh 250k or 30k.
    pub fn dataset_of(file_name: &str) -> &'static str {
        if file_name.contains("250k") {
            "pitts250k"
        } else {
            "pitts30k"
        }
    }

    /// For each query the database pictures within [`DbStruct::pos_dist_thr`], in order.
    pub fn positives(&self) -> Vec<Vec<u32>> {
        let near = |a: &[f64; 2], b: &[f64; 2]| {
            let (east, north) = (a[0] - b[0], a[1] - b[1]);
            (east * east + north * north).sqrt() <= self.pos_dist_thr
        };
        let of_query = |query: &[f64; 2]| {
            let all = (0..).zip(&self.utm_db);
            all.filter(|(_, place)| near(query, place))
                .map(|(index, _)| index)
                .collect()
        };
        self.utm_q.iter().map(of_query).collect()
    }

    /// As a classic ground truth without junk.
    pub fn dataset(&self, name: &str) -> Dataset {
        let query = |name: &String| Query {
            name: name.clone(),
            bbox: None,
        };
        let lists = self
            .positives()
            .into_iter()
            .map(|ok| ClassicLists { ok, junk: Vec::new() });
        Dataset {
            name: name.to_owned(),
            images: self.db_image.clone(),
            queries: self.q_image.iter().map(query).collect(),
            truth: Truth::Classic(lists.collect()),
            ..Dataset::default()
        }
    }
}

/// A 2 × n matrix, by columns.
fn places(value: &Value, index: usize) -> Result<Vec<[f64; 2]>, String> {
    let tensor = value
        .as_tensor()
        .filter(|tensor| matches!(tensor.shape(), [2, _]));
    let tensor = tensor.ok_or_else(|| format!("field {index} is no 2 x n matrix of places"))?;
    let values = tensor.to_f64().map_err(|error| error.to_string())?;
    let (east, north) = values.split_at(values.len() / 2);
    Ok(east
        .iter()
        .zip(north)
        .map(|(east, north)| [*east, *north])
        .collect())
}
