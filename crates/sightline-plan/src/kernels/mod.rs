//! Matrix products and the functions between them, by instruction set.
//!
//! Values of many tokens lie in *panels* of [`LANES`] tokens, `[C, LANES]`: a lane is a token, so that no sum ever runs across
//! lanes, and what lies in unused lanes disturbs nobody. Every number is computed by the same fused multiply-adds in the same
//! order, whatever the instruction set and whatever else is computed beside it: all kernels give the same bits.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod columns;
mod packed;
mod portable;

pub(crate) use aligned::Aligned;
pub(crate) use packed::Packed;

/// Tokens of a panel.
pub(crate) const LANES: usize = 32;
/// Steps of a sum that are added up on their own, before they join the ones before: bounds what must stay in the near caches.
pub(crate) const DEPTH: usize = 768;
/// Bytes of panels that a pass over the rows of a matrix takes at once, at most; they stay in the second cache.
const PASS_BYTES: usize = 1 << 19;

/// Which instructions compute. All give the same bits, so this is a matter of speed alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Plain code, on any processor.
    Portable,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// Those that this processor can run, the quickest first.
    pub fn available() -> Vec<Self> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if fma && is_x86_feature_detected!("avx512f") {
                kernels.push(Self::Avx512);
            }
            if fma {
                kernels.push(Self::Avx2);
            }
        }
        kernels.push(Self::Portable);
        kernels
    }

    /// The quickest that this processor can run.
    pub fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Portable)
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}

/// What becomes of a product, for each row and token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// It is the result.
    Store,
    /// It is added to what is there.
    Add,
    /// The result is its GELU.
    Gelu,
}

/// One pass of a product: some rows of the left matrix, some steps of the sum, several panels.
struct Pass<'a> {
    /// Values of the left matrix for each step, as many as `height`.
    left: &'a [f32],
    height: usize,
    /// The panels, each `[.., LANES]` from the first of these steps on.
    right: &'a [f32],
    /// Values from one panel to the next.
    right_stride: usize,
    /// The results' panels, from the first of these rows on.
    out: &'a mut [f32],
    out_stride: usize,
    /// What the next pass reads of the left matrix, as much of it as is there.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "plain code fetches nothing ahead")
    )]
    ahead: &'a [f32],
    /// Number of panels, and the lanes that are computed in the last of them.
    panels: usize,
    last_lanes: usize,
    /// Added to each row.
    bias: Option<&'a [f32]>,
    /// Whether the results are added to what is there.
    add: bool,
}

/// A kernel that this processor has been found to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runnable(Kernel);

/// Calls a function of `columns` compiled for the kernel's instructions.
macro_rules! compiled {
    ($kernel:expr, $function:ident($($argument:expr),*)) => {
        match $kernel {
            Kernel::Portable => columns::$function($($argument),*),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx2 => unsafe { avx2::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx512 => unsafe { avx512::$function($($argument),*) },
        }
    };
}

impl Runnable {
    /// That kernel where this processor can run it, else plain code.
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self(if Kernel::available().contains(&kernel) {
            kernel
        } else {
            Kernel::Portable
        })
    }

    /// Rows of the left matrix that are computed together.
    fn tile_rows(self) -> usize {
        match self.0 {
            Kernel::Portable => portable::ROWS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::ROWS,
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::ROWS,
        }
    }

    /// The product of a matrix `[rows, depth]` with panels `[depth, LANES]`, for the first `tokens` lanes of them: panels
    /// `[rows, LANES]`, `right_stride` and `out_stride` values from one to the next. The other lanes of the last panel are left as
    /// they are, or computed too.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn product(
        self,
        left: &Packed,
        right: &[f32],
        right_stride: usize,
        out: &mut [f32],
        out_stride: usize,
        tokens: usize,
        bias: Option<&[f32]>,
        finish: Finish,
    ) {
        let panels = tokens.div_ceil(LANES);
        let most = (PASS_BYTES / (left.depth.clamp(1, DEPTH) * LANES * size_of::<f32>())).max(1);
        let at_once = panels.div_ceil(panels.div_ceil(most).max(1)).max(1);
        for first in (0..panels).step_by(at_once) {
            let count = at_once.min(panels - first);
            let last_lanes = (tokens - (first + count - 1) * LANES).min(LANES);
            for step in (0..left.depth.max(1)).step_by(DEPTH) {
                let steps = DEPTH.min(left.depth - step);
                let is_last = step + steps == left.depth;
                for row in (0..left.rows).step_by(left.tile_rows) {
                    let height = left.tile_rows.min(left.rows - row);
                    let mut pass = Pass {
                        left: left.tile(row, step, steps),
                        height,
                        right: &right[first * right_stride + step * LANES..],
                        right_stride,
                        out: &mut out[first * out_stride + row * LANES..],
                        out_stride,
                        ahead: left.ahead(row + height, step, steps),
                        panels: count,
                        last_lanes,
                        bias: bias.filter(|_| step == 0).map(|bias| &bias[row..row + height]),
                        add: step > 0 || finish == Finish::Add,
                    };
                    self.pass(&mut pass);
                    if is_last && finish == Finish::Gelu {
                        for panel in 0..count {
                            self.gelu(&mut pass.out[panel * out_stride..][..height * LANES]);
                        }
                    }
                }
            }
        }
    }

    fn pass(self, pass: &mut Pass<'_>) {
        match self.0 {
            Kernel::Portable => portable::pass(pass),
            // SAFETY: `new` admits a kernel only where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx2 => unsafe { avx2::pass(pass) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code)]
            Kernel::Avx512 => unsafe { avx512::pass(pass) },
        }
    }

    /// x Φ(x) of each value.
    pub(crate) fn gelu(self, values: &mut [f32]) {
        compiled!(self.0, gelu(values));
    }

    /// Layer norm of each lane of a panel `[C, LANES]`; weight and bias `[C]`.
    pub(crate) fn layer_norm(self, x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
        compiled!(self.0, layer_norm(x, weight, bias, epsilon, out));
    }

    /// e^(scale (x - the largest)) of each lane of a panel `[P, LANES]`, in place; yields one over the sum of each lane.
    pub(crate) fn softmax(self, logits: &mut [f32], scale: f32) -> [f32; LANES] {
        compiled!(self.0, softmax(logits, scale))
    }

    /// Each lane of a panel `[C, LANES]` times its factor.
    pub(crate) fn scale(self, panel: &mut [f32], factors: &[f32; LANES]) {
        compiled!(self.0, scale(panel, factors));
    }
}

#[cfg(test)]
mod tests;
