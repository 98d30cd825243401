//! Which sizes of pictures a network takes, whatever runs it.

use crate::Architecture;
use sightline_plan::{Executor, RunError, Runtime, Tensor as PlainTensor, check_batch};

impl Architecture {
    /// Checks that `input` is a batch of pictures `[N, 3, H, W]` that the network can describe; yields its four axes. Runtimes
    /// do not all notice: a window that is larger than its map gives values of nothing.
    ///
    /// # Errors
    /// When it is no such batch, the pictures are smaller than [`Architecture::shortest_side`], or the network takes pictures of
    /// another size only.
    pub fn check_pictures(&self, input: &PlainTensor) -> Result<[usize; 4], RunError> {
        let shape @ [_, _, height, width] = check_batch(input, Some(3))?;
        let refused = |reason: String| RunError::Input {
            shape: shape.to_vec(),
            reason,
        };
        let shortest = self.shortest_side();
        if height.min(width) < shortest {
            return Err(refused(format!(
                "{self} needs pictures of at least {shortest} x {shortest} pixels at every scale"
            )));
        }
        match self.head().picture_size() {
            Some([h, w]) if [h, w] != [height, width] => {
                Err(refused(format!("{self} takes pictures of {w} x {h} pixels only")))
            }
            _ => Ok(shape),
        }
    }
}

/// Runs a network by another executor, after [`Architecture::check_pictures`].
pub struct CheckedExecutor {
    executor: Box<dyn Executor>,
    architecture: Architecture,
}

impl CheckedExecutor {
    /// `executor` runs a network of that architecture, or a part of it.
    pub fn new(executor: Box<dyn Executor>, architecture: &Architecture) -> Self {
        let architecture = architecture.clone();
        Self {
            executor,
            architecture,
        }
    }
}

impl Executor for CheckedExecutor {
    fn run(&mut self, input: &PlainTensor) -> Result<Vec<(String, PlainTensor)>, RunError> {
        self.architecture.check_pictures(input)?;
        self.executor.run(input)
    }

    fn describe(&self) -> Runtime {
        self.executor.describe()
    }
}
