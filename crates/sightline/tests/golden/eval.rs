//! Golden area `eval`: average precision, mAP, mP@k, recall, landmark metrics.

use crate::case::{Case, Outputs};
use sightline_eval::average_precision::{quantised, step, trapezoid};
use sightline_eval::positions::Positions;
use sightline_eval::ranking::{Ties, rank_all, ranks_from_scores};
use sightline_eval::revisited::{Measure, Setup, Undefined};
use sightline_eval::{classic, dirtorch, landmarks, place, recall, revisited};

/// Computes every output of one case of the area.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut out = Outputs::new();
    match case.name.as_str() {
        "revisited-lists" | "revisited-truncated" => {
            revisited_setups(case, &columns(case, "in.ranks")?, "", Undefined::Nan, &mut out)?;
        }
        "token-csa" => token(case, &mut out)?,
        "revisited-distractors" => distractors(case, &mut out)?,
        "classic" => {
            let (good, ok, junk) = (
                lists(case, "in.good")?,
                lists(case, "in.ok")?,
                lists(case, "in.junk")?,
            );
            let found = columns(case, "in.ranks")?
                .iter()
                .enumerate()
                .map(|(q, list)| classic::positions(list, &good[q], &ok[q], &junk[q]))
                .collect::<Vec<_>>();
            measures(case, &found, "", Undefined::Nan, &mut out)?;
        }
        "overlap" => overlap(case, &mut out)?,
        "ties" => ties(case, &mut out)?,
        "dirtorch-revisited" => dirtorch_revisited(case, &mut out)?,
        "dirtorch-labels" => dirtorch_labels(case, &mut out)?,
        "dirtorch-labels-queries" => dirtorch_labels_queries(case, &mut out)?,
        "dirtorch-functions" => dirtorch_functions(case, &mut out)?,
        "recall" | "recall-ties" => recall_case(case, &mut out)?,
        "netvlad-recall" => netvlad(case, &mut out)?,
        "gldv2-retrieval" => gldv2_retrieval(case, &mut out)?,
        "gldv2-recognition" => gldv2_recognition(case, &mut out)?,
        other => return Err(format!("the harness knows no case {other}")),
    }
    Ok(out)
}

/// `NAME` and `NAME_offsets` as one list per query.
pub(crate) fn lists<T: TryFrom<i128> + Copy>(case: &Case, name: &str) -> Result<Vec<Vec<T>>, String> {
    let values: Vec<T> = case.array(name)?.to_ints()?;
    let offsets: Vec<usize> = case.array(&format!("{name}_offsets"))?.to_ints()?;
    offsets
        .windows(2)
        .map(|ends| {
            values
                .get(ends[0]..ends[1])
                .map(<[T]>::to_vec)
                .ok_or(format!("{name}: bad offsets"))
        })
        .collect()
}

/// The columns of [list length, queries].
fn columns(case: &Case, name: &str) -> Result<Vec<Vec<u32>>, String> {
    let array = case.array(name)?;
    let values: Vec<u32> = array.to_ints()?;
    let queries = array.shape[1];
    Ok((0..queries)
        .map(|q| values[q..].iter().step_by(queries).copied().collect())
        .collect())
}

fn push_columns(out: &mut Outputs, name: &str, lists: &[Vec<u32>]) {
    let length = lists[0].len();
    let values: Vec<u32> = (0..length)
        .flat_map(|i| lists.iter().map(move |list| list[i]))
        .collect();
    out.ints(name, &[length, lists.len()], &values);
}

fn whole(case: &Case, key: &str) -> Result<Vec<usize>, String> {
    let list = case.params[key].as_array().ok_or(format!("no parameter {key}"))?;
    Ok(list.iter().map(|v| v.as_u64().unwrap() as usize).collect())
}

fn ints<T: TryFrom<i128>>(case: &Case, name: &str) -> Result<Vec<T>, String> {
    case.array(name)?.to_ints()
}

/// Values and row length.
fn matrix(case: &Case, name: &str) -> Result<(Vec<f32>, usize), String> {
    let array = case.array(name)?;
    Ok((array.to_f32(), array.shape[1]))
}

