//! What the report page of `sightline eval --report` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Elements that have no end tag.
const VOID: [&str; 4] = ["meta", "img", "br", "link"];

/// Asserts that the page is whole: balanced tags, every id once, every link within the page has a target, headings that skip
/// no level, pictures with texts, and nothing from elsewhere.
fn sound(page: &str) {
    let (mut open, mut ids, mut links, mut level) = (Vec::new(), HashSet::new(), Vec::new(), 0);
    let body = page.strip_prefix("<!doctype html>").unwrap();
    let mut rest = body;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "</{name}>");
            continue;
        }
        let name = tag.split([' ', '\n', '/']).next().unwrap().to_owned();
        let attribute = |key: &str| {
            let from = tag.find(&format!(" {key}=\""))? + key.len() + 3;
            Some(tag[from..].split('"').next().unwrap().to_owned())
        };
        if let Some(id) = attribute("id") {
            assert!(ids.insert(id.clone()), "the id {id} is there twice");
        }
        for key in ["aria-labelledby", "href"] {
            let targets = attribute(key).unwrap_or_default();
            links.extend(
                targets
                    .split(' ')
                    .filter(|one| !one.is_empty())
                    .map(|one| one.trim_start_matches('#').to_owned()),
            );
        }
        if name == "img" {
            assert!(attribute("alt").is_some_and(|text| !text.is_empty()));
            assert!(attribute("src").unwrap().starts_with("data:image/jpeg;base64,"));
        }
        if name == "th" {
            assert!(attribute("scope").is_some());
        }
        if let Some(number) = name
            .strip_prefix('h')
            .and_then(|number| number.parse::<u32>().ok())
        {
            assert!(number <= level + 1, "a heading {number} after {level}");
            level = number;
        }
        assert!(name != "script");
        if name == "style" {
            // Text up to its end.
            rest = &rest[rest.find("</style>").unwrap()..];
        }
        if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    for link in links {
        assert!(ids.contains(&link), "#{link} leads nowhere");
    }
    for outside in ["http:", "https:", "@import", "url("] {
        assert!(!page.contains(outside), "the page reaches out: {outside}");
    }
    for landmark in ["<html lang=\"en\">", "<header>", "<nav ", "<main "] {
        assert!(page.contains(landmark), "the page lacks {landmark}");
    }
}

/// Six scenes, each query with a box that is a part of it; both sides as sets.
fn drawn() -> Place {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    let mut truth = place.json("gnd.json");
    for query in truth["gnd"].as_array_mut().unwrap() {
        query["bbx"] = json!([10.0, 8.0, 70.0, 60.0]);
    }
    place.write("gnd.json", truth.to_string());
    place.extract_sides("safetensors", "");
    place
}

const SETS: &str = "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors";

