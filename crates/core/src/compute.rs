//! The size of a compute as Neon counts it, and the settings around it that a migration changes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The sizes between which a compute scales, in compute units (CU).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComputeRange {
    /// Sizes are multiples of a quarter; so counted, they can be compared.
    least_quarters: u32,
    most_quarters: u32,
}

/// The smallest compute, the largest that scales and the largest of a fixed size, and how far a range may reach: Neon's
/// documentation, "Autoscaling", 2026-01. All in quarters of a unit.
const SMALLEST: u32 = 1;
const LARGEST_SCALING: u32 = 16 * 4;
const LARGEST_FIXED: u32 = 56 * 4;
const WIDEST: u32 = 8 * 4;

impl ComputeRange {
    /// The range that a cloud tells of, in units; no rule is applied to it.
    pub fn observed(least: f64, most: f64) -> Self {
        let quarters = |units: f64| (units * 4.0).round() as u32;
        Self { least_quarters: quarters(least), most_quarters: quarters(most) }
    }

    /// The smallest size, in units.
    pub fn least(self) -> f64 {
        f64::from(self.least_quarters) / 4.0
    }

    /// The largest size, in units.
    pub fn most(self) -> f64 {
        f64::from(self.most_quarters) / 4.0
    }
}

impl FromStr for ComputeRange {
    type Err = String;

    /// Reads `0.25-2`, or `4` for a fixed size; says which of Neon's rules it breaks.
    fn from_str(text: &str) -> Result<Self, String> {
        let units = |text: &str| {
            let units: f64 = text.trim().parse().map_err(|_| format!("{text:?} is not a size such as 0.25, 2 or 8"))?;
            if !units.is_finite() || units < 0.25 || (units * 4.0).fract() != 0.0 {
                return Err(format!("{text} CU is not a multiple of 0.25"));
            }
            Ok(units)
        };
        let (least, most) = text.split_once('-').unwrap_or((text, text));
        let range = Self::observed(units(least)?, units(most)?);
        let Self { least_quarters: least, most_quarters: most } = range;
        match () {
            () if least < SMALLEST || most < least => Err(format!("{text:?} does not go from a size to a larger one")),
            () if least == most && most > LARGEST_FIXED => Err(format!("{text} CU is more than the largest compute, 56 CU")),
            () if least < most && most > LARGEST_SCALING => Err(format!("{text} CU: a compute scales up to 16 CU at most")),
            () if most - least > WIDEST => Err(format!("{text} CU: the sizes may be 8 CU apart at most")),
            () => Ok(range),
        }
    }
}

impl fmt::Display for ComputeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least_quarters == self.most_quarters {
            return write!(f, "{}", self.most());
        }
        write!(f, "{}-{}", self.least(), self.most())
    }
}

impl TryFrom<String> for ComputeRange {
    type Error = String;

    /// From the plan's file, which may hold a size that was observed: it is read without the rules for new ones.
    fn try_from(text: String) -> Result<Self, String> {
        let (least, most) = text.split_once('-').unwrap_or((&text, &text));
        match (least.parse(), most.parse()) {
            (Ok(least), Ok(most)) => Ok(Self::observed(least, most)),
            _ => Err(format!("{text:?} is not a range of sizes")),
        }
    }
}

impl From<ComputeRange> for String {
    fn from(range: ComputeRange) -> Self {
        range.to_string()
    }
}

/// Settings of a project and its compute that a migration changes. `None` leaves one as it is, or to the cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetSettings {
    /// Between which sizes the compute scales.
    pub compute: Option<ComputeRange>,
    /// After how many seconds without work the compute suspends; −1 is never, 0 the cloud's default.
    pub suspend_seconds: Option<i64>,
    /// For how many seconds each branch of the project can be brought back to an earlier state.
    pub history_seconds: Option<i64>,
}

/// What Neon takes for 0, in seconds.
const DEFAULT_SUSPEND: i64 = 300;

impl TargetSettings {
    /// What of `wanted` is otherwise here.
    #[must_use]
    pub fn lacks(&self, wanted: &Self) -> Self {
        fn other<T: PartialEq + Copy>(here: Option<T>, wanted: Option<T>, same: impl Fn(T) -> T) -> Option<T> {
            wanted.filter(|wanted| here.map(&same) != Some(same(*wanted)))
        }
        Self {
            compute: other(self.compute, wanted.compute, |range| range),
            suspend_seconds: other(self.suspend_seconds, wanted.suspend_seconds, |seconds| match seconds {
                0 => DEFAULT_SUSPEND,
                seconds => seconds,
            }),
            history_seconds: other(self.history_seconds, wanted.history_seconds, |seconds| seconds),
        }
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for TargetSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suspend = |seconds| match seconds {
            -1 => "never suspended".to_owned(),
            0 => "suspended when idle as the account has it".to_owned(),
            seconds => format!("suspended after {seconds} s without work"),
        };
        let parts = [
            self.compute.map(|range| format!("compute of {range} CU")),
            self.suspend_seconds.map(suspend),
            self.history_seconds.map(|seconds| format!("{seconds} s of history")),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for (text, least, most) in [("0.25-2", 0.25, 2.0), ("4", 4.0, 4.0), ("8-16", 8.0, 16.0), ("56", 56.0, 56.0)] {
            let range: ComputeRange = text.parse().unwrap();
            assert_eq!((range.least(), range.most(), range.to_string().as_str()), (least, most, text));
            assert_eq!(serde_json::from_str::<ComputeRange>(&serde_json::to_string(&range).unwrap()).unwrap(), range);
        }
    }

    #[test]
    fn only_what_differs_is_lacking() {
        let here = TargetSettings { compute: "1-2".parse().ok(), suspend_seconds: Some(0), history_seconds: None };
        let wanted = TargetSettings { compute: "1-2".parse().ok(), suspend_seconds: Some(300), history_seconds: Some(60) };
        assert_eq!(here.lacks(&wanted), TargetSettings { history_seconds: Some(60), ..TargetSettings::default() });
        assert!(here.lacks(&TargetSettings::default()).is_empty());
        assert_eq!(here.to_string(), "compute of 1-2 CU, suspended when idle as the account has it");
    }

    #[test]
    fn what_neon_has_not_is_refused_with_the_rule() {
        for (text, why) in [
            ("0.1-1", "multiple of 0.25"),
            ("0.3", "multiple of 0.25"),
            ("NaN", "multiple of 0.25"),
            ("2-1", "larger"),
            ("9-17", "up to 16"),
            ("1-10", "8 CU apart"),
            ("57", "largest"),
            ("big", "not a size"),
            ("", "not a size"),
        ] {
            let error = text.parse::<ComputeRange>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
