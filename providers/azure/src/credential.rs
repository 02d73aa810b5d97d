//! Who this program is to Azure.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, HttpClient, RetryOptions, Transport};
use azure_identity as identity;
use azure2neon_core::{Error, ErrorKind, Result};
use secrecy::{ExposeSecret, SecretString};

use crate::fault::Fault;

/// A way to get access tokens of Azure.
#[derive(Clone)]
pub enum Credential {
    /// An application with a client secret.
    ServicePrincipal {
        /// Id or domain of the directory.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// Its secret.
        secret: SecretString,
        /// Entra ID's address, if it is not the public cloud's.
        authority: Option<String>,
    },
    /// An application that a federated token, such as a Kubernetes service account's, stands for.
    WorkloadIdentity {
        /// Id or domain of the directory.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// The file that holds the token; it is read again as it changes.
        token_file: PathBuf,
        /// Entra ID's address, if it is not the public cloud's.
        authority: Option<String>,
    },
    /// The identity of the Azure machine that this runs on.
    ManagedIdentity {
        /// Which one, if it is user-assigned.
        client_id: Option<String>,
    },
    /// Whoever is logged in to the Azure CLI, else to the Azure Developer CLI.
    AzureCli,
    /// A ready-made access token, which can't be renewed.
    Token(SecretString),
}

impl Credential {
    /// The credential that `env`, a look-up of environment variables, describes: a service principal, else a workload
    /// identity, else the Azure CLI. A managed identity must be asked for: to look for one takes a minute where there is none.
    pub fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let needed = |name: &str, because: &str| {
            var(name).ok_or_else(|| {
                Error::new(ErrorKind::Configuration, format!("{because} is set, but {name} is not"))
                    .hint(format!("set {name} too, or unset {because} to use the login of the Azure CLI"))
            })
        };
        let authority = var("AZURE_AUTHORITY_HOST").map(|host| if host.contains("://") { host } else { format!("https://{host}") });
        if let Some(secret) = var("AZURE_CLIENT_SECRET") {
            return Ok(Self::ServicePrincipal {
                tenant: needed("AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")?,
                client_id: needed("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")?,
                secret: SecretString::from(secret),
                authority,
            });
        }
        if let Some(file) = var("AZURE_FEDERATED_TOKEN_FILE") {
            return Ok(Self::WorkloadIdentity {
                tenant: needed("AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE")?,
                client_id: needed("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")?,
                token_file: PathBuf::from(file),
                authority,
            });
        }
        Ok(Self::AzureCli)
    }

    /// In words, without a secret.
    pub fn describe(&self) -> String {
        match self {
            Self::ServicePrincipal { client_id, .. } => format!("service principal {client_id}"),
            Self::WorkloadIdentity { client_id, .. } => format!("workload identity {client_id}"),
            Self::ManagedIdentity { client_id: Some(id) } => format!("managed identity {id}"),
            Self::ManagedIdentity { client_id: None } => "the managed identity of this machine".to_owned(),
            Self::AzureCli => "the login of the Azure CLI".to_owned(),
            Self::Token(_) => "an access token that was given".to_owned(),
        }
    }

    fn authority(&self) -> Option<&str> {
        match self {
            Self::ServicePrincipal { authority, .. } | Self::WorkloadIdentity { authority, .. } => authority.as_deref(),
            _ => None,
        }
    }
}

/// Makes azure_identity's credentials, anew when one must forget a token.
pub(crate) struct CredentialSource {
    credential: Credential,
    http: Arc<dyn HttpClient>,
    subscription: Option<String>,
}

impl CredentialSource {
    /// `http` carries the requests for tokens; `subscription` tells the Azure CLI the tenant.
    pub(crate) fn new(credential: Credential, http: Arc<dyn HttpClient>, subscription: Option<String>) -> Self {
        Self { credential, http, subscription }
    }

    /// A new credential that remembers no token.
    pub(crate) fn open(&self) -> std::result::Result<Arc<dyn TokenCredential>, Fault> {
        self.try_open().map_err(|error| Fault::Credential(error.to_string()))
    }