/// Inner products, one row a query.
fn scores(case: &Case, queries: &str, gallery: &[&str]) -> Result<Vec<Vec<f32>>, String> {
    let (queries, dim) = matrix(case, queries)?;
    let mut images = Vec::new();
    for name in gallery {
        images.extend(matrix(case, name)?.0);
    }
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>() as f32
    };
    Ok(queries
        .chunks(dim)
        .map(|q| images.chunks(dim).map(|row| dot(q, row)).collect())
        .collect())
}

fn number(out: &mut Outputs, name: &str, value: f64) {
    out.f64(name, &[1], vec![value]);
}

/// `PREFIXaps`, `PREFIXmap`, `PREFIXprs`, `PREFIXmpr`.
fn measures(
    case: &Case,
    found: &[Positions],
    prefix: &str,
    undefined: Undefined,
    out: &mut Outputs,
) -> Result<f64, String> {
    let kappas = whole(case, "kappas")?;
    let got: Vec<Measure> = found
        .iter()
        .map(|f| revisited::measure(f, &kappas, undefined))
        .collect();
    let means = revisited::means(&got);
    out.f64(
        &format!("{prefix}aps"),
        &[got.len()],
        got.iter().map(|m| m.ap).collect(),
    );
    let precisions = got.iter().flat_map(|m| m.precisions.clone()).collect();
    out.f64(&format!("{prefix}prs"), &[got.len(), kappas.len()], precisions);
    number(out, &format!("{prefix}map"), means.map);
    out.f64(&format!("{prefix}mpr"), &[kappas.len()], means.precisions);
    Ok(means.map)
}

/// The three setups over ranked lists; their mAP.
fn revisited_setups(
    case: &Case,
    ranked: &[Vec<u32>],
    prefix: &str,
    undefined: Undefined,
    out: &mut Outputs,
) -> Result<Vec<f64>, String> {
    let (easy, hard, junk) = (
        lists(case, "in.easy")?,
        lists(case, "in.hard")?,
        lists(case, "in.junk")?,
    );
    Setup::ALL
        .iter()
        .map(|setup| {
            let found: Vec<Positions> = ranked
                .iter()
                .enumerate()
                .map(|(q, list)| {
                    let (positives, removed) = setup.split(&easy[q], &hard[q], &junk[q]);
                    Positions::in_list(list, &positives.concat(), &removed.concat())
                })
                .collect();
            measures(
                case,
                &found,
                &format!("{prefix}{}_", setup.name()),
                undefined,
                out,
            )
        })
        .collect()
}

fn token(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let maps = revisited_setups(case, &columns(case, "in.ranks")?, "", Undefined::Infinity, out)?;
    out.f64(
        "percent",
        &[maps.len()],
        maps.into_iter().map(revisited::percent).collect(),
    );
    Ok(())
}

fn distractors(case: &Case, out: &mut Outputs) -> Result<(), String> {
    for (prefix, gallery) in [("", &["in.db"][..]), ("r1m_", &["in.db", "in.distractors"])] {
        let scores = scores(case, "in.queries", gallery)?;
        let ranked: Vec<Vec<u32>> = scores.iter().map(|row| rank_all(row, Ties::LowFirst)).collect();
        push_columns(out, &format!("{prefix}ranks"), &ranked);
        revisited_setups(case, &ranked, prefix, Undefined::Nan, out)?;
    }
    Ok(())
}

fn overlap(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (ok, junk): (Vec<Vec<u32>>, Vec<Vec<u32>>) = (lists(case, "in.ok")?, lists(case, "in.junk")?);
    let ranked = columns(case, "in.ranks")?;
    let found: Vec<Positions> = ranked
        .iter()
        .enumerate()
        .map(|(q, list)| Positions::in_list(list, &ok[q], &junk[q]))
        .collect();
    measures(case, &found, "cirtorch_", Undefined::Nan, out)?;
    let aps: Vec<f64> = ranked
        .iter()
        .enumerate()
        .map(|(q, list)| dirtorch::positions(list, &ok[q], &junk[q]))
        .map(|found| trapezoid(&found.junk_free(), found.named))
        .collect();
    out.f64("dirtorch_aps", &[aps.len()], aps);
    Ok(())
}

