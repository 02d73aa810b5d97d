//! Security labels.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "security-labels",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "objects with security labels",
    why: "Labels belong to an extension that reads them, such as an anonymiser; they are not carried over.",
    look: Look::Listed { one: "object with a security label", remedy: "label the objects on the target, if that extension is there" },
};
