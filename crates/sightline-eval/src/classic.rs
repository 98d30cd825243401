//! The classic protocol of Oxford5k and Paris6k: positives are good and ok, junk is stepped over.
//!
//! Source: Philbin et al., CVPR 2007 and the benchmark's `compute_ap`; `cirtorch/utils/evaluate.py`. The measures are
//! those of [`crate::revisited`] with one setup. The query image is not treated specially: where the published lists
//! name it as good it counts as a positive.

use crate::positions::Positions;

/// Positions of one query's positives, `good` and `ok` together, in its ranked list.
///
/// ```
/// use sightline_eval::{classic, revisited};
/// let found = classic::positions(&[3, 0, 1, 2], &[3], &[1], &[0]);
/// assert_eq!(revisited::measure(&found, &[], revisited::Undefined::Nan).ap, 1.0);
/// ```
pub fn positions(list: &[u32], good: &[u32], ok: &[u32], junk: &[u32]) -> Positions {
    let positives: Vec<u32> = good.iter().chain(ok).copied().collect();
    Positions::in_list(list, &positives, junk)
}
