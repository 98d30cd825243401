//! What `sightline graph` promises.
#![allow(clippy::unwrap_used, clippy::panic)]

mod promise;

use promise::Place;
use sightline::descriptor::{DescriptorSet, GraphFile};
use sightline::search::{Rows, top_k};
use std::process::Stdio;
use std::time::Duration;

/// Sets of noise, `NAME.safetensors`.
fn noise(sets: &[(&str, usize, usize)]) -> Place {
    let place = Place::new();
    for (seed, (name, rows, dim)) in sets.iter().enumerate() {
        place
            .run(&format!(
                "bench search --rows {rows} --dim {dim} --queries 1 --rounds 1 --wanted 1 -k 1 --seed {} --keep {name}.safetensors",
                seed + 1
            ))
            .ends(0);
    }
    place
}

#[test]
fn a_graph_holds_what_searches_find_and_says_what_it_was_made_of() {
    let place = noise(&[("db", 150, 12), ("more", 40, 12), ("other", 40, 13)]);
    let line = "graph create db.safetensors -o g.safetensors --distractors more.safetensors -k 9";
    place
        .run(&format!("{line} --threads 1"))
        .ends(0)
        .prints("9 neighbours of each of 190 pictures: g.safetensors");
    let bytes = place.read("g.safetensors");
    let said = place.run(&format!("{line} --threads 3 --json")).ends(0).json();
    assert!(place.read("g.safetensors") == bytes);
    assert_eq!(
        (&said["rows"], &said["k"], &said["resumed"]),
        (&190.into(), &9.into(), &0.into())
    );
    assert!(!place.path("g.safetensors.state").exists());

    let open = |name: &str| DescriptorSet::open(place.path(name)).unwrap();
    let (db, more) = (open("db.safetensors"), open("more.safetensors"));
    let all = [db.to_f32(), more.to_f32()].concat();
    let lists = top_k(Rows::f32(&all, 12), Rows::f32(&all, 12), 9, None).unwrap();
    let file = GraphFile::open(place.path("g.safetensors")).unwrap();
    for (row, list) in lists.into_iter().enumerate() {
        assert_eq!(file.graph.list(row).collect::<Vec<_>>(), list);
    }

    place
        .run("graph info g.safetensors")
        .ends(0)
        .prints("9 neighbours of each of 190 pictures")
        .prints("made of: 150 rows of 12 values (float32), without a card");
    let info = place.run("graph info g.safetensors --json").ends(0).json();
    assert_eq!(info["made_of"], said["made_of"]);

    place
        .run("graph create db.safetensors -o x.safetensors --distractors other.safetensors")
        .ends(3);
    place
        .run("graph create db.safetensors -o db.safetensors")
        .ends(2)
        .complains("db.safetensors");
    place
        .run("graph info db.safetensors")
        .ends(3)
        .complains("cannot be used as a graph of neighbours: it is a file of something else");
}

#[test]
fn killed_and_run_again_the_graph_is_the_same() {
    let place = noise(&[("db", 20_000, 32)]);
    let line = "graph create db.safetensors -o g.safetensors -k 5 --threads 1 --save-every 0";
    place.run(line).ends(0);
    let whole = place.read("g.safetensors");
    std::fs::remove_file(place.path("g.safetensors")).unwrap();

    let mut child = place
        .std_command()
        .args(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("g.safetensors.state").exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before it was killed"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("g.safetensors").exists());
    let state = place.read("g.safetensors.state");

    let said = place.run(&format!("{line} --json")).ends(0);
    assert!(said.json()["resumed"].as_u64().unwrap() > 0, "{}", said.out);
    assert!(place.read("g.safetensors") == whole);
    assert!(!place.path("g.safetensors.state").exists());

    // A state of another graph is no state of this one.
    place.write("g.safetensors.state", &state);
    place
        .run("graph create db.safetensors -o g.safetensors -k 6")
        .ends(0)
        .complains("the graph is begun anew")
        .complains("the number of neighbours was 5, and is 6 here");
    assert_eq!(GraphFile::open(place.path("g.safetensors")).unwrap().graph.k, 6);
}

#[test]
fn a_stored_graph_gives_the_same_answers_and_a_foreign_one_is_refused() {
    let place = Place::new();
    place.draw_scenes("pictures", 6);
    place.extract_sides("safetensors", "");
    for (set, graph) in [("db", "g"), ("q", "foreign")] {
        place
            .run(&format!(
                "graph create {set}.safetensors -o {graph}.safetensors -k 16"
            ))
            .ends(0);
    }
    for method in [
        "k-reciprocal:k1=5,k2=3",
        "diffusion:n_trunc=12,kd=5",
        "diffusion:kd=5,form=online",
    ] {
        let eval = format!(
            "eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --json - --rerank {method}"
        );
        let want = place.run(&eval).ends(0).json();
        let got = place.run(&format!("{eval} --graph g.safetensors")).ends(0).json();
        assert_eq!(got, want, "{method}");
        place
            .run(&format!("{eval} --graph foreign.safetensors"))
            .ends(3)
            .complains(
                "foreign.safetensors is a graph of something else: the number of rows was 6, and is 30 here",
            );
    }
    let query = std::fs::read_dir(place.path("pictures"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let search = format!(
        "search --features db.safetensors pictures/{} --json --rerank k-reciprocal:k1=5,k2=3",
        query.file_name().to_str().unwrap()
    );
    let answers = |line: &str| place.run_seeded(line).ends(0).json()["answers"].clone();
    let want = answers(&search);
    assert!(!want.as_array().unwrap().is_empty());
    assert_eq!(answers(&format!("{search} --graph g.safetensors")), want);
    place
        .run("eval --dataset gnd.json --features db.safetensors --query-features q.safetensors --rerank k-reciprocal --graph q.safetensors")
        .ends(3)
        .complains("cannot be used as a graph of neighbours");
}
