//! azure_identity's credentials for what was chosen.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error as CoreError, ErrorKind as Kind};
use azure_core::http::{ClientMethodOptions, ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport};
use azure_identity as identity;
use secrecy::{ExposeSecret, SecretString};

use super::Credential;
use crate::fault::Fault;

/// Makes azure_identity's credentials, anew when one must forget a token.
pub(crate) struct CredentialSource {
    pub(crate) credential: Credential,
    /// Entra ID's address.
    pub(crate) authority: String,
    /// Carries the requests for tokens.
    pub(crate) http: Arc<dyn HttpClient>,
    /// Runs the command-line tools.
    pub(crate) executor: Arc<dyn identity::Executor>,
    /// Tells the Azure CLI the tenant.
    pub(crate) subscription: Option<String>,
    /// The scope that a ready token is for.
    pub(crate) arm_scope: String,
}

impl CredentialSource {
    /// A new credential that remembers no token.
    pub(crate) fn open(&self) -> Result<Arc<dyn TokenCredential>, Fault> {
        self.try_open().map_err(|error| Fault::Credential(reason(&error)))
    }

    fn try_open(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let client_options = self.client_options();
        Ok(match &self.credential {
            Credential::ServicePrincipal { tenant, client_id, secret } => identity::ClientSecretCredential::new(
                tenant,
                client_id.clone(),
                Secret::new(secret.expose_secret().to_owned()),
                Some(identity::ClientSecretCredentialOptions { client_options }),
            )?,
            Credential::WorkloadIdentity { tenant, client_id, token_file } => identity::ClientAssertionCredential::new(
                tenant.clone(),
                client_id.clone(),
                Federated(token_file.clone()),
                Some(identity::ClientAssertionCredentialOptions { client_options }),
            )?,
            Credential::ManagedIdentity { client_id } => {
                identity::ManagedIdentityCredential::new(Some(identity::ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(identity::UserAssignedId::ClientId),
                    client_options,
                }))?
            }
            Credential::AzureCli { not_tried } => Arc::new(CommandLine {
                az: identity::AzureCliCredential::new(Some(identity::AzureCliCredentialOptions {
                    subscription: self.subscription.clone(),
                    executor: Some(self.executor.clone()),
                    ..Default::default()
                }))?,
                azd: identity::AzureDeveloperCliCredential::new(Some(identity::AzureDeveloperCliCredentialOptions {
                    executor: Some(self.executor.clone()),
                    ..Default::default()
                }))?,
                not_tried: *not_tried,
            }),
            Credential::Token(token) => Arc::new(Given { token: token.clone(), scope: self.arm_scope.clone() }),
        })
    }

    fn client_options(&self) -> ClientOptions {
        // Never left to azure_identity, which would read the environment.
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority.clone();
        ClientOptions {
            cloud: Some(Arc::new(CloudConfiguration::from(cloud))),
            transport: Some(Transport::new(self.http.clone())),
            // A longer wait is the caller's, which says what it waits for.
            retry: RetryOptions::exponential(ExponentialRetryOptions { max_retries: 2, ..Default::default() }),
            ..Default::default()
        }
    }

    /// What a failed request for a token means.
    pub(crate) fn fault(&self, error: &CoreError) -> Fault {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut answered = false;
        let mut silent = false;
        while let Some(cause) = next {
            if let Some(cause) = cause.downcast_ref::<CoreError>() {
                answered |= matches!(cause.kind(), Kind::HttpResponse { .. });
                silent |= matches!(cause.kind(), Kind::Connection | Kind::Io);
            }
            next = cause.source();
        }
        let cause = reason(error);
        match &self.credential {
            Credential::ServicePrincipal { .. } | Credential::WorkloadIdentity { .. } if silent && !answered => {
                let url = url::Url::parse(&self.authority).ok();
                let host = url.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned();
                Fault::NotSent { host, cause }
            }
            // Without an answer there is no metadata service, so this is no machine of Azure's.
            Credential::ManagedIdentity { .. } if silent && !answered => {
                Fault::Credential(format!("this machine has no managed identity: {cause}"))
            }
            _ => Fault::Credential(cause),
        }
    }
}

/// An error of azure_identity in one line, without its link to a page.
fn reason(error: &CoreError) -> String {
    let text = error.to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take_while(|line| !line.starts_with("To troubleshoot"));
    lines.collect::<Vec<_>>().join(" ")
}

/// The federated token in a file. azure_identity's own credential would send one that is up to ten minutes old.
#[derive(Debug)]
struct Federated(PathBuf);

#[async_trait]
impl identity::ClientAssertion for Federated {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = tokio::fs::read_to_string(&self.0).await.map_err(|error| {
            let text = format!("the federated token can't be read from {}: {error}", self.0.display());
            CoreError::with_message(Kind::Credential, text)
        })?;
        Ok(token.trim().to_owned())
    }
}

/// The Azure CLI, else the Azure Developer CLI.
#[derive(Debug)]
struct CommandLine {
    az: Arc<identity::AzureCliCredential>,
    azd: Arc<identity::AzureDeveloperCliCredential>,
    not_tried: Option<&'static str>,
}

#[async_trait]
impl TokenCredential for CommandLine {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        let az = match self.az.get_token(scopes, options.clone()).await {
            Ok(token) => return Ok(token),
            Err(error) => reason(&error),
        };
        self.azd.get_token(scopes, options).await.map_err(|error| {
            let tried = [az, reason(&error)].into_iter().chain(self.not_tried.map(str::to_owned));
            CoreError::with_message(Kind::Credential, tried.collect::<Vec<_>>().join("; "))
        })
    }
}

/// A token from outside.
struct Given {
    token: SecretString,
    scope: String,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given")
    }
}

#[async_trait]
impl TokenCredential for Given {
    async fn get_token(&self, scopes: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        if scopes != [self.scope.as_str()] {
            let text = format!("a ready access token is for Azure Resource Manager, and can't be exchanged for {}", scopes.join(" "));
            return Err(CoreError::with_message(Kind::Credential, text));
        }
        // When it ends is not known: ARM will say.
        let later = time::OffsetDateTime::now_utc() + time::Duration::hours(24);
        Ok(AccessToken::new(self.token.expose_secret().to_owned(), later))
    }
}
