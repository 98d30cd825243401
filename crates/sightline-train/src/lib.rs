//! Training.
//!
//! For: the training of the re-ranking network CSA, step by step: its lists, its loss, its optimiser and schedule. Not for: networks
//! themselves (`sightline-nn`).
