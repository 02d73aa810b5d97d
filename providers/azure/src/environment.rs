//! Azure's clouds: where each one has its parts.

use azure2neon_core::{Error, ErrorKind, Result};
use serde::Deserialize;

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// The one for everybody.
    #[default]
    Public,
    /// That of the government of the United States.
    UsGovernment,
    /// That of China, which 21Vianet operates.
    China,
}

/// The addresses of a cloud.
///
/// ARM and its scope as in Microsoft's azure-mgmt-core 1.6 for Python, the rest as in the Azure CLI 2.91 (`az cloud show`); the scope of
/// Key Vault's tokens is its domain.
pub(crate) struct Addresses {
    /// ARM; the address has no path.
    pub(crate) arm: &'static str,
    /// Scope of the tokens that ARM takes.
    pub(crate) arm_scope: &'static str,
    /// Entra ID.
    pub(crate) authority: &'static str,
    /// Scope of the tokens that PostgreSQL servers take as passwords.
    pub(crate) database_scope: &'static str,
    /// What the host names of flexible servers end with.
    pub(crate) host_suffix: &'static str,
    /// What the host names of key vaults end with.
    pub(crate) vault_suffix: &'static str,
    /// Scope of the tokens that they take.
    pub(crate) vault_scope: &'static str,
}

impl Environment {
    const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];

    pub(crate) fn addresses(self) -> Addresses {
        match self {
            Self::Public => Addresses {
                arm: "https://management.azure.com",
                arm_scope: "https://management.azure.com/.default",
                authority: "https://login.microsoftonline.com",
                database_scope: "https://ossrdbms-aad.database.windows.net/.default",
                host_suffix: ".postgres.database.azure.com",
                vault_suffix: ".vault.azure.net",
                vault_scope: "https://vault.azure.net/.default",
            },
            Self::UsGovernment => Addresses {
                arm: "https://management.usgovcloudapi.net",
                arm_scope: "https://management.core.usgovcloudapi.net/.default",
                authority: "https://login.microsoftonline.us",
                database_scope: "https://ossrdbms-aad.database.usgovcloudapi.net/.default",
                host_suffix: ".postgres.database.usgovcloudapi.net",
                vault_suffix: ".vault.usgovcloudapi.net",
                vault_scope: "https://vault.usgovcloudapi.net/.default",
            },
            Self::China => Addresses {
                arm: "https://management.chinacloudapi.cn",
                arm_scope: "https://management.chinacloudapi.cn/.default",
                authority: "https://login.chinacloudapi.cn",
                database_scope: "https://ossrdbms-aad.database.chinacloudapi.cn/.default",
                host_suffix: ".postgres.database.chinacloudapi.cn",
                vault_suffix: ".vault.azure.cn",
                vault_scope: "https://vault.azure.cn/.default",
            },
        }
    }

    /// The name as it is written in the settings.
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::UsGovernment => "us-government",
            Self::China => "china",
        }
    }

    /// Refuses a host name of another cloud, where this one would only say that there is no such server.
    pub(crate) fn check_host(self, server: &str) -> Result<()> {
        let server = server.to_ascii_lowercase();
        match Self::ALL.into_iter().find(|cloud| server.ends_with(cloud.addresses().host_suffix)) {
            Some(other) if other != self => {
                let text = format!("{server} is a server of Azure's cloud {}, and the one configured is {}", other.name(), self.name());
                Err(Error::new(ErrorKind::Configuration, text).hint(format!("set `azure = \"{}\"` under [cloud]", other.name())))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_keeps_to_its_own_domains() {
        for (cloud, domains) in [
            (Environment::Public, &["azure.com", "microsoftonline.com", "windows.net"][..]),
            (Environment::UsGovernment, &["usgovcloudapi.net", "microsoftonline.us"]),
            (Environment::China, &["chinacloudapi.cn"]),
        ] {
            let Addresses { arm, arm_scope, authority, database_scope, host_suffix, vault_suffix, vault_scope } = cloud.addresses();
            assert_eq!(vault_scope, format!("https://{}/.default", &vault_suffix[1..]));
            let scopes = [arm_scope, database_scope].map(|scope| scope.strip_suffix("/.default").unwrap());
            for address in [arm, authority, host_suffix, scopes[0], scopes[1]] {
                assert!(domains.iter().any(|domain| address.ends_with(&format!(".{domain}"))), "{address}");
            }
            for url in [arm, authority, scopes[0], scopes[1]] {
                assert_eq!(url::Url::parse(url).unwrap().path(), "/", "{url}");
            }
            let written: Environment = serde_json::from_value(cloud.name().into()).unwrap();
            assert_eq!(written, cloud);
        }
    }

    #[test]
    fn a_host_of_another_cloud_is_refused_with_the_setting() {
        assert!(Environment::Public.check_host("shop.postgres.database.azure.com").is_ok());
        assert!(Environment::Public.check_host("shop").is_ok());
        assert!(Environment::China.check_host("shop.private.example").is_ok());
        let error = Environment::Public.check_host("Shop.postgres.database.chinacloudapi.cn").unwrap_err();
        assert_eq!(error.remedy(), Some("set `azure = \"china\"` under [cloud]"));
    }
}
