//! Reads other people's files: torch, pickle, Matlab 5, npy, npz, safetensors; never runs code from a file.

pub mod formula;
