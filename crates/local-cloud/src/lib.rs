//! Azure and Neon on one machine: both HTTP APIs in front of real PostgreSQL servers.
//!
//! [`LocalCloud::start`] brings up a flexible server behind Azure Resource Manager and an empty Neon account, and writes settings that
//! lead azure2neon there. Nothing leaves the machine; everything listens on addresses of one random network 127.x.y.0/24:
//!
//! | address | what |
//! |---|---|
//! | .1 | ARM and login (8080, TLS 8443), a key vault (8180), Neon's API (9080, TLS 9443) |
//! | .2 | the Azure server as the operator sees it |
//! | .3 | Neon's proxy |
//! | .4 … | Neon's NAT gateways in front of the Azure server, one for each region in use |
//! | .20 | the Azure server itself, behind its firewall |
//! | .21 … | Neon's computes, behind the proxy |
//!
//! Nothing here shares a type with the providers: a misread API must not be right on both sides.

pub mod application;
mod arm;
mod discovery;
mod error;
mod http;
mod neon;
mod network;
mod options;
mod pooler;
mod random;
mod servers;
mod settings;
mod tasks;
mod tls;
mod vault;
pub mod workload;

mod cloud;

pub use cloud::LocalCloud;
pub use discovery::{POSTGRES_VARIABLE, Postgres, find_postgres};
pub use error::Error;
pub use http::{Fault, Recorded};
pub use neon::Plan;
pub use network::Link;
pub use options::Options;
pub use pooler::{Pooler, PoolerOptions};
