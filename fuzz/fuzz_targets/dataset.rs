//! Lists, labels, expressions and parameter files: everything that is text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sightline_dataset::expression::Expression;
use sightline_dataset::{cub, dirtorch_lists, gldv2, in_shop, revisitop1m, sop, yaml11};

fuzz_target!(|text: &str| {
    let _ = dirtorch_lists::image_list(text);
    let _ = dirtorch_lists::labelled_text(text);
    let _ = dirtorch_lists::labelled_json(text);
    let _ = dirtorch_lists::clusters(text);
    let _ = dirtorch_lists::null_cluster(text);
    let _ = gldv2::clean_train(text);
    let _ = gldv2::train(text);
    let _ = cub::read(text, text, text);
    let _ = sop::read(text);
    let _ = in_shop::read(text);
    let _ = revisitop1m::read(text);
    let _ = yaml11::parse(text);
    let _ = Expression::parse(text, Some("root"));
    let names = ["a".to_owned(), "b".to_owned()];
    let _ = sightline_eval::RankedLists::from_text(text, &names, false);
});
