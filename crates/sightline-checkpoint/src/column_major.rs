//! From the order of Fortran and Matlab to that of C: texts, cells and structures have no strides to say it with.

/// For each element of `shape` in row-major order its position in column-major order.
///
/// The caller has checked that the product of `shape` is the number of elements it holds.
pub(crate) fn positions(shape: &[usize]) -> Vec<usize> {
    let count: usize = shape.iter().product();
    let mut steps = Vec::with_capacity(shape.len());
    let mut step = 1;
    for length in shape {
        steps.push(step);
        step *= length;
    }
    let mut index = vec![0; shape.len()];
    let mut position = 0;
    let mut positions = Vec::with_capacity(count);
    for _ in 0..count {
        positions.push(position);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            position += steps[axis];
            if index[axis] < shape[axis] {
                break;
            }
            position -= steps[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    positions
}

/// `items`, held in column-major order, in row-major order.
pub(crate) fn to_row_major<T: Clone>(shape: &[usize], items: Vec<T>) -> Vec<T> {
    // A row, a column and a single element are the same in both.
    if shape.iter().filter(|length| **length > 1).count() < 2 {
        return items;
    }
    positions(shape)
        .into_iter()
        .map(|position| items[position].clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_of_columns() {
        assert_eq!(to_row_major(&[2, 3], vec![0, 2, 4, 1, 3, 5]), [0, 4, 3, 2, 1, 5]);
        assert_eq!(positions(&[2, 2, 2]), [0, 4, 2, 6, 1, 5, 3, 7]);
        assert_eq!(to_row_major(&[1, 3], vec![1, 2, 3]), [1, 2, 3]);
        assert!(positions(&[0, 3]).is_empty());
        assert_eq!(positions(&[]), [0]);
    }
}
