//! A secret of Key Vault (data plane, version 7.4). Each write makes a new version; the old ones stay.

use std::sync::Arc;

use async_trait::async_trait;
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::{Held, Service, check_name};
use crate::cloud::AzureCloud;
use crate::fault::{Call, Fault};

const API_VERSION: &str = "7.4";

/// One secret of one vault.
pub(super) struct KeyVault {
    service: Service,
    vault: String,
    secret: String,
}

/// A version of a secret.
struct Version {
    value: SecretString,
    id: String,
}

impl KeyVault {
    /// `vault` is a name in the cloud that is configured, or an address.
    pub(super) fn new(cloud: &Arc<AzureCloud>, vault: &str, secret: &str) -> Result<Self> {
        check_name("a secret", secret)?;
        let addresses = cloud.environment.addresses();
        let address = if vault.contains("://") {
            vault.to_owned()
        } else {
            check_name("a key vault", vault)?;
            format!("https://{vault}{}", addresses.vault_suffix)
        };
        let endpoint = Url::parse(&address).ok().filter(|url| url.has_host() && matches!(url.path(), "" | "/"));
        let endpoint = endpoint.ok_or_else(|| {
            Error::new(ErrorKind::Configuration, format!("`{vault}` is neither a key vault's name nor its address"))
                .hint("as kv-shop, or https://kv-shop.vault.azure.net")
        })?;
        let arm = &cloud.arm;
        let service = Service {
            transport: Arc::new(arm.transport.toward(&endpoint, addresses.vault_scope)),
            endpoint,
            version: API_VERSION,
            credential: arm.credential.clone(),
            pace: arm.pace.clone(),
        };
        Ok(Self { service, vault: vault.to_owned(), secret: secret.to_owned() })
    }

    async fn version(&self, version: &str) -> Result<Version> {
        let Self { vault, secret, .. } = self;
        let call =
            Call::new(format!("read the secret {secret} of the key vault {vault}"), "Microsoft.KeyVault/vaults/secrets/getSecret/action");
        let path = format!("/secrets/{secret}/{version}");
        let value = self.service.ask(&call, Method::GET, path.trim_end_matches('/')).await?;
        let text = |field: &str| value[field].as_str().map(str::to_owned);
        let (Some(value), Some(id)) = (text("value"), text("id")) else {
            // It is not told what can't be read: it holds the secret.
            return Err(self.service.error(&call, Fault::Malformed("a secret".to_owned())));
        };
        Ok(Version { value: SecretString::from(value), id })
    }
}

#[async_trait]
impl Held for KeyVault {
    fn service(&self) -> &Service {
        &self.service
    }

    fn look(&self) -> String {
        format!("az keyvault secret show --vault-name {} --name {} --query attributes", self.vault, self.secret)
    }

    async fn read(&self) -> Result<SecretString> {
        Ok(self.version("").await?.value)
    }

    fn writing(&self) -> Call {
        let what = format!("write the secret {} of the key vault {}", self.secret, self.vault);
        Call::new(what, "Microsoft.KeyVault/vaults/secrets/setSecret/action")
    }

    /// Type and tags go along: a new version has none of its own.
    async fn write(&self, value: &SecretString) -> std::result::Result<(), Fault> {
        let path = format!("/secrets/{}", self.secret);
        let now = self.service.ask_quietly(Method::GET, &path).await?;
        let mut body = json!({ "value": value.expose_secret() });
        for field in ["contentType", "tags"] {
            if let Some(kept) = now.get(field).filter(|kept| !kept.is_null()) {
                body[field] = kept.clone();
            }
        }
        self.service.send(Method::PUT, &path, Some(&body)).await
    }

    /// The version's id: the vault keeps the value.
    async fn to_keep(&self) -> Result<SecretString> {
        Ok(SecretString::from(self.version("").await?.id))
    }

    async fn kept(&self, kept: SecretString) -> Result<SecretString> {
        let version = kept.expose_secret().rsplit('/').next().unwrap_or_default();
        check_name("a secret's version", version)?;
        Ok(self.version(version).await?.value)
    }
}
