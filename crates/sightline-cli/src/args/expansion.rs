//! How descriptors are expanded by their neighbours before they are compared.

use clap::Args;
use std::path::PathBuf;

/// How descriptors are expanded by their neighbours before they are compared.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Expansion")]
pub(crate) struct ExpansionArgs {
    /// Re-ranking: aqe:k=K,alpha=A adds to every query its K nearest images, weighted by similarity^A, and searches again.
    /// `eval` also takes spatial:top=100,model=homography (keys: like=delg|delf, top, model, threshold in pixels, ratio, rule=top|all), which puts the first answers in
    /// the order of how many local features agree with the query's
    #[arg(long, value_name = "METHOD:KEY=VALUE,...")]
    pub(crate) rerank: Option<String>,

    /// For --rerank spatial: the database's local features (default: those that --local compares)
    #[arg(long, value_name = "FILE", requires = "rerank")]
    pub(crate) rerank_features: Option<PathBuf>,

    /// For --rerank spatial: the queries' local features
    #[arg(long, value_name = "FILE", requires = "rerank_features")]
    pub(crate) rerank_query_features: Option<PathBuf>,

    /// Database augmentation: every image is added its K nearest others likewise, before anything else
    #[arg(long, value_name = "k=K,alpha=A")]
    pub(crate) dba: Option<String>,

    /// dirtorch's spelling of --rerank aqe:k=K,alpha=ALPHA
    #[arg(long, num_args = 2, value_names = ["K", "ALPHA"], conflicts_with = "rerank")]
    pub(crate) aqe: Vec<u32>,

    /// dirtorch's spelling of --dba k=K,alpha=ALPHA
    #[arg(long, num_args = 2, value_names = ["K", "ALPHA"], conflicts_with = "dba")]
    pub(crate) adba: Vec<u32>,
}
