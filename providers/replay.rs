//! A strict replay of recorded HTTP exchanges, for the tests of both providers (each includes this file).
//!
//! An exchange is a file of `fixtures/<cloud>/<scenario>/`. A request takes the first one that matches and is left; one that
//! finds none, and an exchange that nobody asks for, fail the test. `"repeat": true` lets an exchange be used more than
//! once, `"lost": true` in place of a response closes the connection after the request was read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    provenance: String,
    request: Asked,
    response: Reply,
    #[serde(default)]
    repeat: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    method: String,
    /// Path with query; a `*` stands for anything.
    path: String,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    /// JSON that must be equal, or text in which a `*` stands for anything.
    body: Option<Value>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default)]
    lost: bool,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: serde_json::Map<String, Value>,
    body: Option<Value>,
    text: Option<String>,
}

#[derive(Default)]
struct State {
    origin: String,
    left: Vec<(String, Exchange, u32)>,
    problems: Vec<String>,
}

/// A running replay.
pub(crate) struct Replay {
    /// `scheme://host:port`.
    pub(crate) origin: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// How connections are accepted: as they are, or with TLS on them.
pub(crate) trait Accept: Clone + Send + Sync + 'static {
    /// The scheme of the origin.
    const SCHEME: &'static str;
    /// The stream to speak HTTP on.
    fn accept(&self, tcp: tokio::net::TcpStream) -> impl Future<Output = Option<impl AsyncRead + AsyncWrite + Unpin + Send>> + Send;
}

/// No TLS.
#[derive(Clone)]
#[allow(dead_code, reason = "one of the two crates that include this file uses TLS only")]
pub(crate) struct Plain;

impl Accept for Plain {
    const SCHEME: &'static str = "http";
    async fn accept(&self, tcp: tokio::net::TcpStream) -> Option<impl AsyncRead + AsyncWrite + Unpin + Send> {
        Some(tcp)
    }
}

impl Replay {
    /// Serves the exchanges of these scenarios (`azure/restart`), one after the other.
    pub(crate) async fn start(accept: impl Accept, scenarios: &[&str]) -> Self {
        fn scheme<A: Accept>(_: &A) -> &'static str {
            A::SCHEME
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("{}://localhost:{}", scheme(&accept), listener.local_addr().unwrap().port());
        let left = scenarios.iter().flat_map(|scenario| load(scenario)).collect();
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

    /// Fails the test unless every request had its exchange and every exchange its request.
    pub(crate) fn finish(&self) {
        let state = self.state.lock().unwrap();
        let unused = state.left.iter().filter(|(_, _, used)| *used == 0).map(|(file, ..)| format!("nobody asked for {file}"));
        let all: Vec<String> = state.problems.iter().cloned().chain(unused).collect();
        assert!(all.is_empty(), "{}", all.join("\n"));
    }
}

fn load(scenario: &str) -> Vec<(String, Exchange, u32)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(scenario);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            let exchange: Exchange = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(!exchange.provenance.is_empty(), "{} does not say where it is from", file.display());
            (format!("{scenario}/{}", file.file_name().unwrap().to_string_lossy()), exchange, 0)
        })
        .collect()
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send, state: &Mutex<State>) {
    let Some(request) = receive(&mut stream).await else { return };
    let answer = choose(&request, &mut state.lock().unwrap());
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
    let found = state.left.iter_mut().find(|(_, exchange, used)| (*used == 0 || exchange.repeat) && matches(&exchange.request, request));
    let Some((_, exchange, used)) = found else {
        let text = format!("no exchange for {} {} {}", request.method, request.path, String::from_utf8_lossy(&request.body));
        state.problems.push(text);
        return Some(b"HTTP/1.1 599 No Exchange\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec());
    };
    *used += 1;
    let reply = exchange.response.clone();
    if reply.lost {
        return None;
    }
    let body = reply.text.or(reply.body.map(|body| body.to_string())).unwrap_or_default().replace("{origin}", &state.origin);
    let mut head = format!("HTTP/1.1 {} Replayed\r\ncontent-length: {}\r\nconnection: close\r\n", reply.status, body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap().replace("{origin}", &state.origin)));
    }
    Some(format!("{head}\r\n{body}").into_bytes())
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
        && asked.headers.iter().all(|(name, value)| value.as_str().is_some_and(|value| header(name).is_some_and(|is| wild(value, is))))
}

fn wild(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| wild(rest, &text[at..]))),
    }
}
