//! The sockets of an API, with and without TLS.
//!
//! hyper is used without a framework on top, since a lost answer means to hang up on a client, which a framework's handler can't;
//! and ARM's paths don't care for case, which no router matches.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Answer, Api, Call, Fault, Faults, Recorded};

/// No request of these APIs comes near to that.
const LONGEST_BODY: usize = 1 << 20;

/// Answers requests for as long as the listener lives.
pub(crate) async fn serve<A: Api>(api: Arc<A>, faults: Arc<Faults>, listener: TcpListener, tls: Option<Arc<ServerConfig>>) {
    let host = listener.local_addr().map(|address| address.to_string()).unwrap_or_default();
    let front = Arc::new(Front { api, faults, scheme: if tls.is_some() { "https" } else { "http" }, host });
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let front = Arc::clone(&front);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match acceptor {
                None => front.connection(stream).await,
                // Somebody who does not trust our authority hangs up here; that is their business.
                Some(acceptor) => match acceptor.accept(stream).await {
                    Ok(stream) => front.connection(stream).await,
                    Err(error) => tracing::debug!("TLS with a client of {}: {error}", front.host),
                },
            }
        });
    }
}

struct Front<A> {
    api: Arc<A>,
    faults: Arc<Faults>,
    scheme: &'static str,
    host: String,
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up on purpose")]
struct HangUp;

impl<A: Api> Front<A> {
    async fn connection(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| Arc::clone(&self).request(request));
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn request(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, HangUp> {
        let method = request.method().to_string();
        let path = request.uri().path().to_owned();
        let api = self.api.name(&path);
        let fault = self.faults.take(api, &method, &path);
        let failed = fault.is_some();
        let call = |status| Recorded { api, method, path, status, failed };
        if fault == Some(Fault::Stall) {
            self.faults.record(call(0));
            // Until the client gives up, which drops this.
            return std::future::pending().await;
        }
        let answered = self.answer(request, fault.as_ref()).await;
        self.faults.record(call(answered.as_ref().map_or(0, |answer| answer.status.as_u16())));
        answered.map(|answer| {
            let Ok(response) = response(answer);
            response
        })
    }

    async fn answer(&self, request: Request<Incoming>, fault: Option<&Fault>) -> Result<Answer, HangUp> {
        match fault {
            Some(Fault::LoseRequest) => return Err(HangUp),
            Some(Fault::Status(status)) => {
                return Ok(self.api.refusal(StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)));
            }
            Some(Fault::Answer { status, body, retry_after }) => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut answer = Answer { status, headers: Vec::new(), body: Some(body.clone()).filter(|body| *body != Value::Null) };
                if let Some(seconds) = retry_after {
                    answer = answer.with("retry-after", seconds.to_string());
                }
                return Ok(answer);
            }
            Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
            _ => {}
        }
        let answer = match self.call(request).await {
            Ok(call) => Arc::clone(&self.api).answer(call).await,
            Err(answer) => answer,
        };
        if matches!(fault, Some(Fault::LoseAnswer)) { Err(HangUp) } else { Ok(answer) }
    }

    async fn call(&self, request: Request<Incoming>) -> Result<Call, Answer> {
        let (head, body) = request.into_parts();
        let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or(&self.host);
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let body = Limited::new(body, LONGEST_BODY)
            .collect()
            .await
            .map_err(|_| Answer::new(StatusCode::PAYLOAD_TOO_LARGE, json!({ "message": "request body too large" })))?
            .to_bytes();
        Ok(Call {
            segments: head.uri.path().split('/').skip(1).map(decode).collect(),
            query: url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect::<HashMap<_, _>>(),
            origin: format!("{}://{host}", self.scheme),
            method: head.method,
            headers: head.headers,
            body,
        })
    }
}

fn response(answer: Answer) -> Result<Response<Full<Bytes>>, Infallible> {
    let (content_type, body) = match answer.body {
        None => (None, Bytes::new()),
        Some(Value::String(page)) => (Some("text/html; charset=utf-8"), Bytes::from(page)),
        Some(body) => (Some("application/json; charset=utf-8"), Bytes::from(body.to_string())),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert("content-type", hyper::header::HeaderValue::from_static(content_type));
    }
    headers.insert("cache-control", hyper::header::HeaderValue::from_static("no-cache"));
    for (name, value) in answer.headers {
        if let Ok(value) = hyper::header::HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}
