//! A key vault with the application's connection string in it: secrets and their versions, as the data plane of 7.4 shows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::arm::{Audience, Azure};
use crate::http::{Answer, Api, Call, proxy_page};
use crate::random;

/// The vault; it trusts whoever Entra ID gave a token for vaults.
pub(crate) struct Vault {
    azure: Arc<Azure>,
    /// Where the world finds it.
    origin: String,
    /// Each secret's versions, the newest last.
    secrets: Mutex<BTreeMap<String, Vec<Version>>>,
}

#[derive(Clone)]
struct Version {
    id: String,
    value: String,
    content_type: Value,
    tags: Value,
    created: i64,
}

fn error(status: StatusCode, code: &str, message: impl Into<String>) -> Answer {
    let message: String = message.into();
    Answer::new(status, json!({ "error": { "code": code, "message": message } }))
}

impl Vault {
    /// A vault with one secret, of one version.
    pub(crate) fn new(azure: Arc<Azure>, origin: String, secret: &str, value: &str) -> Self {
        let vault = Self { azure, origin, secrets: Mutex::default() };
        vault.add(secret, value, json!("text/plain"), json!({ "team": "shop" }));
        vault
    }

    /// The values of a secret's versions, the oldest first.
    pub(crate) fn values(&self, secret: &str) -> Vec<String> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.get(secret).into_iter().flatten().map(|version| version.value.clone()).collect()
    }

    fn add(&self, secret: &str, value: &str, content_type: Value, tags: Value) -> Version {
        let id = random::uuid().replace('-', "");
        let version = Version { id, value: value.to_owned(), content_type, tags, created: jiff::Timestamp::now().as_second() };
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.entry(secret.to_owned()).or_default().push(version.clone());
        version
    }

    fn get(&self, secret: &str, version: Option<&str>) -> Option<Version> {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let versions = secrets.get(secret)?;
        version.map_or_else(|| versions.last(), |id| versions.iter().find(|version| version.id == id)).cloned()
    }

    fn bundle(&self, secret: &str, version: &Version) -> Answer {
        let mut bundle = json!({
            "value": version.value,
            "id": format!("{}/secrets/{secret}/{}", self.origin, version.id),
            "attributes": {
                "enabled": true,
                "created": version.created,
                "updated": version.created,
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
        });
        for (field, value) in [("contentType", &version.content_type), ("tags", &version.tags)] {
            if !value.is_null() {
                bundle[field] = value.clone();
            }
        }
        Answer::ok(bundle)
    }

    fn route(&self, call: &Call) -> Answer {
        let identity = &self.azure.identity;
        if !call.bearer().is_some_and(|token| identity.admits(token, Audience::Vault)) {
            let tenant = &identity.tenant;
            return error(StatusCode::UNAUTHORIZED, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.").with(
                "www-authenticate",
                format!("Bearer authorization=\"https://login.microsoftonline.com/{tenant}\", resource=\"https://vault.azure.net\""),
            );
        }
        if call.query("api-version").is_none_or(str::is_empty) {
            return error(StatusCode::BAD_REQUEST, "BadParameter", "api-version must be specified");
        }
        let segments: Vec<&str> = call.segments.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
        match (&call.method, segments.as_slice()) {
            (&Method::GET, ["secrets", secret, version @ ..]) if version.len() < 2 => match self.get(secret, version.first().copied()) {
                Some(version) => self.bundle(secret, &version),
                None => error(
                    StatusCode::NOT_FOUND,
                    "SecretNotFound",
                    format!("A secret with (name/id) {} was not found in this key vault.", segments[1..].join("/")),
                ),
            },
            (&Method::PUT, ["secrets", secret]) => self.set(call, secret),
            _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The simulated key vault has nothing there."),
        }
    }

    fn set(&self, call: &Call, secret: &str) -> Answer {
        if !secret.chars().all(|character| character.is_ascii_alphanumeric() || character == '-') {
            return error(StatusCode::BAD_REQUEST, "BadParameter", format!("The request URI contains an invalid name: {secret}"));
        }
        let Ok(mut body) = call.json() else { return error(StatusCode::BAD_REQUEST, "BadParameter", "The request body is no JSON.") };
        let Some(value) = body["value"].as_str().map(str::to_owned) else {
            return error(StatusCode::BAD_REQUEST, "BadParameter", "Property  has invalid value");
        };
        let version = self.add(secret, &value, body["contentType"].take(), body["tags"].take());
        self.bundle(secret, &version)
    }
}

impl Api for Vault {
    fn name(&self, _path: &str) -> &'static str {
        "vault"
    }

    fn answer(self: Arc<Self>, call: Call) -> BoxFuture<'static, Answer> {
        Box::pin(async move {
            self.route(&call)
                .with("x-ms-keyvault-region", "uksouth")
                .with("x-ms-request-id", random::uuid())
                .with("strict-transport-security", "max-age=31536000;includeSubDomains")
        })
    }

    fn refusal(&self, status: StatusCode) -> Answer {
        match status.as_u16() {
            429 => {
                error(status, "Throttled", "Request was not processed because too many requests were received.").with("retry-after", "1")
            }
            500 => error(status, "InternalServerError", "An error occurred while processing the request."),
            _ => proxy_page(status),
        }
    }
}
