//! An HTTP client whose exchanges can be recorded.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Url};

use crate::recorder::{Received, Recorder, Sent};

/// A client that reads whole answers, and records what it exchanges if it was given a recorder.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    recorder: Option<Recorder>,
}

/// A whole answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// The client of a cloud's API. It follows no redirect, which would take the token along; an answer that takes longer counts as lost.
pub fn client(tls: rustls::ClientConfig, answer_timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(20))
        .timeout(answer_timeout)
        .user_agent(concat!("azure2neon/", env!("CARGO_PKG_VERSION")))
}

impl Http {
    /// Sends with `client`.
    pub fn new(client: reqwest::Client, recorder: Option<Recorder>) -> Self {
        Self { client, recorder }
    }

    /// Begins a request.
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends the request and reads its answer to the end.
    pub async fn send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let request = request.build()?;
        let Some(recorder) = &self.recorder else { return self.exchange(request).await };
        let (method, url) = (request.method().clone(), request.url().clone());
        let headers = request.headers().clone();
        let body = request.body().and_then(|body| body.as_bytes()).map(Bytes::copy_from_slice).unwrap_or_default();
        let outcome = self.exchange(request).await;
        let sent = Sent { method: method.as_str(), url: &url, headers: readable(&headers), body: &body };
        match &outcome {
            Ok(answer) => {
                let received = Received { status: answer.status, headers: readable(&answer.headers), body: &answer.body };
                recorder.note(&sent, Some(&received));
            }
            // Without a connection nothing was exchanged.
            Err(error) if error.is_connect() => {}
            Err(_) => recorder.note(&sent, None),
        }
        outcome
    }

    async fn exchange(&self, request: reqwest::Request) -> reqwest::Result<Answer> {
        let response = self.client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }
}

fn readable(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}
