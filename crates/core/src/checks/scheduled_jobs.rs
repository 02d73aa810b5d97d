//! Scheduled jobs.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "scheduled-jobs",
    severity: Severity::Warns,
    area: Area::Database,
    of_replication: false,
    looks_for: "schedules of jobs",
    why: "Jobs are rows of their extension, which are not carried over; and a job that writes while the source is fenced is ended, as everybody is.",
    look: Look::Listed { one: "schedule of jobs", remedy: "note the jobs (`select * from cron.job`), and schedule them on the target after the cut-over" },
};
