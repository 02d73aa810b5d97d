//! The target's cloud: Neon, over its API v2.
//!
//! `api` sends a request and waits out what passes, `operations` waits for what a request started, `cloud` is the trait,
//! `regions` holds what no API tells.

mod api;
mod branches;
mod cloud;
mod fault;
mod limits;
mod model;
mod operations;
mod organisation;
mod pace;
mod projects;
mod regions;
mod settings;
mod uri;

#[cfg(test)]
mod tests;

pub use cloud::{NeonCloud, Settings};
