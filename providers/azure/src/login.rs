//! The HTTP client of azure_identity, recorded on request.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode};
use azure2neon_exchange::{Received, Recorder, Sent};
use bytes::Bytes;

/// `http` as azure_identity wants it.
pub(crate) fn client(http: reqwest::Client, recorder: Option<Recorder>) -> Arc<dyn HttpClient> {
    match recorder {
        Some(recorder) => Arc::new(Recorded { http, recorder }),
        None => Arc::new(http),
    }
}

#[derive(Debug)]
struct Recorded {
    http: reqwest::Client,
    recorder: Recorder,
}

#[async_trait]
impl HttpClient for Recorded {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let method = request.method();
        let sent = Sent {
            method: method.as_ref(),
            url: request.url(),
            headers: request.headers().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: match request.body() {
                Body::Bytes(bytes) => bytes,
                Body::SeekableStream(_) => &[],
            },
        };
        match self.exchange(request).await {
            Ok((status, headers, body)) => {
                let readable = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                self.recorder.note(&sent, Some(&Received { status: status.into(), headers: readable, body: &body }));
                Ok(AsyncRawResponse::from_bytes(status, headers, body))
            }
            Err(error) => {
                // Without a connection nothing was exchanged.
                if !matches!(error.kind(), ErrorKind::Connection) {
                    self.recorder.note(&sent, None);
                }
                Err(error)
            }
        }
    }
}

impl Recorded {
    async fn exchange(&self, request: &Request) -> azure_core::Result<(StatusCode, Headers, Bytes)> {
        let (status, headers, body) = self.http.execute_request(request).await?.deconstruct();
        Ok((status, headers, body.collect().await?))
    }
}
