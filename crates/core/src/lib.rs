//! The domain of azure2neon: plan, engine, journal, events, steps, and the two clouds as traits.
//!
//! A plan is a list of steps. The engine observes, applies and journals each one. Renderers read events. Nothing here
//! speaks HTTP, knows a terminal or reads the environment.

pub mod access;
pub mod basis;
pub mod call;
pub mod catalog_comparison;
pub mod checks;
pub mod clock;
pub mod cloud;
pub mod comparison;
pub mod compute;
pub mod context;
pub mod control;
mod copying;
pub mod direction;
pub mod door;
pub mod dry_restore;
pub mod engine;
pub mod epochs;
mod error;
pub mod estimate;
pub mod event;
pub mod explain;
mod fencing;
pub mod handover;
pub mod held;
pub mod journal;
pub mod operation;
pub mod patience;
pub mod plan;
pub mod planner;
pub mod residue;
pub mod selection;
pub mod settings;
pub mod steps;
pub mod survey;
pub mod units;
pub mod way_back;

pub use error::{Error, ErrorKind, Result};
