//! The source's cloud: Azure Database for PostgreSQL, Flexible Server, over Azure Resource Manager (ARM).
//!
//! `azure_mgmt_postgresql` builds the requests; everything else that it would do is done here instead: the transport with
//! the token (`transport`, `token`), waiting for long-running operations (`operation`), and trying again (`pace`). Nothing of
//! the Azure crates shows in the public API.

mod cloud;
mod credential;
mod environment;
mod fault;
mod locate;
mod login;
mod model;
mod names;
mod operation;
mod pace;
mod places;
mod restart;
mod rights;
mod servers;
mod token;
mod transport;

#[cfg(test)]
mod tests;

pub use cloud::{AzureCloud, Settings};
pub use credential::{Credential, CredentialKind};
pub use environment::Environment;
