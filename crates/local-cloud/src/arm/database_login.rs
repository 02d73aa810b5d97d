//! Logins to the server's databases with tokens of Entra ID.
//!
//! The real server asks Entra ID at each login. This one knows passwords only, so a token becomes the password of the role
//! that stands for the application, for as long as it lives; an older token is no longer good then.

use hyper::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::Azure;
use super::identity::{Audience, LIFE, granted, refused};
use crate::error::{Doing, Result};
use crate::http::{Answer, Call};
use crate::servers::{identifier, literal, verifier};

impl Azure {
    /// The token endpoint.
    pub(super) async fn token(&self, call: &Call) -> Answer {
        let audience = match self.identity.grant(&call.segments[0], &call.body) {
            Ok(audience) => audience,
            Err(answer) => return answer,
        };
        let token = self.identity.issue(audience);
        if audience == Audience::Database
            && let Err(error) = self.set_database_login(Some(&token)).await
        {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", 90033, &error.to_string());
        }
        granted(&token)
    }

    /// Lets no token in any more that was given out so far.
    pub(crate) async fn expire_database_login(&self) -> Result<()> {
        self.set_database_login(None).await
    }

    async fn set_database_login(&self, token: Option<&str>) -> Result<()> {
        let Some(role) = &self.entra_administrator else { return Ok(()) };
        let password = token.map_or("null".to_owned(), |token| literal(&verifier(&SecretString::from(token))));
        let until = literal(&(jiff::Timestamp::now() + LIFE).to_string());
        let statement = format!("alter role {} password {password} valid until {until}", identifier(role));
        self.server.superuser("postgres").await?.batch_execute(&statement).await.doing(|| format!("changing the login of {role}"))
    }

    /// How roles log in, as ARM shows it.
    pub(super) fn auth_config(&self) -> Value {
        let switch = |on: bool| if on { "Enabled" } else { "Disabled" };
        let mut config =
            json!({ "activeDirectoryAuth": switch(self.entra_administrator.is_some()), "passwordAuth": switch(self.password_login) });
        if self.entra_administrator.is_some() {
            config["tenantId"] = json!(self.identity.tenant);
        }
        config
    }
}
