//! Which rows of a batch are local features, where pictures have different numbers of them.

/// Which of the rows that stand in a batch `[N, D, P, 1]` are local features and which only fill it up; M is a tensor,
/// or a value of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Counted<M> {
    /// `[N, 1, P, 1]`: 1 for a feature, 0 for filling.
    pub(crate) rows: M,
    /// The same as `[N, 1, 1, P]`.
    pub(crate) places: M,
    /// What is added to the logits of a softmax over the rows, `[N, 1, 1, P]`: 0 for a feature, very low for filling.
    pub(crate) hidden: M,
}
