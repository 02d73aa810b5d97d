//! The control endpoint, which no cloud has: faults on request, and what was asked so far.
//!
//! | call | what it does |
//! |---|---|
//! | `GET /calls` | every call to either API so far, without headers and bodies |
//! | `GET /faults` | the faults that wait for their calls |
//! | `POST /faults` | `{"method": "PUT", "path": "/configurations/", "times": 2, "fault": …}`: lets the next calls of that kind fail |
//! | `DELETE /faults` | forgets them |
//! | `DELETE /tokens` | makes every ARM token that was given out invalid, as time does |

use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Answer, Api, Armed, Call, Faults};

/// The control endpoint.
pub(crate) struct Control {
    pub(crate) faults: Arc<Faults>,
    /// Makes the ARM tokens invalid.
    pub(crate) expire_tokens: Box<dyn Fn() + Send + Sync>,
}

impl Api for Control {
    fn name(&self, _: &str) -> &'static str {
        "control"
    }

    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move { self.route(&call) })
    }

    fn refusal(&self, status: StatusCode) -> Answer {
        Answer::new(status, json!({ "message": status.canonical_reason() }))
    }
}

impl Control {
    fn route(&self, call: &Call) -> Answer {
        let words: Vec<&str> = call.segments.iter().map(String::as_str).collect();
        match (&call.method, words.as_slice()) {
            (&Method::GET, ["calls"]) => Answer::ok(json!(self.faults.calls())),
            (&Method::GET, ["faults"]) => Answer::ok(json!(self.faults.armed())),
            (&Method::POST, ["faults"]) => match serde_json::from_slice::<Armed>(&call.body) {
                Ok(armed) => {
                    self.faults.arm(armed);
                    Answer::empty(StatusCode::NO_CONTENT)
                }
                Err(error) => Answer::new(StatusCode::BAD_REQUEST, json!({ "message": error.to_string() })),
            },
            (&Method::DELETE, ["faults"]) => {
                self.faults.disarm();
                Answer::empty(StatusCode::NO_CONTENT)
            }
            (&Method::DELETE, ["tokens"]) => {
                (self.expire_tokens)();
                Answer::empty(StatusCode::NO_CONTENT)
            }
            _ => Answer::new(StatusCode::NOT_FOUND, json!({ "message": "GET /calls, GET, POST or DELETE /faults, DELETE /tokens" })),
        }
    }
}