#[test]
fn the_page_shows_all_that_was_found() {
    let place = drawn();
    place
        .run(&format!("{SETS} --images pictures --report page.html"))
        .ends(0);
    let page = place.text("page.html");
    sound(&page);
    for text in [
        "query (the part in the box)",
        "✓",
        "✗",
        "Precision-recall curve",
        "Setup hard",
        "interval over queries",
        "medium setup",
        "&quot;architecture&quot;: &quot;resnet18:layer1/gem&quot;",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    assert_eq!(page.matches("<article ").count(), 6);
    assert_eq!(page.matches("<img ").count(), 6 * 11);
}

#[test]
fn without_pictures_there_are_names() {
    let place = drawn();
    place
        .run(&format!("{SETS} --report page.html"))
        .ends(0)
        .complains("--images");
    let page = place.text("page.html");
    sound(&page);
    assert!(!page.contains("<img ") && page.contains("scene03_query") && page.contains("Card"));
}

#[test]
fn a_page_shows_the_worst_and_the_best_of_many_queries() {
    let place = drawn();
    place
        .run(&format!(
            "{SETS} --images pictures --report page.html --report-queries 3"
        ))
        .ends(0);
    let page = place.text("page.html");
    sound(&page);
    assert_eq!(page.matches("<article ").count(), 3);
    assert!(page.contains("The 2 worst and the 1 best of 6 queries"));
    assert_eq!(
        page.matches("<th scope=\"row\">scene").count() + page.matches("<th scope=\"row\"><a ").count(),
        6
    );
    place
        .run(&format!("{SETS} --report-queries 3"))
        .ends(2)
        .complains("--report");
}

#[test]
fn distractors_missing_pictures_and_given_rankings_are_shown() {
    let place = drawn();
    std::fs::remove_file(place.path("pictures/scene01_easy1.jpg")).unwrap();
    place.run_seeded("extract pictures -o more.safetensors").ends(0);
    place
        .run_seeded(
            "eval --dataset gnd.json --images pictures --distractors more.safetensors --report page.html",
        )
        .ends(1);
    let page = place.text("page.html");
    sound(&page);
    for text in [
        "<span>distractor</span>",
        "Missing pictures",
        "<b>scene01_easy1</b>",
        "and 35 distractors",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    place.write("ranks.txt", "0 1 2 31\n".repeat(6));
    place
        .run("eval --dataset gnd.json --ranks ranks.txt --images pictures --report page.html")
        .ends(0);
    let page = place.text("page.html");
    sound(&page);
    assert!(page.contains("image 31") && !page.contains("<i>"));
}

#[test]
fn pictures_of_classes_have_a_page_too() {
    let place = Place::new();
    place.draw_scenes("drawn", 3);
    for entry in std::fs::read_dir(place.path("drawn")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        place.write(
            &format!("classes/{}/<&>{name}", &name[..7]),
            place.read(&format!("drawn/{name}")),
        );
    }
    place
        .run_seeded("eval --dataset classes --report page.html")
        .ends(0);
    let page = place.text("page.html");
    sound(&page);
    assert!(page.contains("&lt;&amp;&gt;scene") && page.contains("First right answer"));
    assert!(page.contains("Answers of the query&#39;s class are right.") && page.contains("<img "));
}

#[test]
fn the_page_of_a_comparison_shows_what_each_method_won_and_lost() {
    let place = drawn();
    place
        .run(&format!(
            "{SETS} --compare none aqe:k=4,alpha=2 aqe:k=9,alpha=0 --images pictures --report page.html"
        ))
        .ends(0);
    let page = place.text("page.html");
    sound(&page);
    for text in [
        "methods beside each other",
        "<h2 id=\"methods-heading\">Methods</h2>",
        "mAP-medium over 6 queries",
        "aqe:k=9,alpha=0 beside none",
        "what the others are compared with",
        "<svg class=\"interval",
    ] {
        assert!(page.contains(text), "the page lacks {text}");
    }
    assert!(page.matches("<article ").count() > 0);
}

#[test]
fn before_and_after_are_shown_for_the_queries_that_changed_most() {
    let place = drawn();
    let evaluated = |more: &str| place.run(&format!("{SETS} {more} --json -")).ends(0).json();
    let aps = |evaluation: &Value| -> Vec<f64> {
        let queries = evaluation["queries"].as_array().unwrap();
        queries
            .iter()
            .map(|query| query["ap"].as_f64().unwrap())
            .collect()
    };
    let (before, after) = (
        aps(&evaluated("")),
        aps(&evaluated(
            "--rerank aqe:k=9,alpha=0 --images pictures --report page.html",
        )),
    );
    let changed = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| (*before - *after).abs() > 1e-9);
    let changed = changed.count();
    assert!(changed > 0);
    let page = place.text("page.html");
    sound(&page);
    assert_eq!(page.matches("<article ").count(), 6);
    assert!(page.contains("Re-ranking changed mAP from") && page.contains("Lost by re-ranking"));
    // Every query that changed has both rankings, one above the other, with what each stage made of an answer.
    assert!(page.matches(">before</h4>").count() >= 1);
    assert_eq!(
        page.matches(">before</h4>").count(),
        page.matches(">after</h4>").count()
    );
    assert!(
        page.contains(">search 0.")
            && page.contains(">aqe 0.")
            && page.contains("<th scope=\"col\">Change</th>")
    );
    let strips = |output: &str, more: &str| {
        let show = SETS.replace("eval", "show ranking");
        place
            .run(&format!(
                "{show} --images pictures --answers 4 -o {output} {more}"
            ))
            .ends(0);
    };
    strips("strips.html", "--rerank aqe:k=9,alpha=0");
    assert!(place.text("strips.html").contains("before "));
    strips("plain.png", "--query scene02_query");
    strips("both.png", "--rerank aqe:k=9,alpha=0 --query scene02_query");
    let height = |name: &str| u32::from_be_bytes(place.read(name)[20..24].try_into().unwrap());
    assert!(height("both.png") >= height("plain.png"));
}
