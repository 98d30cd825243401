//! A dense float32 tensor, the plain type that goes into and comes out of a plan.

/// A dense float32 tensor, row-major (the last axis varies fastest).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each axis; a scalar has none.
    pub shape: Vec<usize>,
    /// The values; as many as the product of `shape`.
    pub data: Vec<f32>,
}

/// A shape and a number of values that do not belong together.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("A tensor of shape {shape:?} cannot hold {count} values.")]
pub struct ShapeError {
    shape: Vec<usize>,
    count: usize,
}

impl Tensor {
    /// A tensor of that shape over `data`.
    ///
    /// # Errors
    /// When the product of `shape` is not the number of values (or overflows).
    pub fn new(shape: &[usize], data: Vec<f32>) -> Result<Self, ShapeError> {
        let size = shape
            .iter()
            .try_fold(1_usize, |size, axis| size.checked_mul(*axis));
        if size != Some(data.len()) {
            return Err(ShapeError {
                shape: shape.to_vec(),
                count: data.len(),
            });
        }
        Ok(Self {
            shape: shape.to_vec(),
            data,
        })
    }

    /// Whether the number of values is what the shape says; the fields are public, so executors ask.
    pub fn is_consistent(&self) -> bool {
        let size = self
            .shape
            .iter()
            .try_fold(1_usize, |size, axis| size.checked_mul(*axis));
        size == Some(self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_values_must_agree() {
        assert!(Tensor::new(&[2, 3], vec![0.0; 6]).is_ok());
        assert!(Tensor::new(&[], vec![1.0]).is_ok());
        let error = Tensor::new(&[2, 3], vec![0.0; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "A tensor of shape [2, 3] cannot hold 5 values."
        );
        assert!(Tensor::new(&[usize::MAX, 2], vec![]).is_err());
    }
}
