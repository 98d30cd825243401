//! How rankings are put in a better order.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How rankings are put in a better order.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Re-ranking")]
pub(crate) struct RerankArgs {
    /// Put the first answers in a better order; given several times, each goes on with what the one before left. Methods and their keys: aqe:k,alpha · dba:k,alpha,top ·
    /// k-reciprocal:k1,k2,lambda,top,form · diffusion:form,n_trunc,kd,kq,gamma,alpha,top · superglobal:m,k,beta · csa:weights,k,l,heads ·
    /// spatial:like,top,model,threshold,ratio,rule · mix:scores,ratio,topk · fusion:features,query-features,distractors,weights,form,k,normalise,top (docs/rerank.md)
    #[arg(long, value_name = "METHOD:KEY=VALUE,...")]
    pub(crate) rerank: Vec<String>,

    /// How many first answers of each query re-ranking may look at (default: as many as the methods want)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) shortlist: Option<u32>,

    /// The database's nearest neighbours as `graph create` stored them, for diffusion and k-reciprocal
    #[arg(long, value_name = "GRAPH")]
    pub(crate) graph: Option<PathBuf>,

    /// For --rerank spatial: the database's local features (`eval`'s default: those that --local compares)
    #[arg(long, value_name = "FILE")]
    pub(crate) rerank_features: Option<PathBuf>,

    /// For --rerank spatial: the queries' local features
    #[arg(long, value_name = "FILE", requires = "rerank_features")]
    pub(crate) rerank_query_features: Option<PathBuf>,

    /// Database augmentation before anything else: --rerank dba:k=K,alpha=A
    #[arg(long, value_name = "k=K,alpha=A")]
    pub(crate) dba: Option<String>,

    /// dirtorch's spelling of --rerank aqe:k=K,alpha=ALPHA
    #[arg(long, num_args = 2, value_names = ["K", "ALPHA"], conflicts_with = "rerank")]
    pub(crate) aqe: Vec<u32>,

    /// dirtorch's spelling of --dba k=K,alpha=ALPHA
    #[arg(long, num_args = 2, value_names = ["K", "ALPHA"], conflicts_with = "dba")]
    pub(crate) adba: Vec<u32>,
}

/// When junk leaves the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum JunkChoice {
    /// After re-ranking, by the protocol, as in a search where nobody knows what is junk
    #[default]
    After,
    /// Before re-ranking: the ground truth decides what is re-ranked, as some published evaluations do
    Before,
}

impl JunkChoice {
    /// As typed, and as the card says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::After => "after",
            Self::Before => "before",
        }
    }
}
