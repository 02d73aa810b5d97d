//! One HTTP exchange with a cloud: its file format, its recording from live traffic, and its replay.
//!
//! `--record` and the fixtures share the format ([`Exchange`]). What is written down is sanitized by an allow-list
//! (`harmless`): whatever is not known to be harmless is replaced by a pseudonym of its kind, the same one throughout a recording, so that
//! a replay still fits together.

mod fixture;
mod harmless;
mod http;
mod messages;
mod pseudonyms;
mod recorder;
#[cfg(feature = "replay")]
pub mod replay;
mod sanitize;

pub use fixture::{Exchange, Request, Response};
pub use http::{Answer, Http, client};
pub use recorder::{Cloud, Received, Recorder, Recording, Sent};