fn ties(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (scores, images) = matrix(case, "in.scores")?;
    let labels: Vec<u32> = ints(case, "in.labels")?;
    for (name, order) in [("low_first", Ties::LowFirst), ("high_first", Ties::HighFirst)] {
        let mut aps = Vec::new();
        let mut ranked = Vec::new();
        for (row, labels) in scores.chunks(images).zip(labels.chunks(images)) {
            let positives = ids_of(labels);
            // The counted positions, not those of the sorted list, so that both ways are compared.
            let mut places: Vec<usize> = ranks_from_scores(row, &positives)
                .into_iter()
                .flatten()
                .map(|rank| rank.position(order))
                .collect();
            places.sort_unstable();
            aps.push(trapezoid(&places, positives.len()));
            ranked.push(rank_all(row, order));
        }
        push_columns(out, &format!("ranks_{name}"), &ranked);
        out.f64(&format!("aps_{name}"), &[aps.len()], aps);
    }
    let grouped: Vec<f64> = scores
        .chunks(images)
        .zip(labels.chunks(images))
        .map(|(row, labels)| step(&marks(labels), row))
        .collect();
    out.f64("aps_grouped", &[grouped.len()], grouped);
    Ok(())
}

fn marks(labels: &[u32]) -> Vec<bool> {
    labels.iter().map(|label| *label == 1).collect()
}

fn ids_of(labels: &[u32]) -> Vec<u32> {
    (0..labels.len() as u32)
        .filter(|i| labels[*i as usize] == 1)
        .collect()
}

/// dirtorch's `SETUP_map` and `SETUP_aps` from the scores of every query and its easy, hard and junk images.
pub(crate) fn dirtorch_setups(scores: &[Vec<f32>], [easy, hard, junk]: [&[Vec<u32>]; 3], out: &mut Outputs) {
    for setup in Setup::ALL {
        let aps: Vec<f64> = scores
            .iter()
            .enumerate()
            .map(|(q, row)| {
                let (positives, removed) = setup.split(&easy[q], &hard[q], &junk[q]);
                let found = dirtorch::positions_from_scores(row, &positives.concat(), &removed.concat());
                if found.named == 0 {
                    dirtorch::WITHOUT_POSITIVES
                } else {
                    trapezoid(&found.junk_free(), found.named)
                }
            })
            .collect();
        number(out, &format!("{}_map", setup.name()), dirtorch::mean(&aps));
        out.f64(&format!("{}_aps", setup.name()), &[aps.len()], aps);
    }
}

fn dirtorch_revisited(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (easy, hard, junk) = (
        lists(case, "in.easy")?,
        lists(case, "in.hard")?,
        lists(case, "in.junk")?,
    );
    let scores = scores(case, "in.queries", &["in.db"])?;
    dirtorch_setups(&scores, [&easy, &hard, &junk], out);
    let aps: Vec<f64> = scores
        .iter()
        .enumerate()
        .map(|(q, row)| {
            let ok: Vec<u32> = [&easy[q][..], &hard[q]].concat();
            let found = dirtorch::positions_from_scores(row, &ok, &junk[q]);
            trapezoid(&found.junk_free(), found.named)
        })
        .collect();
    number(out, "classic_map", dirtorch::mean(&aps));
    out.f64("classic_aps", &[aps.len()], aps);
    Ok(())
}

fn with_label(labels: &[usize], label: usize) -> Vec<u32> {
    (0..labels.len() as u32)
        .filter(|i| labels[*i as usize] == label)
        .collect()
}

