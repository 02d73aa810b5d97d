//! Writing exchanges down as they end.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use url::Url;

use crate::fixture::{Exchange, Request, Response};
use crate::sanitize::{Sanitizer, Scene, Segments};

/// The two clouds; each has a folder in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Azure Resource Manager and Entra ID.
    Azure,
    /// Neon's API.
    Neon,
}

impl Cloud {
    const ALL: [Self; 2] = [Self::Azure, Self::Neon];

    fn folder(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Neon => "neon",
        }
    }
}

/// A request as it was sent.
pub struct Sent<'a> {
    /// In capitals.
    pub method: &'a str,
    /// Where to.
    pub url: &'a Url,
    /// Names and values.
    pub headers: Vec<(&'a str, &'a str)>,
    /// May be empty.
    pub body: &'a [u8],
}

/// A whole answer as it was received.
pub struct Received<'a> {
    /// The HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(&'a str, &'a str)>,
    /// May be empty.
    pub body: &'a [u8],
}

/// A folder that gets the exchanges with both clouds, sanitized.
#[derive(Clone)]
pub struct Recording(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    on_failure: Box<dyn Fn(&io::Error) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sanitizer: Sanitizer,
    counts: [usize; Cloud::ALL.len()],
    failed: bool,
}

/// The recorder of one cloud's exchanges.
#[derive(Clone)]
pub struct Recorder {
    recording: Recording,
    cloud: Cloud,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({})", self.cloud.folder())
    }
}

impl Recording {
    /// Makes the folder; one that holds a recording already is refused, since its pseudonyms are forgotten. The first exchange that
    /// can't be written is told to `on_failure`; none stops anything.
    pub fn begin(folder: &Path, on_failure: impl Fn(&io::Error) + Send + Sync + 'static) -> io::Result<Self> {
        for cloud in Cloud::ALL {
            let folder = folder.join(cloud.folder());
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            if fs::read_dir(&folder)?.next().is_some() {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} holds a recording already", folder.display())));
            }
        }
        let state = Mutex::default();
        Ok(Self(Arc::new(Shared { folder: folder.to_owned(), on_failure: Box::new(on_failure), state })))
    }

    /// The recorder of this cloud's exchanges.
    pub fn of(&self, cloud: Cloud) -> Recorder {
        Recorder { recording: self.clone(), cloud }
    }

    /// What stands for `original` in the recording; none if it did not occur, or stayed as it is.
    pub fn pseudonym(&self, original: &str) -> Option<String> {
        self.state().sanitizer.pseudonyms.get(original).map(str::to_owned)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// Writes an exchange down; without an answer it was lost after the request was sent.
    pub fn note(&self, sent: &Sent<'_>, received: Option<&Received<'_>>) {
        // One at a time: the numbers are the order in which the exchanges ended.
        let mut state = self.recording.state();
        let (exchange, name) = sanitized(&mut state.sanitizer, sent, received);
        let count = &mut state.counts[self.cloud as usize];
        *count += 1;
        let file = self.recording.0.folder.join(self.cloud.folder()).join(format!("{count:02}-{name}.json"));
        if let Err(error) = write(&file, &exchange) {
            tracing::warn!(file = %file.display(), %error, "an exchange is not recorded");
            if !std::mem::replace(&mut state.failed, true) {
                (self.recording.0.on_failure)(&error);
            }
        }
    }
}

fn sanitized(sanitizer: &mut Sanitizer, sent: &Sent<'_>, received: Option<&Received<'_>>) -> (Exchange, String) {
    let scene = Scene::of(sent.url);
    let (path, segments) = sanitizer.request_path(sent.url);
    let body = match serde_json::from_slice::<Value>(sent.body) {
        _ if sent.body.is_empty() => None,
        Ok(json @ (Value::Object(_) | Value::Array(_))) => Some(sanitizer.json(&scene, json)),
        // A form: it may be nothing but secrets.
        _ => Some(Value::from("*")),
    };
    let headers = sanitizer.headers(&scene, &sent.headers);
    let response = match received {
        None => Response { lost: true, ..Response::default() },
        Some(received) => {
            let (body, text) = match serde_json::from_slice::<Value>(received.body) {
                _ if received.body.is_empty() => (None, None),
                Ok(json) => (Some(sanitizer.json(&scene, json)), None),
                Err(_) => (None, Some(Sanitizer::other(&String::from_utf8_lossy(received.body)))),
            };
            Response { lost: false, status: received.status, headers: sanitizer.headers(&scene, &received.headers), body, text }
        }
    };
    let host = sanitizer.public_host(sent.url.host_str().unwrap_or_default());
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d");
    let exchange = Exchange {
        provenance: format!("recorded {date} by azure2neon --record against {host}, sanitized"),
        request: Request { method: sent.method.to_owned(), path, headers, body },
        response,
        repeat: false,
    };
    (exchange, call_name(sent.method, &segments))
}

/// `get-configurations-wal-level`: the method and the last words of the path that are not somebody's names.
fn call_name(method: &str, segments: &Segments) -> String {
    let says = |(segment, public): &(String, bool)| *public && !["api", "v2", "v2.0"].contains(&segment.as_str());
    let last = segments.len().saturating_sub(2);
    let mut words: Vec<&str> = segments[last..].iter().filter(|segment| says(segment)).map(|(word, _)| word.as_str()).collect();
    if words.is_empty() {
        words.extend(segments.iter().rfind(|segment| says(segment)).map(|(word, _)| word.as_str()));
    }
    let mut name = method.to_lowercase();
    for word in words {
        name.push('-');
        for c in word.chars() {
            match c {
                'A'..='Z' if name.ends_with(|last: char| last.is_ascii_lowercase()) => {
                    let _ = write!(name, "-{}", c.to_ascii_lowercase());
                }
                'A'..='Z' | 'a'..='z' | '0'..='9' => name.push(c.to_ascii_lowercase()),
                _ => name.push('-'),
            }
        }
    }
    name
}

/// Whole or not at all, and for its owner only, as temporary files are.
fn write(file: &Path, exchange: &Exchange) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".").tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut new, exchange)?;
    new.write_all(b"\n")?;
    new.persist_noclobber(file)?;
    Ok(())
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
