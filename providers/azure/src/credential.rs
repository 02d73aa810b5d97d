//! Who this program is to Azure: the choice of a credential.

mod open;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use azure2neon_core::{Error, ErrorKind, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IntoDeserializer;

pub(crate) use open::CredentialSource;

/// The kinds of credentials that can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialKind {
    /// The first that the environment describes: a service principal, a workload identity, the command-line tools.
    #[default]
    Auto,
    /// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.
    ServicePrincipal,
    /// AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE.
    WorkloadIdentity,
    /// That of the Azure machine that this runs on; AZURE_CLIENT_ID names a user-assigned one.
    ManagedIdentity,
    /// Whoever is logged in to the Azure CLI, else to the Azure Developer CLI.
    AzureCli,
    /// AZURE_ACCESS_TOKEN.
    Token,
}

impl FromStr for CredentialKind {
    type Err = serde::de::value::Error;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Self::deserialize(text.into_deserializer())
    }
}

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
    },
    /// An application that a federated token, such as a Kubernetes service account's, stands for.
    WorkloadIdentity {
        /// Id or domain of the directory.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// The file that holds the token; it is read again for each access token, since it changes.
        token_file: PathBuf,
    },
    /// The identity of the Azure machine that this runs on.
    ManagedIdentity {
        /// Which one, if it is user-assigned.
        client_id: Option<String>,
    },
    /// Whoever is logged in to the Azure CLI, else to the Azure Developer CLI.
    AzureCli {
        /// What was not tried before, and why, if nobody asked for this credential.
        not_tried: Option<&'static str>,
    },
    /// A ready-made access token for ARM, which can't be renewed.
    Token(SecretString),
}

/// What `auto` passes over on its way to the command-line tools.
const NOT_TRIED: &str = "not tried: service principal (AZURE_CLIENT_SECRET is not set), workload identity (AZURE_FEDERATED_TOKEN_FILE is \
     not set), managed identity and access token (only when asked for with --azure-credential)";

impl Credential {
    /// The credential of this kind that `env`, a look-up of environment variables, describes. A managed identity must be
    /// asked for: to look for one takes a minute where there is none.
    pub fn choose(kind: CredentialKind, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| env(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let needed = |name: &str, by: &str| {
            var(name).ok_or_else(|| {
                Error::new(ErrorKind::Configuration, format!("{by} needs {name}, which is not set"))
                    .hint(format!("set {name}, or use the login of the Azure CLI with --azure-credential azure-cli"))
            })
        };
        let kind = match kind {
            CredentialKind::Auto if var("AZURE_CLIENT_SECRET").is_some() => CredentialKind::ServicePrincipal,
            CredentialKind::Auto if var("AZURE_FEDERATED_TOKEN_FILE").is_some() => CredentialKind::WorkloadIdentity,
            other => other,
        };
        Ok(match kind {
            CredentialKind::ServicePrincipal => Self::ServicePrincipal {
                tenant: needed("AZURE_TENANT_ID", "a service principal")?,
                client_id: needed("AZURE_CLIENT_ID", "a service principal")?,
                secret: SecretString::from(needed("AZURE_CLIENT_SECRET", "a service principal")?),
            },
            CredentialKind::WorkloadIdentity => Self::WorkloadIdentity {
                tenant: needed("AZURE_TENANT_ID", "a workload identity")?,
                client_id: needed("AZURE_CLIENT_ID", "a workload identity")?,
                token_file: PathBuf::from(needed("AZURE_FEDERATED_TOKEN_FILE", "a workload identity")?),
            },
            CredentialKind::ManagedIdentity => Self::ManagedIdentity { client_id: var("AZURE_CLIENT_ID") },
            CredentialKind::Token => Self::Token(SecretString::from(needed("AZURE_ACCESS_TOKEN", "an access token")?)),
            CredentialKind::AzureCli => Self::AzureCli { not_tried: None },
            CredentialKind::Auto => Self::AzureCli { not_tried: Some(NOT_TRIED) },
        })
    }

    /// What to do when it is refused.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::ServicePrincipal { .. } => {
                "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; unset them to use `az login` instead"
            }
            Self::WorkloadIdentity { .. } => "check AZURE_TENANT_ID, AZURE_CLIENT_ID and the file that AZURE_FEDERATED_TOKEN_FILE names",
            Self::ManagedIdentity { .. } => {
                "assign the identity to this machine, and name it by AZURE_CLIENT_ID if it is user-assigned; \
                 elsewhere than on Azure use another --azure-credential"
            }
            Self::AzureCli { .. } => {
                "run `az login` (and `az account set --subscription …` if the server is in another tenant's subscription)"
            }
            Self::Token(_) => "get a new one: export AZURE_ACCESS_TOKEN=$(az account get-access-token --query accessToken --output tsv)",
        }
    }
}

/// In words, without a secret.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServicePrincipal { client_id, .. } => write!(f, "service principal {client_id}"),
            Self::WorkloadIdentity { client_id, .. } => write!(f, "workload identity {client_id}"),
            Self::ManagedIdentity { client_id: Some(id) } => write!(f, "managed identity {id}"),
            Self::ManagedIdentity { client_id: None } => f.write_str("the managed identity of this machine"),
            Self::AzureCli { .. } => f.write_str("the login of the Azure CLI"),
            Self::Token(_) => f.write_str("the access token in AZURE_ACCESS_TOKEN"),
        }
    }
}
