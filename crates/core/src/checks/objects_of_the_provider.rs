//! Objects of roles of the provider.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "objects-of-the-provider",
    severity: Severity::Note,
    area: Area::Database,
    of_replication: false,
    looks_for: "objects of roles of the provider",
    why: "Somebody made them with the provider's own role; on the target they belong to the owner of the database as all others do.",
    look: Look::Listed { one: "object of a role of the provider", remedy: "see that they are the application's and not the provider's; leave tables out with --exclude-table if they are not" },
};
