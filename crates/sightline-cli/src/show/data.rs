//! `sightline show data`: a data set's queries, and what its ground truth lists for each.

use super::Form;
use crate::args::ShowDataArgs;
use crate::output::{Outcome, write_whole};
use crate::pictures;
use crate::progress::Screen;
use crate::thumbnails::Thumbnails;
use sightline::report::{self, Found, Group, RankedAnswers, Report};
use sightline::show::{Mark, Strips};

pub(crate) fn run(args: &ShowDataArgs, screen: &Screen) -> anyhow::Result<Outcome> {
    let form = Form::of(&args.output)?;
    let dataset = pictures::open(&args.dataset, args.data_root.as_deref(), args.images.as_deref())?;
    dataset.validate()?;
    let (all, shown) = (dataset.query_count(), usize::from(args.queries));
    let queries = (0..all.min(shown)).map(|place| place * all / all.min(shown).max(1));
    let listed: Vec<(usize, Vec<Found>)> = queries
        .map(|query| {
            let found = report::listed(&dataset, query, args.answers.into());
            (query, found)
        })
        .collect();
    let pictures = Thumbnails::of(&dataset, args.images.as_deref(), args.max_pixels);
    let ranked = RankedAnswers {
        label: "",
        evaluation: None,
        answers: &listed,
    };
    let queries = report::sections(&dataset, &[ranked], &|name, bbox| pictures.thumbnail(name, bbox));
    pictures.tell(screen);
    let bytes = match form {
        Form::Html => Report {
            title: dataset.name.clone(),
            notes: vec![format!("{all} queries, {} images.", dataset.images.len())],
            groups: vec![Group::answers(report::rule(&dataset).to_owned(), queries)],
            ..Report::default()
        }
        .to_html()
        .into_bytes(),
        Form::Png => Strips {
            queries,
            mark: Mark::Frame,
        }
        .to_png()?,
    };
    write_whole(&args.output, &bytes)?;
    Ok(Outcome::Done)
}
