//! From a call to a step: which arguments a transform takes and what they may be.

use super::expression::{Call, Value};
use super::scale::{Scale, ScaleSize};
use super::step::Step;
use crate::resize::Filter;

/// Transforms that only training uses: they draw lots.
const TRAINING: [&str; 9] = [
    "RandomScale",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTilting",
    "RandomErasing",
    "RandomBorder",
    "ColorJitter",
    "BBoxToPixelLabel",
];

/// Makes the step of a call; the error is a clause that says what is wrong.
pub(super) fn step(call: Call) -> Result<Step, String> {
    let mut arguments = Arguments {
        name: call.name,
        positional: call.positional.into_iter().map(Some).collect(),
        keyword: call.keyword,
    };
    let name = arguments.name.clone();
    let step = match name.as_str() {
        "Identity" => Step::Identity,
        "Scale" => scale(&mut arguments)?,
        "Pad" => Step::Pad {
            size: side(&arguments.required(0, "size")?)?,
            color: arguments
                .take(1, "color")?
                .map_or(Ok([127; 3]), |value| color(&value))?,
        },
        "PadSquare" => Step::PadSquare {
            // As in the original, 0 counts as no size.
            size: match arguments.take(0, "size")? {
                None | Some(Value::None) => None,
                Some(value) => Some(side(&value)?).filter(|size| *size != 0),
            },
            color: arguments
                .take(1, "color")?
                .map_or(Ok([127; 3]), |value| color(&value))?,
        },
        "CenterCrop" => {
            let (height, width) = crop_size(&arguments.required(0, "size")?)?;
            let padding = arguments
                .take(1, "padding")?
                .map_or(Ok(0), |value| pixels(&value))?;
            Step::CenterCrop {
                height,
                width,
                padding,
            }
        }
        "CropToBbox" => Step::CropToBbox {
            margin: arguments
                .take(0, "margin")?
                .map_or(Ok(0.5), |value| float(&value))?,
            min_size: arguments
                .take(1, "min_size")?
                .map_or(Ok(0), |value| side(&value))?,
        },
        "ToTensor" | "tvf.ToTensor" => Step::ToTensor,
        "Normalize" | "tvf.Normalize" => {
            let mean = per_channel(&arguments.required(0, "mean")?)?;
            let std = per_channel(&arguments.required(1, "std")?)?;
            if std.iter().any(|std| *std as f32 == 0.0) {
                return Err("a standard deviation is zero".to_owned());
            }
            arguments.take(2, "inplace")?;
            Step::Normalize { mean, std }
        }
        "tvf.Resize" => {
            let size = arguments.required(0, "size")?;
            let interpolation = arguments
                .take(1, "interpolation")?
                .map_or(Ok(Filter::Bilinear), |value| filter(&value))?;
            match size {
                Value::Sequence(_) => {
                    let (height, width) = crop_size(&size)?;
                    Step::ResizeTo {
                        height,
                        width,
                        interpolation,
                    }
                }
                _ => Step::ShorterTo {
                    size: pixels(&size)?.max(1),
                    interpolation,
                },
            }
        }
        "tvf.CenterCrop" => {
            let (height, width) = crop_size(&arguments.required(0, "size")?)?;
            Step::TorchvisionCrop { height, width }
        }
        _ if TRAINING.contains(&name.as_str())
            || name.starts_with("tvf.Random")
            || name == "tvf.ColorJitter" =>
        {
            return Err(format!(
                "{name} is a training transform; extraction and evaluation do not draw lots"
            ));
        }
        _ => {
            return Err(format!(
                "there is no transform {name}; there are Scale, Pad, PadSquare, CenterCrop, CropToBbox, Identity, ToTensor, Normalize, tvf.Resize and tvf.CenterCrop"
            ));
        }
    };
    arguments.finish()?;
    Ok(step)
}

fn scale(arguments: &mut Arguments) -> Result<Step, String> {
    let size = match arguments.required(0, "size")? {
        Value::Float(factor) if factor > 0.0 && factor <= 4.0 => ScaleSize::Factor(factor),
        Value::Float(factor) => return Err(format!("the factor {factor:?} of Scale lies outside of ]0, 4]")),
        Value::Sequence(items) => match items.as_slice() {
            [width, height] => ScaleSize::Pair(side(width)?, side(height)?),
            _ => {
                return Err(format!(
                    "the size of Scale has {} numbers instead of width and height",
                    items.len()
                ));
            }
        },
        value => ScaleSize::Side(side(&value)?),
    };
    let mut flag = |index, name, default| {
        Ok::<bool, String>(
            arguments
                .take(index, name)?
                .map_or(default, |value| truth(&value)),
        )
    };
    let (largest, can_upscale, can_downscale) = (
        flag(2, "largest", false)?,
        flag(3, "can_upscale", true)?,
        flag(4, "can_downscale", true)?,
    );
    let interpolation = arguments.take(1, "interpolation")?;
    let interpolation = interpolation.map_or(Ok(Filter::Bilinear), |value| filter(&value))?;
    Ok(Step::Scale(Scale {
        size,
        interpolation,
        largest,
        can_upscale,
        can_downscale,
    }))
}

