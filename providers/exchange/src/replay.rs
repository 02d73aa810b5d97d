//! A strict replay of recorded HTTP exchanges, for tests.
//!
//! A request takes the first exchange that matches and is left; one that finds none, and an exchange that nobody asks for, fail the test.
//! `"repeat": true` lets an exchange be used more than once, `"lost": true` in place of a response closes the connection after the
//! request was read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{Exchange, Request as Asked};

struct State {
    origin: String,
    left: Vec<Left>,
    problems: Vec<String>,
}

struct Left {
    file: PathBuf,
    exchange: Exchange,
    used: u32,
}

/// A running replay.
pub struct Replay {
    /// `scheme://host:port`.
    pub origin: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// How connections are accepted: as they are, or with TLS on them.
pub trait Accept: Clone + Send + Sync + 'static {
    /// The scheme of the origin.
    const SCHEME: &'static str;
    /// The stream to speak HTTP on.
    fn accept(&self, tcp: tokio::net::TcpStream) -> impl Future<Output = Option<impl AsyncRead + AsyncWrite + Unpin + Send>> + Send;
}

/// No TLS.
#[derive(Clone)]
pub struct Plain;

impl Accept for Plain {
    const SCHEME: &'static str = "http";
    async fn accept(&self, tcp: tokio::net::TcpStream) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send> {
        Some(tcp)
    }
}

/// TLS with a fresh certificate for `localhost`.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// The replay's end of it, and a client's that trusts it alone. Panics without a TLS provider.
    pub fn fresh() -> (Self, rustls::ClientConfig) {
        Self::try_fresh().unwrap_or_else(|error| panic!("no TLS for a replay: {error}"))
    }

    fn try_fresh() -> Result<(Self, rustls::ClientConfig), Box<dyn std::error::Error>> {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let certificate = key.cert.der().clone();
        let private = PrivateKeyDer::try_from(key.signing_key.serialize_der())?;
        let server = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], private)?;
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate)?;
        let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok((Self(TlsAcceptor::from(Arc::new(server))), client))
    }
}

impl Accept for Tls {
    const SCHEME: &'static str = "https";
    async fn accept(&self, tcp: tokio::net::TcpStream) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send> {
        self.0.accept(tcp).await.ok()
    }
}

impl Replay {
    /// Serves the exchanges of these scenarios, one after the other. A scenario is a folder of `fixtures` such as `azure/restart`, or
    /// any other by its absolute path. Panics if one can't be read.
    pub async fn start(accept: impl Accept, scenarios: &[&str]) -> Self {
        fn scheme<A: Accept>(_: &A) -> &'static str {
            A::SCHEME
        }
        let left =
            scenarios.iter().flat_map(|scenario| exchanges(scenario)).map(|(file, exchange)| Left { file, exchange, used: 0 }).collect();
        let (listener, port) = listen().await.unwrap_or_else(|error| panic!("no port for a replay: {error}"));
        let origin = format!("{}://localhost:{port}", scheme(&accept));
        let state = Arc::new(Mutex::new(State { origin: origin.clone(), left, problems: Vec::new() }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (accept, state) = (accept.clone(), shared.clone());
                tokio::spawn(async move {
                    if let Some(stream) = accept.accept(tcp).await {
                        serve(stream, &state).await;
                    }
                });
            }
        });
        Self { origin, state }
    }

    /// Panics unless every request had its exchange and every exchange its request.
    pub fn finish(&self) {
        let state = lock(&self.state);
        let unused = state.left.iter().filter(|left| left.used == 0).map(|left| format!("nobody asked for {}", left.file.display()));
        let all: Vec<String> = state.problems.iter().cloned().chain(unused).collect();
        assert!(all.is_empty(), "{}", all.join("\n"));
    }
}

/// The exchanges of a scenario, by their files, in order. Panics if one can't be read.
pub fn exchanges(scenario: &str) -> Vec<(PathBuf, Exchange)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(scenario);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort_by_key(|file| number(file));
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let exchange: Exchange = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(!exchange.provenance.is_empty(), "{} does not say where it is from", file.display());
            (file, exchange)
        })
        .collect()
}

/// `7` of `07-get-server.json`.
fn number(file: &Path) -> u32 {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let digits = name.split('-').next().unwrap_or_default();
    digits.parse().unwrap_or_else(|_| panic!("{} does not begin with its number", file.display()))
}

async fn listen() -> std::io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send, state: &Mutex<State>) {
    let Some(request) = receive(&mut stream).await else { return };
    let answer = choose(&request, &mut lock(state));
    if let Some(answer) = answer {
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }
}

async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, path, headers, body })
}

/// The bytes to answer with; none for an answer that is lost.
fn choose(request: &Request, state: &mut State) -> Option<Vec<u8>> {
    let fits = |left: &&mut Left| (left.used == 0 || left.exchange.repeat) && matches(&left.exchange.request, request);
    let Some(Left { exchange, used, .. }) = state.left.iter_mut().find(fits) else {
        let text = format!("no exchange for {} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
        // In both clouds' envelopes, and nothing that a client would try again.
        let body = json!({ "error": { "code": "NoExchange", "message": text }, "message": text }).to_string();
        state.problems.push(text);
        return Some(answer(400, &BTreeMap::new(), &body));
    };
    *used += 1;
    let reply = exchange.response.clone();
    if reply.lost {
        return None;
    }
    let body = reply.text.or(reply.body.map(|body| body.to_string())).unwrap_or_default().replace("{origin}", &state.origin);
    let headers = reply.headers.into_iter().map(|(name, value)| (name, value.replace("{origin}", &state.origin))).collect();
    Some(answer(reply.status, &headers, &body))
}

fn answer(status: u16, headers: &BTreeMap<String, String>, body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Replayed\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{head}\r\n{body}").into_bytes()
}

fn matches(asked: &Asked, request: &Request) -> bool {
    let header = |name: &str| request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let body = match &asked.body {
        None => true,
        Some(Value::String(pattern)) => wild(pattern, &String::from_utf8_lossy(&request.body)),
        Some(json) => serde_json::from_slice::<Value>(&request.body).is_ok_and(|body| body == *json),
    };
    asked.method == request.method
        && wild(&asked.path, &request.path)
        && body
        && asked.headers.iter().all(|(name, value)| header(name).is_some_and(|is| wild(value, is)))
}

/// Whether `text` is like `pattern`, in which a `*` stands for anything.
pub fn wild(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| wild(rest, &text[at..]))),
    }
}
