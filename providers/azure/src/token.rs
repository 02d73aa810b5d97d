//! Access tokens: one for each scope, kept until shortly before it ends.

use std::collections::HashMap;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use crate::credential::CredentialSource;
use crate::fault::Fault;

/// A token is renewed when it has less than this to live.
const EARLY: time::Duration = time::Duration::minutes(5);

/// An access token.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    expires: OffsetDateTime,
    /// Counts renewals, so that of several requests that meet one dead token only the first renews it.
    pub(crate) generation: u64,
}

#[derive(Default)]
struct Held {
    credential: Option<Arc<dyn TokenCredential>>,
    tokens: HashMap<String, Token>,
    generation: u64,
}

/// The tokens of one credential.
pub(crate) struct Tokens {
    source: CredentialSource,
    held: Mutex<Held>,
}

impl Tokens {
    pub(crate) fn new(source: CredentialSource) -> Self {
        Self { source, held: Mutex::default() }
    }

    /// The token for `scope`; a new one if the one of generation `refused` is still held. One request at a time: the
    /// others get what it brought.
    pub(crate) async fn get(&self, scope: &str, refused: Option<u64>) -> Result<Token, Fault> {
        let mut held = self.held.lock().await;
        let usable = |token: &&Token| token.expires > OffsetDateTime::now_utc() + EARLY && Some(token.generation) != refused;
        if let Some(token) = held.tokens.get(scope).filter(usable) {
            return Ok(token.clone());
        }
        if refused.is_some() {
            // azure_identity keeps tokens until they expire, even refused ones: only a new credential asks again.
            held.credential = None;
        }
        let credential = match &held.credential {
            Some(credential) => credential.clone(),
            None => held.credential.insert(self.source.open()?).clone(),
        };
        let fresh = credential.get_token(&[scope], None).await.map_err(|error| self.source.fault(&error))?;
        held.generation += 1;
        let value = SecretString::from(fresh.token.secret().to_owned());
        let token = Token { value, expires: fresh.expires_on, generation: held.generation };
        held.tokens.insert(scope.to_owned(), token.clone());
        Ok(token)
    }
}