/// The arguments of a call that no parameter has taken yet.
struct Arguments {
    name: String,
    positional: Vec<Option<Value>>,
    keyword: Vec<(String, Value)>,
}

impl Arguments {
    /// The argument of that position or keyword, if it is given.
    fn take(&mut self, index: usize, keyword: &str) -> Result<Option<Value>, String> {
        let by_position = self.positional.get_mut(index).and_then(Option::take);
        let by_keyword = self.keyword.iter().position(|(name, _)| name == keyword);
        match (by_position, by_keyword) {
            (Some(_), Some(_)) => Err(format!("{keyword} of {} is given twice", self.name)),
            (Some(value), None) => Ok(Some(value)),
            (None, Some(at)) => Ok(Some(self.keyword.swap_remove(at).1)),
            (None, None) => Ok(None),
        }
    }

    fn required(&mut self, index: usize, keyword: &str) -> Result<Value, String> {
        let missing = format!("{} needs its argument {keyword}", self.name);
        self.take(index, keyword)?.ok_or(missing)
    }

    /// Refuses what nothing has taken.
    fn finish(&self) -> Result<(), String> {
        if let Some((keyword, _)) = self.keyword.first() {
            return Err(format!("{} takes no argument {keyword}", self.name));
        }
        if self.positional.iter().any(Option::is_some) {
            return Err(format!(
                "{} takes fewer arguments than the {} given",
                self.name,
                self.positional.len()
            ));
        }
        Ok(())
    }
}

/// The largest number of pixels a side may be asked for.
const LONGEST_SIDE: i64 = i32::MAX as i64;

/// A whole number of pixels, possibly negative.
fn side(value: &Value) -> Result<i64, String> {
    match value {
        Value::Bool(truth) => Ok((*truth).into()),
        Value::Int(number) if number.abs() <= LONGEST_SIDE => Ok(*number),
        Value::Int(number) => Err(format!("the size {number} is too large")),
        _ => Err("a size must be a whole number of pixels".to_owned()),
    }
}

/// A whole number of pixels, not negative.
fn pixels(value: &Value) -> Result<u32, String> {
    let number = side(value)?;
    u32::try_from(number).map_err(|_| format!("the size {number} is below zero"))
}

/// A side, or (height, width).
fn crop_size(value: &Value) -> Result<(u32, u32), String> {
    match value {
        Value::Sequence(items) => match items.as_slice() {
            [height, width] => Ok((pixels(height)?, pixels(width)?)),
            _ => Err(format!(
                "a size has {} numbers instead of height and width",
                items.len()
            )),
        },
        value => pixels(value).map(|side| (side, side)),
    }
}

fn float(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        Value::Int(number) => Ok(*number as f64),
        _ => Err("a number is expected".to_owned()),
    }
}

/// What Python's `if` makes of a value.
fn truth(value: &Value) -> bool {
    match value {
        Value::None => false,
        Value::Bool(truth) => *truth,
        Value::Int(number) => *number != 0,
        Value::Float(number) => *number != 0.0,
        Value::Text(text) => !text.is_empty(),
        Value::Sequence(items) => !items.is_empty(),
    }
}

fn filter(value: &Value) -> Result<Filter, String> {
    let Value::Int(number) = value else {
        return Err(
            "an interpolation is one of Image.NEAREST, BOX, BILINEAR, HAMMING, BICUBIC and LANCZOS"
                .to_owned(),
        );
    };
    Filter::from_number(*number).ok_or_else(|| format!("there is no interpolation of number {number}"))
}

/// Three numbers; one that is no whole number makes all of them shares of 255, as in the original.
fn color(value: &Value) -> Result<[u8; 3], String> {
    let Value::Sequence(items) = value else {
        return Err("a color must be three numbers".to_owned());
    };
    let [red, green, blue] = items.as_slice() else {
        return Err(format!("a color has three numbers, not {}", items.len()));
    };
    let channels = [red, green, blue];
    let whole = channels
        .iter()
        .all(|value| matches!(value, Value::Int(_) | Value::Bool(_)));
    let mut result = [0; 3];
    for (result, value) in result.iter_mut().zip(channels) {
        let number = match value {
            Value::Bool(truth) => f64::from(u8::from(*truth)),
            value => float(value)?,
        };
        // Pillow clips colours that no byte can hold.
        *result = (if whole { number } else { 255.0 * number }) as u8;
    }
    Ok(result)
}

/// Three numbers, or one for all channels.
fn per_channel(value: &Value) -> Result<[f64; 3], String> {
    let items = match value {
        Value::Sequence(items) => items.as_slice(),
        single => std::slice::from_ref(single),
    };
    let numbers = match items {
        [all] => [all, all, all],
        [red, green, blue] => [red, green, blue],
        _ => {
            return Err(format!(
                "mean and std have one number or three, not {}",
                items.len()
            ));
        }
    };
    let mut result = [0.0; 3];
    for (result, value) in result.iter_mut().zip(numbers) {
        *result = float(value)?;
    }
    Ok(result)
}
