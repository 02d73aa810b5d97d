//! What both HTTP APIs have in common: calls, answers, faults on request and the sockets.

mod control;
mod faults;
mod serve;

use std::collections::HashMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::Value;

pub(crate) use control::Control;
pub(crate) use faults::{Armed, Faults, Outcome};
pub use faults::{Fault, Recorded};
pub(crate) use serve::serve;

/// One request.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path's segments, unescaped.
    pub(crate) segments: Vec<String>,
    pub(crate) query: HashMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// `http://host:port` as the client called it: links in answers lead back there.
    pub(crate) origin: String,
}

impl Call {
    /// The bearer token, if there is one.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get("authorization")?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// The body as JSON; null if there is none.
    pub(crate) fn json(&self) -> Result<Value, serde_json::Error> {
        if self.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&self.body) }
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

/// One response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Text is an HTML page, as proxies answer; anything else is JSON.
    pub(crate) body: Option<Value>,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    pub(crate) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// One of the APIs.
pub(crate) trait Api: Send + Sync + 'static {
    /// Whose this path is, for the record of calls.
    fn name(&self, path: &str) -> &'static str;

    fn answer(self: std::sync::Arc<Self>, call: Call) -> BoxFuture<'static, Answer>;

    /// What it says when it answers with this error status for no reason in the request.
    fn refusal(&self, status: StatusCode) -> Answer;
}

/// The page of a proxy that gets no answer from the API behind it.
pub(crate) fn proxy_page(status: StatusCode) -> Answer {
    Answer::new(status, Value::String(format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>")))
}
