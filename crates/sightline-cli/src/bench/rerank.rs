//! `sightline bench rerank`: re-ranking among descriptors that are drawn.

use super::{lines, megabytes};
use crate::args::BenchRerankArgs;
use crate::output::{print, print_json};
use crate::progress::Screen;
use crate::rerank_choice;
use sightline::StageOptions;
use sightline::bench::{Clusters, RerankSize, Step, time_rerank};

pub(super) fn run(args: &BenchRerankArgs, threads: usize, screen: &Screen) -> anyhow::Result<()> {
    let options = StageOptions {
        device: "cpu".to_owned(),
        threads,
        images: Vec::new(),
        queries: Vec::new(),
    };
    let mut chain = rerank_choice::chain("--method", &args.method, &options)?;
    let data = Clusters {
        dim: args.dim as usize,
        centres: args
            .centres
            .map_or(args.images as usize / 10, |centres| centres as usize),
    };
    let size = RerankSize {
        images: args.images as usize,
        queries: args.queries as usize,
        graph: args.graph as usize,
    };
    let bar = screen.bar(size.queries as u64, "queries");
    let result = time_rerank(&mut chain, data, size, &|_, done, all| {
        bar.set_length(all);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let result = result?;
    if args.json {
        return print_json(&result);
    }
    let row = |what: &str, step: &Step| {
        let cpu = step
            .cpu_s
            .map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.2}"));
        vec![what.to_owned(), format!("{:.2}", step.s), cpu]
    };
    let mut table = vec![["", "s", "CPU s"].map(str::to_owned).to_vec()];
    table.extend(
        result
            .graph
            .as_ref()
            .map(|step| row("the graph beforehand", step)),
    );
    table.push(row("the search", &result.search));
    table.push(row(&result.stages.join(", "), &result.rerank));
    print(&format!(
        "{} queries x {} descriptors x {} values around {} centres, {threads} threads\n{}memory: {} MB\n\
         of the query's centre among the first 10 answers: {:.3} before, {:.3} after",
        result.queries,
        result.images,
        result.dim,
        result.centres,
        lines(&table),
        megabytes(result.memory),
        result.right[0],
        result.right[1],
    ))
}
