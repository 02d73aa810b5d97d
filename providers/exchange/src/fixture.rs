//! The file format of an exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request and its answer: one file of `fixtures/<cloud>/<scenario>/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Where it is from: recorded, a vendor's example, or written from documentation, and which.
    pub provenance: String,
    /// What is asked.
    pub request: Request,
    /// What is answered.
    pub response: Response,
    /// Whether a replay may use it more than once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeat: bool,
}

/// What a request must be like for the exchange to be its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// In capitals.
    pub method: String,
    /// Path with query; a `*` stands for anything.
    pub path: String,
    /// Headers that must be there, by their names in lower case; a `*` stands for anything.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// JSON that must be equal, or text in which a `*` stands for anything; none matches every body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// An answer. `{origin}` in its headers and body stands for the `scheme://host:port` that was asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Whether the connection ends after the request was read, in place of an answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// The HTTP status; 0 if the answer is lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub status: u16,
    /// By their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A body of JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// A body of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

fn is_zero(status: &u16) -> bool {
    *status == 0
}
