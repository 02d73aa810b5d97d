//! The HTTP client under `azure_mgmt_postgresql`: checks where a request goes, and adds the token.
//!
//! The crate itself only ever holds a placeholder, because it prints tokens to the log and would send them to whatever
//! host a `nextLink` names.

use azure2neon_core::patience;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core_legacy as legacy;
use azure2neon_exchange::Http;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use time::OffsetDateTime;
use url::Url;

use crate::fault::Fault;
use crate::token::Tokens;

/// A successful answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An answer for what was done already.
    pub(crate) fn done() -> Self {
        Self { status: 204, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long the server asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// From the crate's response, which hides nothing: it came out of this transport.
    pub(crate) async fn from_crate(response: legacy::Response) -> Result<Self, Fault> {
        let (status, crate_headers, body) = response.deconstruct();
        let mut headers = HeaderMap::new();
        for (name, value) in crate_headers.iter() {
            let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.as_str())) {
                headers.insert(name, value);
            }
        }
        Ok(Self { status: u16::from(status), headers, body: body.collect().await? })
    }
}

/// The header `Retry-After`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    patience::retry_after(headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?)
}

/// The transport of one ARM endpoint with one credential.
pub(crate) struct Transport {
    http: Http,
    origin: url::Origin,
    host: String,
    scope: String,
    tokens: Arc<Tokens>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({})", self.host)
    }
}

impl Transport {
    pub(crate) fn new(http: Http, endpoint: &Url, scope: String, tokens: Arc<Tokens>) -> Self {
        let host = endpoint.host_str().unwrap_or_default().to_owned();
        Self { http, origin: endpoint.origin(), host, scope, tokens }
    }

    /// Gets `url` without the crate in between: for operations, whose addresses are signed and must not be logged,
    /// and for lists that the crate would read too strictly.
    pub(crate) async fn get(&self, url: Url) -> Result<Answer, Fault> {
        self.execute(reqwest::Method::GET, url, HeaderMap::new(), Bytes::new()).await
    }

    /// The same identity's transport to another service, whose tokens have another scope.
    pub(crate) fn toward(&self, endpoint: &Url, scope: &str) -> Self {
        Self::new(self.http.clone(), endpoint, scope.to_owned(), Arc::clone(&self.tokens))
    }

    /// Sends a request of which only the body's form is known here.
    pub(crate) async fn send(&self, method: reqwest::Method, url: Url, body: Option<&serde_json::Value>) -> Result<Answer, Fault> {
        let mut headers = HeaderMap::new();
        let body = body.map(|body| {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Bytes::from(body.to_string())
        });
        self.execute(method, url, headers, body.unwrap_or_default()).await
    }

    async fn execute(&self, method: reqwest::Method, url: Url, headers: HeaderMap, body: Bytes) -> Result<Answer, Fault> {
        if url.origin() != self.origin {
            return Err(Fault::Foreign(url.origin().ascii_serialization()));
        }
        let mut refused = None;
        loop {
            let (bearer, generation) = self.bearer(refused).await?;
            let mut request = self.http.request(method.clone(), url.clone()).headers(headers.clone());
            // Azure answers 411 to a POST without a length.
            if !body.is_empty() || method == reqwest::Method::POST {
                request = request.body(body.clone());
            }
            let answered = self.http.send(request.header(AUTHORIZATION, bearer)).await.map_err(|error| self.silence(error))?;
            let azure2neon_exchange::Answer { status, headers, body } = answered;
            tracing::debug!(%method, path = url.path(), status, "Azure answered");
            if status == 401 && refused.is_none() {
                // Revoked, or refused by a policy that changed: a new token may do.
                refused = Some(generation);
                continue;
            }
            if (200..300).contains(&status) {
                return Ok(Answer { status, headers, body });
            }
            let request_id = headers.get("x-ms-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
            return Err(Fault::answer(status, &body, retry_after(&headers), request_id));
        }
    }

    fn silence(&self, error: reqwest::Error) -> Fault {
        if error.is_connect() || error.is_builder() {
            Fault::NotSent { host: self.host.clone(), cause: patience::with_causes(&error.without_url()) }
        } else {
            Fault::Lost { host: self.host.clone(), cause: patience::with_causes(&error.without_url()) }
        }
    }

    /// The token as a header, and its generation; a new one if the one of generation `refused` is still held.
    async fn bearer(&self, refused: Option<u64>) -> Result<(HeaderValue, u64), Fault> {
        let token = self.tokens.get(&self.scope, refused).await?;
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.value.expose_secret()))
            .map_err(|_| Fault::Credential("it holds characters that no token has".to_owned()))?;
        header.set_sensitive(true);
        Ok((header, token.generation))
    }
}

#[async_trait]
impl legacy::HttpClient for Transport {
    async fn execute_request(&self, request: &legacy::Request) -> legacy::Result<legacy::Response> {
        let method =
            reqwest::Method::from_bytes(request.method().as_ref().as_bytes()).map_err(|error| Fault::Malformed(error.to_string()))?;
        let legacy::Body::Bytes(body) = request.body() else {
            return Err(Fault::Malformed("a streamed request".to_owned()).into());
        };
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter() {
            // The placeholder; and the lengths, which reqwest sets.
            if ["authorization", "content-length"].contains(&name.as_str()) {
                continue;
            }
            let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.as_str())) {
                headers.insert(name, value);
            }
        }
        let answer = self.execute(method, request.url().clone(), headers, body.clone()).await?;
        let status = legacy::StatusCode::try_from(answer.status).map_err(|_| Fault::Malformed(format!("HTTP status {}", answer.status)))?;
        let mut headers = legacy::headers::Headers::new();
        for (name, value) in &answer.headers {
            if let Ok(value) = value.to_str() {
                headers.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        // `ready`, not an async block: the crate's stream must be `Sync`.
        let body = futures::stream::once(std::future::ready(Ok(answer.body)));
        Ok(legacy::Response::new(status, headers, Box::pin(body)))
    }
}

/// What the crate holds instead of a credential.
#[derive(Debug)]
pub(crate) struct Placeholder;

#[async_trait]
impl legacy::auth::TokenCredential for Placeholder {
    async fn get_token(&self, _: &[&str]) -> legacy::Result<legacy::auth::AccessToken> {
        let later = OffsetDateTime::now_utc() + time::Duration::hours(1);
        Ok(legacy::auth::AccessToken::new("placeholder", later))
    }

    async fn clear_cache(&self) -> legacy::Result<()> {
        Ok(())
    }
}