    fn try_open(&self) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let client_options = self.client_options();
        Ok(match &self.credential {
            Credential::ServicePrincipal { tenant, client_id, secret, .. } => identity::ClientSecretCredential::new(
                tenant,
                client_id.clone(),
                Secret::new(secret.expose_secret().to_owned()),
                Some(identity::ClientSecretCredentialOptions { client_options }),
            )?,
            Credential::WorkloadIdentity { tenant, client_id, token_file, .. } => {
                identity::WorkloadIdentityCredential::new(Some(identity::WorkloadIdentityCredentialOptions {
                    credential_options: identity::ClientAssertionCredentialOptions { client_options },
                    client_id: Some(client_id.clone()),
                    tenant_id: Some(tenant.clone()),
                    token_file_path: Some(token_file.clone()),
                }))?
            }
            Credential::ManagedIdentity { client_id } => {
                identity::ManagedIdentityCredential::new(Some(identity::ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(identity::UserAssignedId::ClientId),
                    client_options,
                }))?
            }
            Credential::AzureCli => Arc::new(CommandLine {
                az: identity::AzureCliCredential::new(Some(identity::AzureCliCredentialOptions {
                    subscription: self.subscription.clone(),
                    ..Default::default()
                }))?,
                azd: identity::AzureDeveloperCliCredential::new(None)?,
            }),
            Credential::Token(token) => Arc::new(Given(token.clone())),
        })
    }

    fn client_options(&self) -> ClientOptions {
        // Never left to azure_identity, which would read the environment.
        let cloud = match self.credential.authority() {
            Some(authority) => {
                let mut custom = CustomConfiguration::default();
                custom.authority_host = authority.to_owned();
                CloudConfiguration::from(custom)
            }
            None => CloudConfiguration::AzurePublic,
        };
        ClientOptions {
            cloud: Some(Arc::new(cloud)),
            transport: Some(Transport::new(self.http.clone())),
            // A longer wait is the caller's, which says what it waits for.
            retry: RetryOptions::exponential(ExponentialRetryOptions { max_retries: 2, ..Default::default() }),
            ..Default::default()
        }
    }

    /// What a failed request for a token means.
    pub(crate) fn fault(&self, error: &azure_core::Error) -> Fault {
        use azure_core::error::ErrorKind as Kind;
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut answered = false;
        let mut silent = false;
        while let Some(cause) = next {
            if let Some(cause) = cause.downcast_ref::<azure_core::Error>() {
                answered |= matches!(cause.kind(), Kind::HttpResponse { .. });
                silent |= matches!(cause.kind(), Kind::Connection);
                // For the command-line tools Io means that the program could not be started.
                silent |= matches!(cause.kind(), Kind::Io) && !matches!(self.credential, Credential::AzureCli);
            }
            next = cause.source();
        }
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim().to_owned();
        if silent && !answered {
            let authority = self.credential.authority().unwrap_or("https://login.microsoftonline.com");
            let host = url::Url::parse(authority).ok().and_then(|url| url.host_str().map(str::to_owned));
            return Fault::NotSent { host: host.unwrap_or_default(), cause: first };
        }
        Fault::Credential(first)
    }
}

/// The Azure CLI, else the Azure Developer CLI; when neither helps, the first one's reason counts.
#[derive(Debug)]
struct CommandLine {
    az: Arc<identity::AzureCliCredential>,
    azd: Arc<identity::AzureDeveloperCliCredential>,
}

#[async_trait]
impl TokenCredential for CommandLine {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        match self.az.get_token(scopes, options.clone()).await {
            Ok(token) => Ok(token),
            Err(reason) => self.azd.get_token(scopes, options).await.map_err(|_| reason),
        }
    }
}

/// A token from outside.
struct Given(SecretString);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given")
    }
}

#[async_trait]
impl TokenCredential for Given {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        // When it ends is not known: ARM will say.
        let later = time::OffsetDateTime::now_utc() + time::Duration::hours(24);
        Ok(AccessToken::new(self.0.expose_secret().to_owned(), later))
    }
}