fn dirtorch_labels(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let labels: Vec<usize> = ints(case, "in.labels")?;
    let tops = whole(case, "k")?;
    let (mut aps, mut hits) = (Vec::new(), Vec::new());
    for (own, row) in scores(case, "in.descriptors", &["in.descriptors"])?
        .iter()
        .enumerate()
    {
        let members = with_label(&labels, labels[own]);
        let mut ranks: Vec<_> = ranks_from_scores(row, &members).into_iter().flatten().collect();
        hits.extend(
            tops.iter()
                .map(|k| f64::from(u8::from(dirtorch::top(&ranks, *k)))),
        );
        let own_rank = ranks.remove(members.iter().position(|image| *image as usize == own).unwrap());
        aps.push(dirtorch::label_ap(&ranks, Some(own_rank), ranks.len()));
    }
    let means = (0..tops.len())
        .map(|k| hits.iter().skip(k).step_by(tops.len()).sum::<f64>() / labels.len() as f64)
        .collect();
    out.f64("topk", &[tops.len()], means);
    out.f64("tops", &[labels.len(), tops.len()], hits);
    number(out, "map", dirtorch::mean(&aps));
    out.f64("aps", &[aps.len()], aps);
    Ok(())
}

fn dirtorch_labels_queries(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let labels: Vec<usize> = ints(case, "in.db_labels")?;
    let query_labels: Vec<usize> = ints(case, "in.query_labels")?;
    let aps: Vec<f64> = scores(case, "in.queries", &["in.db"])?
        .iter()
        .zip(query_labels)
        .map(|(row, label)| {
            let members = with_label(&labels, label);
            let ranks: Vec<_> = ranks_from_scores(row, &members).into_iter().flatten().collect();
            dirtorch::label_ap(&ranks, None, members.len())
        })
        .collect();
    number(out, "map", dirtorch::mean(&aps));
    out.f64("aps", &[aps.len()], aps);
    Ok(())
}

fn dirtorch_functions(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (scores, images) = matrix(case, "in.scores")?;
    let labels: Vec<u32> = ints(case, "in.labels")?;
    let rows: Vec<(&[f32], Vec<bool>)> = scores
        .chunks(images)
        .zip(labels.chunks(images).map(marks))
        .collect();
    let ordered: Vec<Vec<bool>> = rows
        .iter()
        .map(|(row, marks)| {
            rank_all(row, Ties::LowFirst)
                .iter()
                .map(|i| marks[*i as usize])
                .collect()
        })
        .collect();
    let trapezoids: Vec<f64> = ordered
        .iter()
        .map(|marks| {
            let places: Vec<usize> = (0..marks.len()).filter(|i| marks[*i]).collect();
            trapezoid(&places, places.len())
        })
        .collect();
    out.f64("trapezoid", &[trapezoids.len()], trapezoids);
    let steps: Vec<f64> = rows
        .iter()
        .filter(|(_, marks)| marks.contains(&true))
        .map(|(row, marks)| step(marks, row))
        .collect();
    out.f64("step", &[steps.len()], steps);
    let grid = case.params["steps"].as_array().ok_or("no steps")?;
    for (name, size) in case.names("out.quantised").iter().zip(grid) {
        let size = size.as_f64().ok_or("a step is no number")?;
        let values: Vec<f64> = ordered.iter().map(|marks| quantised(marks, size)).collect();
        out.f64(name.trim_start_matches("out."), &[values.len()], values);
    }
    let (logits, classes) = matrix(case, "in.logits")?;
    let target: Vec<usize> = ints(case, "in.target")?;
    let ks = whole(case, "topk")?;
    let shares = ks
        .iter()
        .map(|k| dirtorch::accuracy(&logits, classes, &target, *k))
        .collect();
    out.f64("accuracy", &[ks.len()], shares);
    Ok(())
}

