//! Evaluation protocols and metrics.
