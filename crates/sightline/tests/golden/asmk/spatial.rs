//! Matches, robust maps and re-ranking by inliers.

use crate::case::{Case, Outputs};
use serde_json::Value as Json;
use sightline::checkpoint::formula::uniform;
use sightline::local::spatial::{Matching, ModelKind, PointMatch, RobustSettings, orders, robust_fit};
use sightline::search::Rows;

pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    match case.name.as_str() {
        "spatial_degenerate" => degenerate(case),
        "spatial_delg_putative" => putative(case),
        "spatial_match" => matching(case),
        "spatial_rerank" => reranked(case),
        _ => model(case),
    }
}

fn kind(name: &Json) -> Result<ModelKind, String> {
    let name = name.as_str().ok_or("the kind of a model is no text")?;
    ModelKind::named(name).ok_or_else(|| format!("there is no model called {name}"))
}

fn pairs(values: &[f64]) -> impl Iterator<Item = [f64; 2]> {
    values.chunks_exact(2).map(|pair| [pair[0], pair[1]])
}

fn matches(case: &Case, from: &str, to: &str) -> Result<Vec<PointMatch>, String> {
    let (from, to) = (case.array(from)?.to_f64(), case.array(to)?.to_f64());
    Ok(pairs(&from)
        .zip(pairs(&to))
        .map(|(from, to)| PointMatch { from, to })
        .collect())
}

/// Any map of the kind is asked for, mirrors too.
fn settings(kind: ModelKind) -> RobustSettings {
    RobustSettings {
        mirrored: true,
        ..RobustSettings::of(kind)
    }
}

fn model(case: &Case) -> Result<Outputs, String> {
    let matches = matches(case, "in.p", "in.q")?;
    let threshold = case.params["threshold"]
        .as_f64()
        .ok_or("the case has no threshold")?;
    let settings = RobustSettings {
        threshold,
        ..settings(kind(&case.params["kind"])?)
    };
    let fit = robust_fit(&matches, &[], &settings).ok_or("no model was found")?;
    let mut inliers = vec![0_u8; matches.len()];
    for &index in &fit.inliers {
        inliers[index as usize] = 1;
    }
    let points: Vec<[f64; 2]> =
        serde_json::from_value(case.params["points"].clone()).map_err(|error| error.to_string())?;
    let mut corners = Vec::new();
    for point in &points {
        corners.extend(fit.model.apply(*point).ok_or("a point is behind the horizon")?);
    }
    let mut outputs = Outputs::new();
    outputs.ints("inliers", &[matches.len()], &inliers);
    outputs.f64("corners", &[points.len(), 2], corners.clone());
    outputs.f64("corners_true", &[points.len(), 2], corners);
    Ok(outputs)
}

fn degenerate(case: &Case) -> Result<Outputs, String> {
    let kinds = case.params["kinds"].as_object().ok_or("the case has no kinds")?;
    let mut outputs = Outputs::new();
    for (name, wanted) in kinds {
        let matches = matches(case, &format!("in.p.{name}"), &format!("in.q.{name}"))?;
        let fit = robust_fit(&matches, &[], &settings(kind(wanted)?));
        let inliers = fit.map_or(0, |fit| fit.inliers.len() as i64);
        outputs.ints(&format!("inliers.{name}"), &[1], &[inliers]);
    }
    Ok(outputs)
}

fn reranked(case: &Case) -> Result<Outputs, String> {
    let ranks: Vec<i64> = case.array("in.ranks")?.to_ints()?;
    let inliers: Vec<u32> = case.array("in.inliers_by_place")?.to_ints()?;
    let junk: Vec<i64> = case.array("in.junk")?.to_ints()?;
    let scores = case.array("in.scores_by_place")?.to_f64();
    let by_image = case.array("in.asmk_scores_by_image")?.to_f64();
    let top = case.params["top"].as_u64().ok_or("the case has no top")? as usize;
    let junk: Vec<bool> = ranks.iter().map(|image| junk.contains(image)).collect();
    let asmk: Option<Vec<f64>> = ranks
        .iter()
        .map(|&image| by_image.get(usize::try_from(image).ok()?).copied())
        .collect();
    let asmk = asmk.ok_or("an image of the ranking has no score")?;
    let mut outputs = Outputs::new();
    for (name, order) in [
        (
            "top",
            orders::by_inliers_of_top(ranks.len(), &inliers, &junk, top),
        ),
        (
            "all",
            orders::by_inliers_then_score(&scores, &inliers, &junk, top),
        ),
        ("by_asmk", orders::by_score_of_top(&asmk, top)),
    ] {
        let images: Vec<i64> = order.iter().map(|&place| ranks[place]).collect();
        outputs.ints(name, &[images.len()], &images);
    }
    Ok(outputs)
}

