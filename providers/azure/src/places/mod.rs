//! Places of a hand-over that Azure keeps: secrets of Key Vault and Container Apps, settings of App Service.
//!
//! All are written alike: looked at, written, and looked at again when no answer came, so that a lost answer is no lost write.

mod app_service;
mod container_app;
mod key_vault;
mod service;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure2neon_core::handover::{Connection, Keepsakes, Place};
use azure2neon_core::settings::Destination;
use azure2neon_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::cloud::AzureCloud;
use crate::fault::{Call, Fault};
use crate::pace::Tries;
use app_service::AppService;
use container_app::ContainerApp;
use key_vault::KeyVault;
use service::Service;

/// A value as it was read, with the document that it was read from, which a write starts from.
struct Now {
    value: SecretString,
    document: Value,
}

impl Now {
    fn is(&self, value: &SecretString) -> bool {
        self.value.expose_secret() == value.expose_secret()
    }
}

/// One value that Azure keeps.
#[async_trait]
trait Held: Send + Sync {
    /// Its service.
    fn service(&self) -> &Service;

    /// The command that shows it to people.
    fn look(&self) -> String;

    /// The value now.
    async fn read(&self) -> Result<Now>;

    /// One try to write it over what was just read.
    async fn write(&self, now: &Now, value: &SecretString) -> std::result::Result<(), Fault>;

    /// What the write takes, for the error's text, and the right to do it.
    fn writing(&self) -> Call;

    /// Lets the application take it up, once it is written.
    async fn take_up(&self) -> Result<()> {
        Ok(())
    }

    /// What to keep so that `kept` finds the value that is there now.
    fn to_keep(&self, now: &Now) -> SecretString {
        now.value.clone()
    }

    /// The value that was there then.
    async fn kept(&self, kept: SecretString) -> Result<SecretString> {
        Ok(kept)
    }
}

/// A value that Azure keeps as a place of a hand-over.
struct AzurePlace<H> {
    name: String,
    held: H,
    keepsakes: Keepsakes,
}

impl<H: Held> AzurePlace<H> {
    /// Writes until it reads so.
    async fn set(&self, value: &SecretString) -> Result<()> {
        let call = self.held.writing();
        let mut tries = Tries::write(&self.held.service().pace);
        let mut unknown = false;
        loop {
            let now = self.held.read().await.map_err(|error| if unknown { self.unknown(error) } else { error })?;
            if now.is(value) {
                return self.held.take_up().await;
            }
            let Err(fault) = self.held.write(&now, value).await else {
                return self.held.take_up().await;
            };
            unknown = fault.is_ambiguous();
            if !tries.again(&fault).await {
                let error = self.held.service().error(&call, fault);
                return Err(if unknown { self.unknown(error) } else { error });
            }
        }
    }

    /// The error where nobody knows whether the write was done.
    fn unknown(&self, error: Error) -> Error {
        let text = format!("it is not known whether {} was written, for no answer came: {error}", self.name);
        Error::new(error.kind(), text)
            .hint(format!("look at it with `{}`, and run the same command again: it looks first", self.held.look()))
    }

    async fn expect(&self, value: &SecretString) -> Result<()> {
        if self.held.read().await?.is(value) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Cloud, format!("{} holds something else than what was just written", self.name))
            .hint(format!("look for who else changes it: `{}`", self.held.look())))
    }
}

/// What a value looks like that only refers to a secret of Key Vault.
const REFERENCE: &str = "@Microsoft.KeyVault(";

#[async_trait]
impl<H: Held> Place for AzurePlace<H> {
    fn name(&self) -> String {
        self.name.clone()
    }

    async fn check(&self, _pause: Duration) -> Result<()> {
        if self.held.read().await?.value.expose_secret().starts_with(REFERENCE) {
            return Err(Error::new(ErrorKind::Configuration, "it refers to a secret of a key vault, which it would no longer do")
                .hint("name that secret with kind = \"key-vault\" under [[hand_over.to]], and restart the app by a command"));
        }
        Ok(())
    }

    async fn before(&self, to: &Connection) -> Result<Value> {
        let now = self.held.read().await?;
        if !now.is(&to.url()) || !self.keepsakes.has(&self.name) {
            self.keepsakes.keep(&self.name, &self.held.to_keep(&now))?;
        }
        Ok(Value::Null)
    }

    async fn point(&self, to: &Connection) -> Result<()> {
        self.set(&to.url()).await
    }

    async fn verify(&self, to: &Connection) -> Result<()> {
        self.expect(&to.url()).await
    }

    async fn restore(&self, _before: &Value, _old: &Connection) -> Result<()> {
        let old = self.held.kept(self.keepsakes.kept(&self.name)?).await?;
        self.set(&old).await?;
        self.expect(&old).await
    }

    async fn forget(&self, _before: &Value) -> Result<()> {
        self.keepsakes.forget(&self.name)
    }
}

impl AzureCloud {
    /// The place of a hand-over that Azure keeps; it reads and writes with this identity.
    ///
    /// # Errors
    /// `Configuration` if a name can't be one.
    pub fn place(self: &Arc<Self>, destination: &Destination, keepsakes: &Keepsakes) -> Result<Arc<dyn Place>> {
        let name = destination.to_string();
        let keepsakes = keepsakes.clone();
        Ok(match destination {
            Destination::KeyVault { vault, secret } => Arc::new(AzurePlace { name, held: KeyVault::new(self, vault, secret)?, keepsakes }),
            Destination::AppService { app, slot, setting } => {
                Arc::new(AzurePlace { name, held: AppService::new(self, app, slot.as_deref(), setting)?, keepsakes })
            }
            Destination::ContainerApp { app, secret } => {
                Arc::new(AzurePlace { name, held: ContainerApp::new(self, app, secret)?, keepsakes })
            }
            other => return Err(Error::new(ErrorKind::Internal, format!("{other} is not on Azure"))),
        })
    }
}

/// Refuses a name that would leave its place in a path.
fn check_name(what: &str, name: &str) -> Result<()> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.len() <= 127 && name.chars().all(good) && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Configuration, format!("`{name}` can't be the name of {what}")))
}
