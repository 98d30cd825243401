//! Decoder cases of the golden area `images`: `in.file` (or several `in.file.<name>`) to pixels, or to a refusal.

use crate::case::{Case, Outputs};
use sightline::image::RgbImage;
use sightline::image::decode::{DecodeError, DecodeOptions, Truncated, decode, decode_cv2};

/// Whether a case is one of the decoders': its name begins with a file format.
pub(crate) fn handles(case: &Case) -> bool {
    let format = case.name.split('_').next().unwrap_or_default();
    matches!(
        format,
        "jpeg" | "png" | "webp" | "gif" | "tiff" | "bmp" | "ppm" | "pgm" | "pbm" | "pnm"
    )
}

/// Decodes every file of the case in each way that the case has an output for.
pub(crate) fn run(case: &Case) -> Result<Outputs, String> {
    let mut outputs = Outputs::new();
    let refuse = DecodeOptions::default();
    let tolerate = DecodeOptions {
        truncated: Truncated::Tolerate,
        ..refuse
    };
    for file in case.names("in.file") {
        let bytes = case.bytes(&file)?;
        let suffix = file.trim_start_matches("in.file");
        let mut put =
            |kind: &str, picture: &dyn Fn() -> Result<RgbImage, DecodeError>| -> Result<(), String> {
                let name = format!("{kind}{suffix}");
                if case.has(&format!("out.{name}")) {
                    let picture = picture().map_err(|error| format!("{name}: {error}"))?;
                    outputs.ints(
                        &name,
                        &[picture.height as usize, picture.width as usize, 3],
                        &picture.data,
                    );
                }
                Ok(())
            };
        put("rgb", &|| decode(bytes, &refuse))?;
        put("cv2_bgr", &|| decode_cv2(bytes, &refuse))?;
        put("tolerant_rgb", &|| decode(bytes, &tolerate))?;
        let refused = format!("refused{suffix}");
        if case.has(&format!("out.{refused}")) {
            outputs.ints(&refused, &[1], &[u8::from(decode(bytes, &refuse).is_err())]);
        }
        // Where OpenCV gives Pillow's pixels in the other order, no second picture is stored.
        if case.params["cv2"] == "same pixels in BGR order" {
            let mut swapped = decode_cv2(bytes, &refuse).map_err(|error| format!("cv2: {error}"))?;
            swapped
                .data
                .chunks_exact_mut(3)
                .for_each(|pixel| pixel.swap(0, 2));
            if Some(swapped) != decode(bytes, &refuse).ok() {
                return Err("OpenCV's manner gives other pixels than Pillow's".into());
            }
        }
    }
    Ok(outputs)
}
