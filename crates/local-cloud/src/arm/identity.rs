//! Entra ID: one tenant with one application.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::error;
use crate::http::Answer;
use crate::random;

/// How long a token is good.
pub(super) const LIFE: Duration = Duration::from_secs(3599);

/// The tenant, the application, its secret, and the tokens that were given out.
pub(crate) struct Identity {
    pub(crate) tenant: String,
    pub(crate) client: String,
    pub(crate) secret: SecretString,
    /// A token that is good from the start and for ever, for clients that can't log in.
    pub(crate) token: SecretString,
    issued: Mutex<HashSet<String>>,
    issued_for_database: Mutex<HashSet<String>>,
    issued_for_vault: Mutex<HashSet<String>>,
}

/// Whom a token is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Arm,
    /// The databases of PostgreSQL servers.
    Database,
    /// Key vaults.
    Vault,
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self {
            tenant: random::uuid(),
            client: random::uuid(),
            // The shape of a real one: 40 characters with a tilde.
            secret: random::secret("l0c~", 36),
            token: random::secret("local.", 64),
            issued: Mutex::default(),
            issued_for_database: Mutex::default(),
            issued_for_vault: Mutex::default(),
        }
    }

    /// Every token that was given out and is still good.
    pub(crate) fn issued(&self) -> Vec<String> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The same of those for the database, good or not.
    pub(crate) fn issued_for_database(&self) -> Vec<String> {
        self.issued_for_database.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The same of those for key vaults.
    pub(crate) fn issued_for_vault(&self) -> Vec<String> {
        self.issued_for_vault.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Forgets every token that was given out, as if they had expired.
    pub(crate) fn expire_tokens(&self) {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the token was given out for that.
    pub(crate) fn admits(&self, token: &str, audience: Audience) -> bool {
        self.issued_to(audience).lock().unwrap_or_else(PoisonError::into_inner).contains(token)
    }

    fn issued_to(&self, audience: Audience) -> &Mutex<HashSet<String>> {
        match audience {
            Audience::Arm => &self.issued,
            Audience::Database => &self.issued_for_database,
            Audience::Vault => &self.issued_for_vault,
        }
    }

    /// Whether the bearer may come in; else the answer to give.
    pub(super) fn check(&self, bearer: Option<&str>, origin: &str) -> Result<(), Answer> {
        let refuse = |code: &str, message: &str| {
            error(StatusCode::UNAUTHORIZED, code, message).with(
                "www-authenticate",
                format!("Bearer authorization_uri=\"{origin}/{}\", error=\"invalid_token\", error_description=\"{message}\"", self.tenant),
            )
        };
        match bearer {
            None => Err(refuse("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")),
            Some(token) if token == self.token.expose_secret() || self.admits(token, Audience::Arm) => Ok(()),
            Some(_) => Err(refuse("InvalidAuthenticationToken", "The access token is invalid.")),
        }
    }

    /// The client-credentials grant: whom a token is asked for.
    pub(super) fn grant(&self, tenant: &str, body: &[u8]) -> Result<Audience, Answer> {
        let field = |name: &str| {
            url::form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        if !tenant.eq_ignore_ascii_case(&self.tenant) {
            return Err(refused(StatusCode::BAD_REQUEST, "invalid_request", 90002, &format!("Tenant '{tenant}' not found.")));
        }
        if field("grant_type") != "client_credentials" {
            return Err(refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."));
        }
        let client = field("client_id");
        if !client.eq_ignore_ascii_case(&self.client) {
            let message = format!("Application with identifier '{client}' was not found in the directory '{tenant}'.");
            return Err(refused(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, &message));
        }
        if field("client_secret") != self.secret.expose_secret() {
            let message = format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'."
            );
            return Err(refused(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, &message));
        }
        let scope = field("scope");
        Ok(match scope.as_str() {
            _ if scope.starts_with("https://ossrdbms-aad.") => Audience::Database,
            _ if scope.starts_with("https://vault.") => Audience::Vault,
            _ => Audience::Arm,
        })
    }

    /// A new token.
    pub(super) fn issue(&self, audience: Audience) -> String {
        // As long as a real one, which not every client takes for a password.
        let length = if audience == Audience::Database { 1800 } else { 64 };
        let token = format!("local.{}", random::alphanumeric(length));
        self.issued_to(audience).lock().unwrap_or_else(PoisonError::into_inner).insert(token.clone());
        token
    }

    /// The tenant's OpenID document.
    pub(super) fn openid(&self, tenant: &str, origin: &str) -> Answer {
        let issuer = format!("{origin}/{tenant}/v2.0");
        Answer::ok(json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/devicecode"),
            "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
        }))
    }
}

/// The answer with a token.
pub(super) fn granted(token: &str) -> Answer {
    Answer::ok(json!({ "token_type": "Bearer", "expires_in": LIFE.as_secs(), "ext_expires_in": LIFE.as_secs(), "access_token": token }))
        .with("cache-control", "no-store, no-cache")
}

/// An error of the token endpoint, in the words of the security token service.
pub(super) fn refused(status: StatusCode, code: &str, number: u32, message: &str) -> Answer {
    let (trace, correlation) = (random::uuid(), random::uuid());
    let time = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    Answer::new(
        status,
        json!({
            "error": code,
            "error_description": format!("AADSTS{number}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
            "error_codes": [number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
        }),
    )
}
