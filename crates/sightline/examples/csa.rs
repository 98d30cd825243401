//! Re-ranking with CSA: the first answers of each query before and after.
//!
//! ```sh
//! cargo run --release --example csa -- database.safetensors queries.safetensors checkpoint-epoch100.pth
//! ```

#![allow(clippy::print_stdout)]

use sightline::csa;
use sightline::descriptor::DescriptorSet;
use sightline::rerank::{Chain, CsaSettings, Rankings};
use sightline::search::Hit;

/// How many answers are printed.
const SHOWN: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, queries, weights, k @ ..] = &arguments[..] else {
        return Err("This takes DATABASE QUERIES WEIGHTS, and perhaps how many answers are re-ranked".into());
    };
    let (database, queries) = (DescriptorSet::open(database)?, DescriptorSet::open(queries)?);
    let mut settings = CsaSettings::new(weights);
    if let Some(k) = k.first() {
        settings.k = k.parse()?;
    }
    let stage = csa(&settings, "cpu", std::thread::available_parallelism()?.get())?;

    let mut chain = Chain::default();
    chain.stages.push(Box::new(stage));
    let reach = chain.reach(database.len(), queries.len());
    let found = Rankings::search(queries.rows(), database.rows(), Vec::new(), reach, Vec::new())?;
    let reranked = chain.run(found, &|_, _, _| {})?;

    let names = |list: &[Hit]| -> Vec<String> {
        let first = list.iter().take(SHOWN);
        first.map(|hit| database.names()[hit.index].to_string()).collect()
    };
    for (query, name) in queries.names().iter().enumerate() {
        println!("{name}");
        for stage in &reranked.trace {
            println!("  {:7} {}", stage.method, names(&stage.lists[query]).join("  "));
        }
    }
    Ok(())
}