fn recall_case(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let text = |error: sightline_eval::EvalError| error.to_string();
    let (vectors, dim) = matrix(case, "in.vectors")?;
    let labels: Vec<usize> = ints(case, "in.labels")?;
    let count = labels.len();
    let found = recall::neighbours(&vectors, dim, count).map_err(text)?;
    let width = case.array("out.neighbours")?.shape[1];
    let first: Vec<u32> = found.iter().flat_map(|list| list[..width].to_vec()).collect();
    out.ints("neighbours", &[count, width], &first);
    let ks = whole(case, "k")?;
    let at = |k: usize| recall::recall(&found, &labels, &labels, k);
    out.f64("recall", &[ks.len()], ks.iter().map(|k| at(*k)).collect());
    number(out, "recall_at_n", at(count));
    number(out, "recall_beyond", at(count + 1));
    let place = recall::average_ranking_position(&vectors, dim, &labels).map_err(text)?;
    number(out, "average_ranking_position", place);

    let (mut precisions, mut maps, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    for (own, list) in found.iter().enumerate() {
        let others = &list[..count - 1];
        let places: Vec<usize> = (0..others.len())
            .filter(|place| labels[others[*place] as usize] == labels[own])
            .collect();
        precisions.push(recall::r_precision(&places, places.len()));
        maps.push(recall::map_at_r(&places, places.len()));
        firsts.push(match places.first() {
            None => f64::NAN,
            Some(place) => f64::from(u8::from(*place == 0)),
        });
    }
    number(out, "r_precision", recall::mean_defined(&precisions));
    number(out, "map_at_r", recall::mean_defined(&maps));
    number(out, "precision_at_1", recall::mean_defined(&firsts));

    if let Some(from) = case.params["gallery_from"].as_u64() {
        let from = from as usize;
        let (queries, gallery) = vectors.split_at(from * dim);
        let largest = ks.iter().copied().max().unwrap_or(0);
        let found = recall::gallery_neighbours(queries, gallery, dim, largest).map_err(text)?;
        let shares = ks
            .iter()
            .map(|k| recall::recall(&found, &labels[..from], &labels[from..], *k))
            .collect();
        out.f64("recall_gallery", &[ks.len()], shares);
    }
    Ok(())
}

fn netvlad(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (queries, dim) = matrix(case, "in.queries")?;
    let (gallery, _) = matrix(case, "in.db")?;
    let positives: Vec<Vec<u32>> = lists(case, "in.positives")?;
    let found = recall::gallery_neighbours(&queries, &gallery, dim, gallery.len() / dim)
        .map_err(|e| e.to_string())?;
    let firsts: Vec<Option<usize>> = found
        .iter()
        .zip(&positives)
        .map(|(list, positives)| {
            Positions::in_list(list, positives, &[])
                .positives
                .first()
                .copied()
        })
        .collect();
    let ns = whole(case, "n")?;
    out.f64(
        "recall",
        &[ns.len()],
        ns.iter().map(|n| place::recall(&firsts, *n)).collect(),
    );
    Ok(())
}

fn gldv2_retrieval(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let (answers, truth): (Vec<Vec<u32>>, Vec<Vec<u32>>) =
        (lists(case, "in.predictions")?, lists(case, "in.truth")?);
    for name in case.names("out.aps") {
        // `aps` has the case's limit, `aps_10` its own.
        let suffix = name.trim_start_matches("out.aps");
        let limit = match suffix.strip_prefix('_') {
            Some(own) => own.parse().map_err(|_| format!("{name} names no limit"))?,
            None => case.params["limit"].as_u64().ok_or("no limit")? as usize,
        };
        let aps: Vec<f64> = answers
            .iter()
            .zip(&truth)
            .map(|(list, truth)| landmarks::ap_at_list(list, truth, limit))
            .collect();
        number(out, &format!("map{suffix}"), recall::mean_defined(&aps));
        out.f64(&format!("aps{suffix}"), &[aps.len()], aps);
    }
    Ok(())
}

fn gldv2_recognition(case: &Case, out: &mut Outputs) -> Result<(), String> {
    let classes: Vec<i64> = ints(case, "in.class")?;
    let confidences = case.array("in.score")?.to_f32();
    let truth: Vec<Vec<i64>> = lists(case, "in.truth")?;
    let answers: Vec<landmarks::Answer> = classes
        .into_iter()
        .zip(confidences)
        .enumerate()
        .filter(|(_, (class, _))| *class >= 0)
        .map(|(query, (class, confidence))| landmarks::Answer {
            query,
            class,
            confidence,
        })
        .collect();
    number(
        out,
        "gap",
        landmarks::gap(&answers, &truth, landmarks::WithoutLandmark::Kept),
    );
    number(
        out,
        "gap_with_truth",
        landmarks::gap(&answers, &truth, landmarks::WithoutLandmark::Dropped),
    );
    number(out, "top1", landmarks::top_1(&answers, &truth));
    Ok(())
}
