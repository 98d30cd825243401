//! `sightline whiten`: learns a whitening from descriptors, or applies one to them.

use crate::args::{ApplyArgs, LearnArgs, Method, WhitenCommand};
use crate::output::{Outcome, print, print_json, usage};
use crate::progress::Screen;
use crate::whitening_choice;
use serde::Serialize;
use sightline::card::Identity;
use sightline::descriptor::{
    DescriptorSet, LearnedFrom, PairsIdentity, Samples, SetError, SetHeader, SetIdentity, SetWriter,
    WhiteningFile, WhiteningSettings, learn_cirtorch, learn_cirtorch_pca, learn_pca, learn_shrinkage,
};
use sightline::local::FeatureFile;
use sightline::search::Rows;
use sightline::{find_whitening, whitening_pairs};

pub(crate) fn run(command: &WhitenCommand, screen: &Screen) -> anyhow::Result<Outcome> {
    match command {
        WhitenCommand::Learn(args) => learn(args, screen),
        WhitenCommand::Apply(args) => apply(args, screen),
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    output: String,
    #[serde(flatten)]
    learned: &'a LearnedFrom,
}

fn learn(args: &LearnArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let takes_pairs = args.method == Method::Cirtorch;
    if args.pairs.is_some() != takes_pairs {
        return Err(usage(
            "--method cirtorch learns from --pairs FILE, and the other methods take no pairs",
        ));
    }
    if args.shrinkage.is_some() && args.method != Method::How {
        return Err(usage("--shrinkage belongs to --method how"));
    }
    if FeatureFile::is_one(&args.set) {
        if takes_pairs {
            return Err(usage(
                "--method cirtorch learns from pairs of pictures, and this is a file of local features: take another method",
            ));
        }
        let file = FeatureFile::open(&args.set)?;
        let identity = file.card().map(|card| card.identity.clone());
        return learn_from(args, file.rows(), identity, None, screen);
    }
    let set = DescriptorSet::open(&args.set)?;
    let pairs = args
        .pairs
        .as_deref()
        .map(|path| whitening_pairs(path, &set))
        .transpose()?;
    let identity = set.card().map(|card| card.identity.clone());
    learn_from(args, set.rows(), identity, pairs.as_deref(), screen)
}

/// Learns from rows that were made as `identity` says.
fn learn_from(
    args: &LearnArgs,
    rows: Rows<'_>,
    identity: Option<Identity>,
    pairs: Option<&[(usize, usize)]>,
    screen: &Screen,
) -> anyhow::Result<Outcome> {
    let samples = Samples::rows(rows);
    let (name, learned) = match args.method {
        Method::Pca => ("pca", learn_pca(&samples, args.dims)?),
        Method::CirtorchPca => ("cirtorch-pca", learn_cirtorch_pca(&samples, args.dims)?),
        Method::Cirtorch => (
            "cirtorch",
            learn_cirtorch(&samples, pairs.unwrap_or_default(), args.dims)?,
        ),
        Method::How => (
            "how",
            learn_shrinkage(&samples, args.shrinkage.unwrap_or(1.0), args.dims)?,
        ),
    };
    if learned.output_dim() > learned.rank {
        screen.warn(&format!(
            "the descriptors spread over {} axes only, and {} were kept: what other descriptors have along the rest is blown up; \
             --dims {} leaves it out",
            learned.rank,
            learned.output_dim(),
            learned.rank
        ));
    }
    if args.dims.is_none() && learned.output_dim() < learned.input_dim() {
        screen.warn(&format!(
            "{} descriptors of {} values spread over {} axes only, which were kept; with so few, the last axes tell each picture \
             from all others, so try --whitenv {} or a small --whitenp where the whitening is applied, or learn from more",
            samples.count(),
            learned.input_dim(),
            learned.rank,
            (learned.rank / 4).max(1)
        ));
    }
    let from = LearnedFrom {
        method: name.to_owned(),
        shrinkage: (args.method == Method::How).then(|| args.shrinkage.unwrap_or(1.0)),
        dims: learned.output_dim(),
        rank: learned.rank,
        set: SetIdentity::of_rows(rows, identity),
        pairs: pairs.map(PairsIdentity::of),
    };
    WhiteningFile::write(&args.output, &learned, &from)?;
    if args.json {
        print_json(&Summary {
            output: args.output.display().to_string(),
            learned: &from,
        })?;
    } else {
        print(&format!(
            "{name}: {} of {} axes from {} descriptors: {}",
            from.dims,
            from.set.dim,
            from.set.rows,
            args.output.display()
        ))?;
    }
    Ok(Outcome::Done)
}

fn apply(args: &ApplyArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    whitening_choice::check(args.whitenp, args.whitenv, args.whitenm)?;
    let how = whitening_choice::settings(
        args.whitenp,
        args.whitenv,
        args.whitenm,
        WhiteningSettings::default(),
    );
    let found = find_whitening(&[], &args.whitening, &how)?;
    let set = DescriptorSet::open(&args.set)?;
    let card = found.whitening.card_of(&set)?;
    if let Some(card) = set.card() {
        whitening_choice::remark(&found, &card.identity, screen);
    }
    let mut header = SetHeader::new(set.names(), found.whitening.output_dim(), set.row_type());
    header.card = card.as_ref();
    header.shard = set.shard();
    let bar = screen.bar(set.len() as u64, "descriptors");
    let mut writer = SetWriter::create(&args.output, &header)?;
    found
        .whitening
        .apply_to_set(&set, |row| -> Result<(), SetError> {
            bar.inc(1);
            writer.push(row)
        })?;
    writer.finish()?;
    bar.finish_and_clear();
    print(&format!(
        "{} descriptors of {} values: {}",
        set.len(),
        found.whitening.output_dim(),
        args.output.display()
    ))?;
    Ok(Outcome::Done)
}
