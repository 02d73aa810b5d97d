//! All that speaks to a PostgreSQL server: connecting, the inventory, schema, replication, copying, digests, the fence.
//!
//! Nothing here knows a cloud, a plan or a terminal. Every function either proves what it returns or fails with an [`Error`]
//! that names what was tried; nothing that holds a password can be displayed.

/// A query over user schemas, complete.
macro_rules! over_user_schemas {
    ($file:literal) => {
        concat!("with user_schema as (", include_str!("../sql/user_schemas.sql"), ") ", include_str!($file))
    };
    (recursive $file:literal) => {
        concat!("with recursive user_schema as (", include_str!("../sql/user_schemas.sql"), "), ", include_str!($file))
    };
}

pub mod assessment;
pub mod barrier;
pub mod catalog;
pub mod collation;
pub mod connect;
pub mod copy;
pub mod dependents;
pub mod digest;
pub mod error;
pub mod extensions;
pub mod fence;
pub mod ident;
pub mod inventory;
pub mod lsn;
pub mod merge;
pub mod proof;
pub mod replica_identity;
pub mod replication;
pub mod roles;
pub mod schema;
pub mod sequences;
pub mod server;
pub mod statistics;
pub mod subscription;
pub mod tls;
pub mod views;
pub mod volume;
pub mod walsender;

pub use connect::{Endpoint, Session};
pub use error::{Doing, Error, ErrorKind, Result};
pub use ident::{Ident, QualifiedName, conninfo_value, literal};
pub use inventory::{Inventory, Table};
pub use lsn::Lsn;
