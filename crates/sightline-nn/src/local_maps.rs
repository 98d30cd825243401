//! Maps of local features, which some heads yield besides a global descriptor.

/// A feature and its strength at every place of a map; M is a tensor, or a value of a plan.
#[derive(Clone, Debug)]
pub struct LocalMaps<M> {
    /// Features `[N, D, h, w]`, not normalised.
    pub features: M,
    /// Their strengths `[N, 1, h, w]`, as the network yields them at this scale.
    pub strengths: M,
}
