//! A secret of Key Vault (data plane, version 7.4). Each write makes a new version; the old ones stay.

use std::sync::Arc;

use async_trait::async_trait;
use azure2neon_core::{Error, ErrorKind, Result};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::{Held, Now, Service, check_name};
use crate::cloud::AzureCloud;
use crate::fault::{Call, Fault};

const API_VERSION: &str = "7.4";

/// One secret of one vault.
pub(super) struct KeyVault {
    service: Service,
    vault: String,
    secret: String,
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

    /// A version of the secret; the newest if none is named.
    async fn version(&self, version: &str) -> Result<Now> {
        let Self { vault, secret, .. } = self;
        let call =
            Call::new(format!("read the secret {secret} of the key vault {vault}"), "Microsoft.KeyVault/vaults/secrets/getSecret/action");
        let path = format!("/secrets/{secret}/{version}");
        let document = self.service.ask(&call, Method::GET, path.trim_end_matches('/')).await?;
        let (Some(value), true) = (document["value"].as_str(), document["id"].is_string()) else {
            // It is not told what can't be read: it holds the secret.
            return Err(self.service.error(&call, Fault::Malformed("a secret".to_owned())));
        };
        Ok(Now { value: SecretString::from(value.to_owned()), document })
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

    async fn read(&self) -> Result<Now> {
        self.version("").await
    }

    fn writing(&self) -> Call {
        let what = format!("write the secret {} of the key vault {}", self.secret, self.vault);
        Call::new(what, "Microsoft.KeyVault/vaults/secrets/setSecret/action")
    }

    /// Type and tags go along: a new version has none of its own.
    async fn write(&self, now: &Now, value: &SecretString) -> std::result::Result<(), Fault> {
        let mut body = json!({ "value": value.expose_secret() });
        for field in ["contentType", "tags"] {
            if let Some(kept) = now.document.get(field).filter(|kept| !kept.is_null()) {
                body[field] = kept.clone();
            }
        }
        self.service.send(Method::PUT, &format!("/secrets/{}", self.secret), Some(&body)).await
    }

    /// The version's id: the vault keeps the value.
    fn to_keep(&self, now: &Now) -> SecretString {
        SecretString::from(now.document["id"].as_str().unwrap_or_default().to_owned())
    }

    async fn kept(&self, kept: SecretString) -> Result<SecretString> {
        let version = kept.expose_secret().rsplit('/').next().unwrap_or_default();
        check_name("a secret's version", version)?;
        Ok(self.version(version).await?.value)
    }
}
