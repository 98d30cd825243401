//! What is ranked: given rankings, ASMK's, or descriptors of both sides.

use super::local::LocalCard;
use super::spatial::LocalSides;
use super::{described, distractors, local, rankings};
use crate::args::{EvalArgs, LocalMethod};
use crate::output::usage;
use crate::pictures;
use crate::progress::Screen;
use crate::rerank_choice::{compares, stored_graph};
use sightline::Aligned;
use sightline::card::Card;
use sightline::dataset::Dataset;
use sightline::descriptor::DescriptorSet;
use sightline::eval::{Protocol, RankedLists};
use sightline::extract::Skipped;
use sightline::rerank::{Chain, Compares};
use sightline::search::KnnGraph;
use std::collections::HashSet;

/// What is ranked, and what is known of it.
pub(super) struct Source {
    pub(super) ranked: Ranked,
    /// The card of the descriptors.
    pub(super) card: Option<Card>,
    /// What was made of local features, where these were compared.
    pub(super) local: Option<LocalCard>,
    /// Pictures without descriptor.
    pub(super) missing: Vec<Skipped>,
    /// How many images that answer no query were added.
    pub(super) distractors: usize,
    /// What `--rerank spatial` compares.
    pub(super) verified: Option<LocalSides>,
}

/// Where rankings come from.
pub(super) enum Ranked {
    /// Rankings that are there.
    Lists(RankedLists),
    /// A search.
    Descriptors(Box<Sides>),
}

/// Descriptors of both sides.
pub(super) struct Sides {
    pub(super) database: DescriptorSet,
    /// None where the database queries itself.
    pub(super) queries: Option<DescriptorSet>,
    pub(super) distractors: Vec<DescriptorSet>,
    /// The neighbours of the database's rows and the distractors', where they were stored.
    pub(super) graph: Option<KnnGraph>,
}

/// Reads or makes what is ranked; refuses what the stages of `chains` cannot be run on before anything is described.
pub(super) fn source(
    args: &EvalArgs,
    threads: usize,
    dataset: &Dataset,
    protocol: Option<Protocol>,
    chains: &[&Chain],
    screen: &Screen,
) -> anyhow::Result<Source> {
    let by_descriptors = chains.iter().any(|chain| compares(chain, Compares::Descriptors));
    let by_features = chains
        .iter()
        .any(|chain| compares(chain, Compares::LocalFeatures));
    if !by_features && args.rerank.rerank_features.is_some() {
        return Err(usage("--rerank-features belongs to --rerank spatial"));
    }
    let verified = |compared| match by_features {
        true => LocalSides::new(&args.rerank, compared, dataset).map(Some),
        false => Ok(None),
    };
    let compares_no_descriptors =
        args.ranks.is_some() || matches!(args.local.local, Some(LocalMethod::Asmk | LocalMethod::AsmkStar));
    if compares_no_descriptors && args.rerank.graph.is_some() {
        return Err(usage(
            "--graph holds the neighbours of descriptors, and none are compared here",
        ));
    }
    if let Some(path) = &args.ranks {
        if by_descriptors || args.model.whiten.is_some() {
            return Err(usage(
                "--ranks are rankings, and only descriptors can be whitened, expanded or compared again: give --features or --model",
            ));
        }
        return Ok(Source {
            ranked: Ranked::Lists(rankings::ranked_lists(path, dataset, protocol)?),
            card: None,
            local: None,
            missing: Vec::new(),
            distractors: 0,
            verified: verified(None)?,
        });
    }
    if matches!(args.local.local, Some(LocalMethod::Asmk | LocalMethod::AsmkStar)) {
        if by_descriptors {
            return Err(usage(
                "ASMK's answers are ranked by what their local features share, and only descriptors can be expanded by their neighbours or \
                 compared again",
            ));
        }
        let ranked = local::ranked(args, threads, dataset, screen)?;
        return Ok(Source {
            verified: verified(Some(ranked.sides))?,
            ranked: Ranked::Lists(ranked.lists),
            card: ranked.card,
            local: Some(ranked.made),
            missing: ranked.missing,
            distractors: ranked.distractors,
        });
    }
    // Before anything is described: a wrong file is found at once.
    let distractors = distractors::open(&args.distractors)?;
    if args.local.local.is_none() && by_features && args.rerank.rerank_features.is_none() {
        // Says what to name.
        verified(None)?;
    }
    let (described, compared) = match args.local.local {
        Some(_) => {
            let (described, sides) = local::vlads(args, threads, dataset, screen)?;
            (described, Some(sides))
        }
        None => (described::described(args, threads, dataset, screen)?, None),
    };
    distractors::check(&described.database, &distractors, screen)?;
    let mut missing = described.missing;
    let mut listed: HashSet<String> = missing.iter().map(|one| one.name.clone()).collect();
    let images: Vec<&str> = dataset.images.iter().map(String::as_str).collect();
    let aligned = Aligned::new(&described.database, &images)?;
    let graph = match &args.rerank.graph {
        None => None,
        Some(path) if !aligned.in_place() => {
            return Err(usage(format!(
                "--graph {} numbers the rows of {}, which are others than the data set's images or in another order: extract them with \
                 `sightline extract DATASET --side database`",
                path.display(),
                described.database.source().display()
            )));
        }
        Some(path) => Some(stored_graph(path, &described.database, &distractors)?),
    };
    for index in aligned.missing() {
        let name = &dataset.images[index];
        if listed.insert(name.clone()) {
            missing.push(pictures::skipped(name, "The set has no row of that name."));
        }
    }
    Ok(Source {
        card: described.database.card().cloned(),
        local: None,
        missing,
        distractors: distractors.iter().map(DescriptorSet::len).sum(),
        verified: verified(compared)?,
        ranked: Ranked::Descriptors(Box::new(Sides {
            database: described.database,
            queries: described.queries,
            distractors,
            graph,
        })),
    })
}
