//! What a migration will take, as far as it can be told beforehand: each figure between two bounds, with what it rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::units;

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// What of.
    pub of: Quantity,
    /// Not less than this.
    pub least: i64,
    /// Nor more than this; nobody knows if there is none.
    pub most: Option<i64>,
    /// Of what.
    pub unit: Unit,
    /// What it rests on.
    pub basis: String,
}

/// What is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Quantity {
    /// Rows to copy.
    Rows,
    /// What they take on the source, with TOAST, without indexes.
    Data,
    /// Indexes to build.
    Indexes,
    /// What those take on the source.
    IndexData,
    /// The way from this machine to the source and back.
    RoundTripToSource,
    /// What one connection brings from the source to this machine.
    LineFromSource,
    /// The way from this machine to the target and back.
    RoundTripToTarget,
    /// What one connection brings from the target to this machine.
    LineFromTarget,
    /// The way from the target to the source and back.
    RoundTripBetween,
    /// How fast the source writes its log.
    LogRate,
    /// The copy with its indexes.
    Copy,
    /// The log that the source keeps meanwhile.
    LogDuringCopy,
    /// Until the target has what was written meanwhile.
    CatchUp,
    /// The compare of every row.
    Compare,
    /// The time in which the source refuses writes.
    Pause,
    /// What leaves Azure.
    Egress,
}

/// Of what an estimate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Things.
    Count,
    /// Bytes.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
}

impl Quantity {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Data => "data",
            Self::Indexes => "indexes",
            Self::IndexData => "data in indexes",
            Self::RoundTripToSource => "round trip, here to source",
            Self::LineFromSource => "line, source to here",
            Self::RoundTripToTarget => "round trip, here to target",
            Self::LineFromTarget => "line, target to here",
            Self::RoundTripBetween => "round trip, target to source",
            Self::LogRate => "the source's log (WAL)",
            Self::Copy => "copy and index builds",
            Self::LogDuringCopy => "WAL kept meanwhile",
            Self::CatchUp => "catch-up",
            Self::Compare => "compare",
            Self::Pause => "pause of writes",
            Self::Egress => "egress from Azure",
        }
    }
}

impl Estimate {
    /// The figure in words, such as `15 to 30 s`.
    pub fn figure(&self) -> String {
        let text = |value: i64| match self.unit {
            Unit::Count => grouped(value),
            Unit::Bytes => units::bytes(value),
            Unit::BytesPerSecond => format!("{}/s", units::bytes(value)),
            Unit::Microseconds => units::round_trip(Duration::from_micros(value.unsigned_abs())),
            Unit::Milliseconds => units::milliseconds(value.unsigned_abs()),
        };
        match self.most {
            None if self.least == 0 => "not known".to_owned(),
            None => format!("at least {}", text(self.least)),
            Some(most) if most == self.least => text(most),
            Some(most) if self.unit == Unit::Milliseconds && most >= 1_000 => {
                units::between(Duration::from_millis(self.least.unsigned_abs()), Duration::from_millis(most.unsigned_abs()))
            }
            Some(most) => format!("{} to {}", text(self.least), text(most)),
        }
    }
}

/// A number with its thousands set apart: `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_say_how_sure_they_are() {
        let of = |unit, least, most| Estimate { of: Quantity::Copy, least, most, unit, basis: String::new() }.figure();
        assert_eq!(of(Unit::Count, 1_234_567, Some(1_234_567)), "1,234,567");
        assert_eq!(of(Unit::Bytes, 1 << 20, Some(1 << 21)), "1.0 MiB to 2.0 MiB");
        assert_eq!(of(Unit::Milliseconds, 16_000, Some(29_000)), "15 to 30 s");
        assert_eq!(of(Unit::Milliseconds, 48, Some(240)), "48 ms to 240 ms");
        assert_eq!(of(Unit::Microseconds, 40_300, Some(40_300)), "40.3 ms");
        assert_eq!(of(Unit::Microseconds, 0, None), "not known");
    }
}
