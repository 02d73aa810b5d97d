//! Comments on extensions.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "comments-on-extensions",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "comments on extensions that are not their own",
    why: "Only who owns an extension may comment on it, which on the target may be somebody else: these comments are not carried over.",
    look: Look::Listed { one: "comment on an extension that is not its own", remedy: "nothing to do; `comment on extension NAME is …` there, if somebody reads them" },
};
