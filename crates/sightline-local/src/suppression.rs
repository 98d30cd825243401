//! Suppression of boxes that lie on better ones, as feymanpriv/DELG does it (`tools/delg_utils.py` `nms`).

/// What [`suppress`] keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Indices of the boxes that stay, best first; behind the first `count` of them the original leaves zeros, so that
    /// there are as many entries as boxes.
    pub keep: Vec<usize>,
    /// How many stay.
    pub count: usize,
}

impl Kept {
    /// The boxes that stay, best first.
    #[must_use]
    pub fn survivors(&self) -> &[usize] {
        &self.keep[..self.count]
    }

    /// What the original's extractor takes for them: the first `top` entries of `keep`, zeros and all. Where there are
    /// more boxes than survivors, box 0 is among them, again and again.
    #[must_use]
    pub fn as_published(&self, top: usize) -> &[usize] {
        &self.keep[..top.min(self.keep.len())]
    }
}

/// Takes the best of the `top` best boxes, drops those whose overlap with it is above `limit`, and so on.
///
/// `boxes` are `[y1, x1, y2, x2]`; `scores` has one for each (what has none does not take part). Overlap is the area of
/// the intersection over that of the union, areas (x2 - x1)(y2 - y1) in float32. Of equal scores the lower index goes
/// first (in the original their order is undefined).
#[must_use]
pub fn suppress(boxes: &[[f32; 4]], scores: &[f32], limit: f32, top: usize) -> Kept {
    let count = boxes.len().min(scores.len());
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(top);
    let mut keep = vec![0; boxes.len()];
    let mut kept = 0;
    while let Some(best) = order.first().copied() {
        keep[kept] = best;
        kept += 1;
        order.retain(|other| *other != best && overlap(boxes[*other], boxes[best]) <= limit);
    }
    Kept { keep, count: kept }
}

fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let shared = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let area = |one: [f32; 4]| (one[2] - one[0]) * (one[3] - one[1]);
    let intersection = shared(0) * shared(1);
    intersection / (area(a) - intersection + area(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_on_better_ones_go() {
        let at = |y: f32, x: f32| [y, x, y + 10.0, x + 10.0];
        let boxes = [
            at(0.0, 0.0),
            at(0.0, 1.0),
            at(0.0, 40.0),
            at(1.0, 40.0),
            at(90.0, 0.0),
        ];
        let scores = [1.0, 2.0, 5.0, 5.0, 0.5];
        // Of 2 and 3, equal in score, the lower index stays; 1 beats 0.
        let kept = suppress(&boxes, &scores, 0.5, 10);
        assert_eq!(kept.survivors(), [2, 1, 4]);
        assert_eq!(kept.keep, [2, 1, 4, 0, 0]);
        assert_eq!(kept.as_published(4), [2, 1, 4, 0]);
        assert_eq!(kept.as_published(9).len(), 5);
        // Only the best take part.
        assert_eq!(suppress(&boxes, &scores, 0.5, 3).survivors(), [2, 1]);
        // The overlap of 0 and 1 is 90 / 110; at the limit a box stays.
        assert_eq!(suppress(&boxes[..2], &scores, 90.0 / 110.0, 10).count, 2);
        assert_eq!(suppress(&[], &[], 0.5, 10).survivors(), [0; 0]);
    }
}
