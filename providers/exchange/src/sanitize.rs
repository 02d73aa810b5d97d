//! Takes out of an exchange what is not known to be harmless.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::{Map, Value};
use url::Url;

use crate::harmless::{self, Treatment};
use crate::messages;
use crate::pseudonyms::{Kind, Pseudonyms};

/// What replaces words for people that are not known.
const REPLACED_TEXT: &str = "replaced text";

/// Suffixes of the host names that the clouds give.
const HOST_SUFFIXES: &[&str] = &[".azure.com", ".chinacloudapi.cn", ".neon.build", ".neon.tech", ".usgovcloudapi.net"];

static UUID: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").ok());
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?$").ok());
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+Z?$").ok());

fn is(pattern: &Option<Regex>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// The memory of one recording: pseudonyms, and the words that Azure's catalog offers as values.
#[derive(Default)]
pub(crate) struct Sanitizer {
    pub(crate) pseudonyms: Pseudonyms,
    words: HashSet<String>,
}

/// What an exchange is about, as far as it decides what is harmless.
pub(crate) struct Scene {
    /// `scheme://host:port` of the request: links back there stay whole.
    origin: String,
    /// Whether it is about server parameters, whose catalog is public.
    parameters: bool,
    /// Whether it is about an application's settings or secrets: then no value of it stays, whatever its field is called.
    secrets: bool,
}

impl Scene {
    /// The scene of a request to `url`.
    pub(crate) fn of(url: &Url) -> Self {
        let path = url.path().to_lowercase();
        Self {
            origin: url.origin().ascii_serialization(),
            parameters: path.contains("/configurations"),
            secrets: ["/appsettings", "/secrets/", "/containerapps/"].iter().any(|kind| path.contains(kind)),
        }
    }
}

/// A path without its query: each segment, and whether it stayed.
pub(crate) type Segments = Vec<(String, bool)>;

impl Sanitizer {
    /// The host that a recording says it was made against.
    pub(crate) fn public_host(&mut self, host: &str) -> String {
        if harmless::PUBLIC_HOSTS.contains(&host) { host.to_owned() } else { self.shaped(host).unwrap_or_else(|| self.host(host)) }
    }

    /// Path and query of a request; the segments are for the exchange's name.
    pub(crate) fn request_path(&mut self, url: &Url) -> (String, Segments) {
        let segments = self.segments(url.path());
        let path: Vec<&str> = segments.iter().map(|(segment, _)| segment.as_str()).collect();
        let query = url.query().map(|query| format!("?{}", self.query(query))).unwrap_or_default();
        (format!("{}{query}", path.join("/")), segments)
    }

    /// The headers that are known to be harmless.
    pub(crate) fn headers(&mut self, scene: &Scene, headers: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for (name, value) in headers {
            let name = name.to_lowercase();
            if let Some((_, treatment)) = harmless::HEADERS.iter().find(|(known, _)| *known == name) {
                kept.insert(name, self.text(scene, *treatment, value));
            }
        }
        kept
    }

    /// A body of JSON.
    pub(crate) fn json(&mut self, scene: &Scene, value: Value) -> Value {
        self.value(scene, "", Some(Treatment::Nested), value)
    }

    /// A body of anything else.
    pub(crate) fn other(body: &str) -> String {
        let start = body.trim_start().to_lowercase();
        let html = start.starts_with("<html") || start.starts_with("<!doctype html");
        if html { "<html>replaced</html>".to_owned() } else { REPLACED_TEXT.to_owned() }
    }

    fn value(&mut self, scene: &Scene, field: &str, treatment: Option<Treatment>, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(_) if treatment == Some(Treatment::Keep) && !scene.secrets => value,
            Value::Number(_) => Value::from(0),
            Value::String(text) => Value::String(match treatment {
                Some(treatment) => self.text(scene, treatment, &text),
                None => self.unknown(&text),
            }),
            Value::Array(all) => all.into_iter().map(|one| self.value(scene, field, treatment, one)).collect(),
            Value::Object(fields) => Value::Object(self.object(scene, field, fields)),
        }
    }

    fn object(&mut self, scene: &Scene, name: &str, fields: Map<String, Value>) -> Map<String, Value> {
        if scene.parameters {
            self.learn(&fields);
        }
        let mut kept = Map::new();
        for (field, value) in fields {
            let of_parameter = scene.parameters && field == "name";
            let treatment = if of_parameter { Some(Treatment::Keep) } else { harmless::treatment(name, &field) };
            let value = self.value(scene, &field, treatment, value);
            let field = if treatment.is_some() { field } else { self.pseudonyms.of(Kind::Field, &field) };
            kept.insert(field, value);
        }
        kept
    }

    /// Takes note of the words that a parameter may have as its value.
    fn learn(&mut self, fields: &Map<String, Value>) {
        let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
        if matches!(text("dataType"), "Boolean" | "Enumeration" | "Set") {
            self.words.extend(text("allowedValues").split(',').map(|word| word.trim().to_lowercase()));
        }
    }

    fn text(&mut self, scene: &Scene, treatment: Treatment, text: &str) -> String {
        match treatment {
            Treatment::Keep if !scene.secrets && is_plain(text) && self.shaped(text).is_none() => text.to_owned(),
            Treatment::Catalog if scene.parameters => text.to_owned(),
            Treatment::Setting if scene.parameters && self.is_setting(text) => text.to_owned(),
            Treatment::Name => self.named(Kind::Name, text),
            Treatment::Id => self.named(Kind::Id, text),
            Treatment::Host => self.host(text),
            Treatment::Secret => self.pseudonyms.of(Kind::Secret, text),
            Treatment::Link => self.link(&scene.origin, text),
            Treatment::Message | Treatment::Catalog => self.message(text),
            Treatment::Keep | Treatment::Setting | Treatment::Nested => self.unknown(text),
        }
    }

    fn unknown(&mut self, text: &str) -> String {
        self.shaped(text).unwrap_or_else(|| self.pseudonyms.of(Kind::Secret, text))
    }

    fn named(&mut self, kind: Kind, text: &str) -> String {
        if harmless::COMMON_NAMES.iter().any(|common| common.eq_ignore_ascii_case(text)) {
            return text.to_owned();
        }
        self.shaped(text).unwrap_or_else(|| self.pseudonyms.of(kind, text))
    }

    /// Values that tell by themselves what they are.
    fn shaped(&mut self, text: &str) -> Option<String> {
        if is(&UUID, text) {
            return Some(self.pseudonyms.of(Kind::Uuid, text));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            // "From anywhere" and "up to everywhere" are nobody's.
            let nobodys = address.is_unspecified() || address.is_broadcast();
            return Some(if nobodys { text.to_owned() } else { self.pseudonyms.of(Kind::Address, text) });
        }
        if text.contains("://") {
            return Some(self.link("", text));
        }
        if text.to_lowercase().starts_with("/subscriptions/") {
            return Some(self.path(text));
        }
        HOST_SUFFIXES.iter().any(|suffix| text.to_lowercase().ends_with(suffix)).then(|| self.host(text))
    }

    /// The pooler's host is the compute's with a longer first label, also in a recording.
    fn host(&mut self, host: &str) -> String {
        match host.split_once('.').and_then(|(label, domain)| Some((label.strip_suffix("-pooler")?, domain))) {
            Some((label, domain)) => {
                let direct = self.pseudonyms.of(Kind::Host, &format!("{label}.{domain}"));
                direct.replacen('.', "-pooler.", 1)
            }
            None => self.pseudonyms.of(Kind::Host, host),
        }
    }

    /// A link to `origin` stays one; of any other, only path and query are left.
    fn link(&mut self, origin: &str, text: &str) -> String {
        let Ok(url) = Url::parse(text) else { return self.unknown_link(text) };
        let (path, _) = self.request_path(&url);
        if url.origin().ascii_serialization() == origin {
            return format!("{{origin}}{path}");
        }
        let host = url.host_str().map(|host| self.shaped(host).unwrap_or_else(|| self.host(host))).unwrap_or_default();
        let user = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (name, None) => format!("{}@", self.named(Kind::Name, &decoded(name))),
            (name, Some(password)) => {
                format!("{}:{}@", self.named(Kind::Name, &decoded(name)), self.pseudonyms.of(Kind::Secret, &decoded(password)))
            }
        };
        let scheme = url.scheme();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{user}{host}{port}{path}")
    }

    /// Relative links are paths; anything else says nothing.
    fn unknown_link(&mut self, text: &str) -> String {
        if text.starts_with('/') { self.path(text) } else { self.pseudonyms.of(Kind::Secret, text) }
    }

    fn path(&mut self, text: &str) -> String {
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let segments: Vec<String> = self.segments(path).into_iter().map(|(segment, _)| segment).collect();
        let query = query.map(|query| format!("?{}", self.query(query))).unwrap_or_default();
        format!("{}{query}", segments.join("/"))
    }

    fn segments(&mut self, path: &str) -> Segments {
        let mut before = String::new();
        let mut all = Vec::new();
        for segment in path.split('/') {
            let lower = segment.to_lowercase();
            let public = match before.as_str() {
                "configurations" | "locations" => is_plain(&decoded(segment)),
                _ => harmless::SEGMENTS.contains(&lower.as_str()),
            };
            let kept = if public || segment.is_empty() { segment.to_owned() } else { self.named(Kind::Name, &decoded(segment)) };
            all.push((kept, public));
            before = lower;
        }
        all
    }

    fn query(&mut self, query: &str) -> String {
        let parts: Vec<String> = query
            .split('&')
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                let value = decoded(&value.replace('+', " "));
                match harmless::QUERY.iter().find(|(known, _)| *known == name) {
                    Some((_, Treatment::Keep)) if is_plain(&value) => part.to_owned(),
                    Some((_, Treatment::Id)) => format!("{name}={}", self.named(Kind::Id, &value)),
                    Some((_, Treatment::Name)) => format!("{name}={}", self.named(Kind::Name, &value)),
                    // Names of parameters are the service's; but what has no `=` could be anything.
                    _ if part.contains('=') && is_plain(&decoded(name)) => format!("{name}=*"),
                    _ => "*".to_owned(),
                }
            })
            .collect();
        parts.join("&")
    }

    fn message(&mut self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        messages::known(text, |part| self.hole(part)).unwrap_or_else(|| REPLACED_TEXT.to_owned())
    }

    /// What a sentence names.
    fn hole(&mut self, text: &str) -> String {
        if text.is_empty() || is(&NUMBER, text) || is(&TIME, text) || harmless::STATES.contains(&text) || RESOURCES.contains(&text) {
            return text.to_owned();
        }
        if let Some(shaped) = self.shaped(text) {
            return shaped;
        }
        if text.contains(char::is_whitespace) {
            return REPLACED_TEXT.to_owned();
        }
        if text.contains('/') { self.path(text) } else { self.named(Kind::Name, text) }
    }

    fn is_setting(&self, text: &str) -> bool {
        let word = |word: &str| {
            let word = word.trim().to_lowercase();
            is(&NUMBER, &word) || ["on", "off", "true", "false"].contains(&word.as_str()) || self.words.contains(&word)
        };
        text.split(',').all(word)
    }
}

/// What Neon calls its things when one is not found.
const RESOURCES: &[&str] = &["branch", "database", "database owner", "endpoint", "operation", "organization", "project", "role", "route"];

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A short text of words, numbers and the punctuation of times, versions and media types.
fn is_plain(text: &str) -> bool {
    text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._:;=/+,-$".contains(c))
}

#[cfg(test)]
#[path = "sanitize_tests.rs"]
mod tests;