fn pairs_of(
    outputs: &mut Outputs,
    name: &str,
    rule: Matching,
    a: Rows<'_>,
    b: Rows<'_>,
) -> Result<(), String> {
    let matches = rule.matches(a, b).map_err(|error| error.to_string())?;
    let pairs: Vec<u32> = matches
        .iter()
        .flat_map(|found| [found.first, found.second])
        .collect();
    outputs.ints(name, &[matches.len(), 2], &pairs);
    Ok(())
}

fn putative(case: &Case) -> Result<Outputs, String> {
    let (a, b) = (case.array("in.a")?, case.array("in.b")?);
    let dim = *a.shape.last().ok_or("in.a has no axes")?;
    let rule = Matching {
        max_distance: Some(
            case.params["max_distance"]
                .as_f64()
                .ok_or("the case has no max_distance")?,
        ),
        ..Matching::DELG
    };
    let mut outputs = Outputs::new();
    let (a, b) = (a.to_f32(), b.to_f32());
    pairs_of(
        &mut outputs,
        "pairs",
        rule,
        Rows::f32(&a, dim),
        Rows::f32(&b, dim),
    )?;
    Ok(outputs)
}

/// The outputs' names say the rule: `nearest`, `mutual`, `ratio.R`, `mutual_ratio.R`.
fn matching(case: &Case) -> Result<Outputs, String> {
    let (a, b, dim) = formula_descriptors(case)?;
    let mut outputs = Outputs::new();
    for full in case.names("out.") {
        let name = full.trim_start_matches("out.");
        let (rule, ratio) = name.split_once('.').unwrap_or((name, ""));
        let ratio = match ratio {
            "" => None,
            text => Some(text.parse().map_err(|_| format!("{name} names no ratio"))?),
        };
        let rule = Matching {
            mutual: rule.starts_with("mutual"),
            ratio,
            max_distance: None,
        };
        pairs_of(&mut outputs, name, rule, Rows::f32(&a, dim), Rows::f32(&b, dim))?;
    }
    Ok(outputs)
}

/// A and B as the text `input` says: `A=uniform(NAME,[n,dim]), B=uniform(NAME,[m,dim]), ...; B[i+j]=A[k+j]+x*uniform(NAME,[c,dim])[j]
/// for j<c; B[i]=A[k]+x*uniform(NAME,[dim]); ...`, any number of such changes.
fn formula_descriptors(case: &Case) -> Result<(Vec<f32>, Vec<f32>, usize), String> {
    let number = |name: &str| {
        let value = case.params[name].as_u64();
        value.ok_or_else(|| format!("the case has no {name}"))
    };
    let [n, m, dim] = [number("n")?, number("m")?, number("dim")?].map(|value| value as usize);
    let seed = number("seed")?;
    let text = case.params["input"].as_str().ok_or("the case has no input")?;
    let mut names = text.split('\'').skip(1).step_by(2);
    let mut draw = |rows: usize| {
        let name = names.next().ok_or("the input names too few numbers")?;
        Ok::<_, String>(uniform(name, seed, rows * dim))
    };
    let (a, mut b) = (draw(n)?, draw(m)?);
    for change in text.split(';').filter(|part| part.trim_start().starts_with("B[")) {
        let inside = |from: &str| {
            let (_, rest) = change.split_once(from)?;
            let (index, _) = rest.split_once(']')?;
            index.trim_end_matches("+j").parse::<usize>().ok()
        };
        let (to, from) = (inside("B["), inside("A["));
        let factor = change
            .split_once("]+")
            .and_then(|(_, rest)| rest.split_once('*')?.0.parse::<f64>().ok());
        let (Some(to), Some(from), Some(factor)) = (to, from, factor) else {
            return Err(format!("the harness cannot read the change {change}"));
        };
        let rows = match change.split_once("for j<") {
            Some((_, count)) => count.trim().parse().map_err(|_| "the count is no number")?,
            None => 1,
        };
        let noise = draw(rows)?;
        for (index, noise) in noise.iter().enumerate() {
            *b.get_mut(to * dim + index).ok_or("B has too few rows")? =
                a.get(from * dim + index).ok_or("A has too few rows")? + factor * noise;
        }
    }
    let round = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    Ok((round(a), round(b), dim))
}
