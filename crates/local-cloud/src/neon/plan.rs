//! What a plan allows, and what every compute has to keep to.

use hyper::StatusCode;
use serde_json::Value;

use super::{error, invalid};
use crate::http::Answer;

/// What the account has subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plan {
    /// Costs nothing: two compute units, half a gigabyte, six hours of history, and computes that suspend when Neon says so.
    Free,
    /// Paid by use; a week of history.
    Launch,
    /// Paid by use; thirty days of history.
    #[default]
    Scale,
}

impl Plan {
    /// As the API spells it.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::Free => "free_v3",
            Self::Launch => "launch_v3",
            Self::Scale => "scale_v3",
        }
    }

    /// Seconds.
    fn longest_history(self) -> i64 {
        match self {
            Self::Free => 21_600,
            Self::Launch => 604_800,
            Self::Scale => 2_592_000,
        }
    }

    /// Seconds of history of a project whose creation asks for none.
    pub(super) fn default_history(self) -> i64 {
        self.longest_history().min(86_400)
    }

    /// In compute units, of a compute that scales.
    pub(super) fn largest_range(self) -> f64 {
        match self {
            Self::Free => 2.0,
            Self::Launch | Self::Scale => 16.0,
        }
    }

    /// In compute units, of a compute of one size.
    fn largest_compute(self) -> f64 {
        match self {
            Self::Free => 2.0,
            Self::Launch => 16.0,
            Self::Scale => 56.0,
        }
    }

    /// Bytes that a branch may hold.
    pub(super) fn size_limit(self) -> u64 {
        match self {
            Self::Free => 512 << 20,
            Self::Launch | Self::Scale => 16 << 40,
        }
    }

    /// Branches of a project.
    pub(super) fn branches(self) -> usize {
        match self {
            Self::Free => 10,
            Self::Launch | Self::Scale => 5000,
        }
    }

    /// The history that a request asks for, if it does, in seconds.
    pub(super) fn history(self, wanted: &Value) -> Result<Option<i64>, Answer> {
        let Some(seconds) = wanted["history_retention_seconds"].as_i64() else { return Ok(None) };
        if seconds < 0 {
            return Err(invalid("history_retention_seconds: value must not be negative"));
        }
        let most = self.longest_history();
        if seconds > most {
            return Err(error(
                StatusCode::BAD_REQUEST,
                format!(
                    "requested history retention seconds exceeds allowed maximum; requested_history_retention_seconds:\"{seconds}\", max:\"{most}\""
                ),
            ));
        }
        Ok(Some(seconds))
    }

    /// Refuses what no compute of this plan can have: `wanted` is what the request says, `result` what would become of it.
    pub(super) fn check_compute(self, wanted: &Value, result: &Value) -> Result<(), Answer> {
        let units = |field: &str| result[field].as_f64();
        if let (Some(low), Some(high)) = (units("autoscaling_limit_min_cu"), units("autoscaling_limit_max_cu")) {
            let scales = high > low;
            let most = if scales { self.largest_range() } else { self.largest_compute() };
            if low < 0.25 || high < low || high > most || (scales && high - low > 8.0) {
                return Err(invalid(format!("autoscaling limits {low}..{high} are not allowed")));
            }
        }
        if self == Self::Free && !wanted["suspend_timeout_seconds"].is_null() {
            return Err(error(StatusCode::BAD_REQUEST, "suspend interval changing is not allowed for your account"));
        }
        match result["suspend_timeout_seconds"].as_i64() {
            None | Some(-1 | 0 | 60..=604_800) => Ok(()),
            Some(seconds) => Err(invalid(format!("suspend_timeout_seconds {seconds} is not allowed"))),
        }
    }
}
