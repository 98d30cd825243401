//! Running plans over tokens (transformers without convolutions) on the CPU with kernels of our own.
//!
//! Values are kept in panels of tokens (see `kernels`), weights are packed once, and what follows a matrix product is done while
//! its result is near: bias, GELU, the sum with the residual. Attention goes panel by panel, so that its maps, as large as the square of
//! the number of tokens, are never in memory as a whole.

mod attention;
mod elementwise;
mod executor;
mod program;

pub use executor::TransformerExecutor;
