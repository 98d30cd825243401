//! Python's arithmetic of numbers, for constant arguments.

use super::expression::Value;

/// An operation of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
}

/// A number as Python sees it: a truth value counts as 0 or 1.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Result<Self, String> {
        match value {
            Value::Bool(truth) => Ok(Self::Int((*truth).into())),
            Value::Int(number) => Ok(Self::Int(*number)),
            Value::Float(number) => Ok(Self::Float(*number)),
            Value::None | Value::Text(_) | Value::Sequence(_) => {
                Err("only numbers can be reckoned with".to_owned())
            }
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

/// `left operation right`.
pub(super) fn apply(operation: Operation, left: &Value, right: &Value) -> Result<Value, String> {
    let (left, right) = (Number::of(left)?, Number::of(right)?);
    let divides = matches!(
        operation,
        Operation::Divide | Operation::FloorDivide | Operation::Remainder
    );
    if divides && right.float() == 0.0 {
        return Err("a number is divided by zero".to_owned());
    }
    let value = match (left, right) {
        (Number::Int(left), Number::Int(right)) => whole(operation, left, right)?,
        _ => Value::Float(float(operation, left.float(), right.float())),
    };
    match value {
        Value::Float(number) if !number.is_finite() => Err("a number becomes too large".to_owned()),
        value => Ok(value),
    }
}

/// `-value`.
pub(super) fn negate(value: &Value) -> Result<Value, String> {
    match Number::of(value)? {
        Number::Int(number) => number.checked_neg().map(Value::Int).ok_or_else(too_large),
        Number::Float(number) => Ok(Value::Float(-number)),
    }
}

fn too_large() -> String {
    "a whole number becomes too large".to_owned()
}

fn whole(operation: Operation, left: i64, right: i64) -> Result<Value, String> {
    let result = match operation {
        Operation::Add => left.checked_add(right),
        Operation::Subtract => left.checked_sub(right),
        Operation::Multiply => left.checked_mul(right),
        Operation::Divide => return Ok(Value::Float(left as f64 / right as f64)),
        // Python rounds down, also for negative numbers.
        Operation::FloorDivide => left.checked_div(right).map(|quotient| {
            let inexact = left % right != 0;
            quotient - i64::from(inexact && (left < 0) != (right < 0))
        }),
        Operation::Remainder => left.checked_rem(right).map(|rest| {
            if rest != 0 && (rest < 0) != (right < 0) {
                rest + right
            } else {
                rest
            }
        }),
        Operation::Power if right < 0 => {
            if left == 0 {
                return Err("zero is raised to a negative power".to_owned());
            }
            return Ok(Value::Float(float(operation, left as f64, right as f64)));
        }
        Operation::Power => u32::try_from(right)
            .ok()
            .and_then(|right| left.checked_pow(right)),
    };
    result.map(Value::Int).ok_or_else(too_large)
}

fn float(operation: Operation, left: f64, right: f64) -> f64 {
    match operation {
        Operation::Add => left + right,
        Operation::Subtract => left - right,
        Operation::Multiply => left * right,
        Operation::Divide => left / right,
        Operation::FloorDivide => (left / right).floor(),
        Operation::Remainder => left - right * (left / right).floor(),
        Operation::Power => left.powf(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_divide_as_in_python() {
        let int = |operation, a, b| apply(operation, &Value::Int(a), &Value::Int(b)).unwrap();
        assert_eq!(int(Operation::FloorDivide, -7, 2), Value::Int(-4));
        assert_eq!(int(Operation::FloorDivide, 7, -2), Value::Int(-4));
        assert_eq!(int(Operation::Remainder, -7, 2), Value::Int(1));
        assert_eq!(int(Operation::Remainder, 7, -2), Value::Int(-1));
        assert_eq!(int(Operation::Divide, 7, 2), Value::Float(3.5));
        assert_eq!(int(Operation::Power, 2, 10), Value::Int(1024));
        assert_eq!(int(Operation::Power, 2, -1), Value::Float(0.5));
    }

    #[test]
    fn what_has_no_result_is_refused() {
        let int = |operation, a, b| apply(operation, &Value::Int(a), &Value::Int(b));
        assert!(int(Operation::Divide, 1, 0).is_err());
        assert!(int(Operation::Remainder, i64::MIN, -1).is_err());
        assert!(int(Operation::FloorDivide, i64::MIN, -1).is_err());
        assert!(int(Operation::Power, 10, 1_000_000_000_000).is_err());
        assert!(negate(&Value::Int(i64::MIN)).is_err());
        assert!(apply(Operation::Add, &Value::None, &Value::Int(1)).is_err());
        assert!(apply(Operation::Power, &Value::Float(-8.0), &Value::Float(0.5)).is_err());
    }
}
