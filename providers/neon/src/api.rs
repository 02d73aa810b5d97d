//! One request to Neon's API: its URL, its tries, its answer.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::fault::Fault;
use crate::pace::{Pace, jitter};
use azure2neon_core::patience::{self, Awaited};
use azure2neon_exchange::{Answer, Http};

/// What stays as it is in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');

/// Neon's API with one key.
pub(crate) struct Api {
    http: Http,
    base: Url,
    bearer: HeaderValue,
    pub(crate) pace: Pace,
}

/// A request: method, path, query and body.
#[derive(Clone)]
pub(crate) struct Request {
    method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Request {
    /// A request for the resource at these path segments.
    pub(crate) fn new(method: Method, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|segment| (*segment).to_owned()).collect();
        Self { method, segments, query: Vec::new(), body: None }
    }

    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    pub(crate) fn post(segments: &[&str], body: Value) -> Self {
        Self { body: Some(body), ..Self::new(Method::POST, segments) }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// `METHOD url body`, for people. What they don't know yet stands in ‹angle quotes›, which are left as they are.
    fn spell(&self, base: &Url) -> String {
        let url = self.url(base).map_or_else(|fault| fault.to_string(), |url| url.to_string());
        let url = url.replace("%E2%80%B9", "‹").replace("%E2%80%BA", "›");
        let body = self.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
        format!("{} {url}{body}", self.method)
    }

    fn url(&self, base: &Url) -> Result<Url, Fault> {
        let mut path = base.path().trim_end_matches('/').to_owned();
        for segment in &self.segments {
            // An empty segment would be another resource.
            if segment.is_empty() {
                return Err(Fault::Malformed("it holds an empty id".to_owned()));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        let mut url = base.clone();
        url.set_path(&path);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

impl Api {
    pub(crate) fn new(http: Http, base: Url, mut bearer: HeaderValue, pace: Pace) -> Self {
        bearer.set_sensitive(true);
        Self { http, base, bearer, pace }
    }

    /// The request as it would be sent.
    pub(crate) fn spell(&self, request: &Request) -> String {
        request.spell(&self.base)
    }

    /// Sends the request until it is answered or is not worth another try. A write whose answer is lost is not repeated.
    pub(crate) async fn send<T: DeserializeOwned>(&self, request: Request) -> Result<T, Fault> {
        let url = request.url(&self.base)?;
        let started = Instant::now();
        let mut silent = None;
        let mut delays = self.pace.retry.delays();
        loop {
            let fault = match self.once(&request, url.clone()).await {
                Ok(body) => return read(&body),
                Err(fault) => fault,
            };
            let read = request.method == Method::GET;
            let (since, most) = if fault.is_refused_for_now() {
                silent = None;
                (started, self.pace.locked)
            } else if fault.is_not_sent() || (read && fault.is_ambiguous()) {
                (*silent.get_or_insert_with(Instant::now), self.pace.silence)
            } else {
                return Err(fault);
            };
            let own = jitter(delays.next().unwrap_or(self.pace.retry.most));
            let delay = fault.retry_after().map_or(own, |asked| asked.min(self.pace.retry_after_most));
            if since.elapsed() + delay > most {
                return Err(fault);
            }
            tracing::debug!(fault = %fault, delay_ms = delay.as_millis() as u64, "trying again");
            let reason = format!("an answer of Neon; the last was: {fault}");
            self.pace.waits.pause(delay, Awaited { reason: &reason, age: since.elapsed(), deadline: most }).await;
        }
    }

    async fn once(&self, request: &Request, url: Url) -> Result<Vec<u8>, Fault> {
        let host = || self.base.host_str().unwrap_or_default().to_owned();
        let silence = |error: reqwest::Error| {
            let sent = !error.is_connect();
            let cause = patience::with_causes(&error.without_url());
            if sent { Fault::Lost { host: host(), cause } } else { Fault::NotSent { host: host(), cause } }
        };
        let mut call = self.http.request(request.method.clone(), url.clone()).header(AUTHORIZATION, self.bearer.clone());
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        let Answer { status, headers, body } = self.http.send(call).await.map_err(silence)?;
        tracing::debug!(method = %request.method, path = url.path(), status, "Neon answered");
        if (200..300).contains(&status) {
            return Ok(body.to_vec());
        }
        let id = headers.get("x-neon-ret-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        Err(Fault::answer(status, &body, retry_after(&headers), id))
    }
}

/// Reads an answer; 204 has none. The parser's message may quote a password, so only its place is told.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Fault::Malformed(format!("{:?} error at column {}", error.classify(), error.column())))
}

/// The header `Retry-After`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    patience::retry_after(headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_str(text).unwrap());
            retry_after(&headers)
        };
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        assert_eq!(of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(of("Wed, 21 Oct 2099 07:28:00 GMT").unwrap() > Duration::from_secs(60));
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn segments_are_escaped_and_never_empty() {
        let base = Url::parse("https://neon.test/api/v2/").unwrap();
        let url = Request::get(&["projects", "a/../b?c", "x.y"]).query("name", "a b&c").url(&base).unwrap();
        assert_eq!(url.as_str(), "https://neon.test/api/v2/projects/a%2F%2E%2E%2Fb%3Fc/x%2Ey?name=a+b%26c");
        assert!(Request::get(&["projects", ""]).url(&base).is_err());
    }
}
