//! Clients that connect without TLS.

use super::{Area, Check, Look};
use crate::plan::Severity;

pub(crate) const CHECK: Check = Check {
    id: "clients-without-tls",
    severity: Severity::Warns,
    area: Area::Server,
    of_replication: false,
    looks_for: "clients that connect without TLS",
    why: "Neon takes connections with TLS only, and finds the database by the host name that comes with it: after the hand-over they can't connect.",
    look: Look::Listed {
        one: "client that connects without TLS",
        remedy: "let them use `sslmode=verify-full` with the system's roots, which works on Azure, too, before the hand-over",
    },
};
