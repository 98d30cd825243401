//! Exact top-k search over many vectors.
