//! CUB-200-2011's lists as leftthomas/CGD reads them. Source: its `data_utils.py`, `process_cub_data`.

use crate::class_lists::{ClassLists, file_name};
use crate::text_lines::stripped;
use std::collections::HashMap;

/// Pictures below this class train, the others test.
const FIRST_TEST_CLASS: u64 = 101;

/// The split by classes, and the box of every picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cub {
    /// Classes 1 to 100; file names without folder.
    pub train: ClassLists,
    /// Classes from 101.
    pub test: ClassLists,
    /// For each picture, in the order of `images.txt`: left, top, right, bottom in pixels. Each of the four numbers
    /// of the file is truncated before width and height are added.
    pub crops: Vec<[i64; 4]>,
}

/// Reads `images.txt` (id and path by blanks), `image_class_labels.txt` (id and class) and `bounding_boxes.txt` (id, x, y,
/// width, height).
///
/// # Errors
/// Names the line that has other columns, or the picture that lacks a class or box.
pub fn read(images: &str, labels: &str, boxes: &str) -> Result<Cub, String> {
    let (_, labels) = table::<1>(labels, "image_class_labels.txt")?;
    let (_, boxes) = table::<4>(boxes, "bounding_boxes.txt")?;
    let (order, images) = table::<1>(images, "images.txt")?;
    let mut cub = Cub::default();
    for id in order {
        let [path] = images[id];
        let [label] = labels
            .get(id)
            .ok_or_else(|| format!("picture {id} has no class"))?;
        let class: u64 = label
            .parse()
            .map_err(|_| format!("the class \"{label}\" of picture {id} is no number"))?;
        let part = if class < FIRST_TEST_CLASS {
            &mut cub.train
        } else {
            &mut cub.test
        };
        part.push(label, file_name(path).to_owned());
        let sides = boxes.get(id).ok_or_else(|| format!("picture {id} has no box"))?;
        let mut numbers = [0; 4];
        for (number, side) in numbers.iter_mut().zip(sides) {
            let value: f64 = side
                .parse()
                .map_err(|_| format!("the box of picture {id} holds \"{side}\""))?;
            if value.is_nan() || value.abs() > 1e9 {
                return Err(format!("the box of picture {id} holds \"{side}\""));
            }
            *number = value as i64;
        }
        let [x, y, width, height] = numbers;
        cub.crops.push([x, y, x + width, y + height]);
    }
    Ok(cub)
}

/// Ids in order of first appearance, and the last line of each.
type Table<'a, const N: usize> = (Vec<&'a str>, HashMap<&'a str, [&'a str; N]>);

fn table<'a, const N: usize>(text: &'a str, file: &str) -> Result<Table<'a, N>, String> {
    let (mut order, mut rows) = (Vec::new(), HashMap::new());
    for (index, line) in stripped(text).into_iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split_whitespace().collect();
        let row = columns
            .split_first()
            .and_then(|(id, rest)| Some((*id, <[&str; N]>::try_from(rest).ok()?)));
        let (id, row) =
            row.ok_or_else(|| format!("line {} of {file} has not {} columns", index + 1, N + 1))?;
        if rows.insert(id, row).is_none() {
            order.push(id);
        }
    }
    Ok((order, rows))
}
