//! ARM's JSON as far as it is read. Every field may be missing or null, and states are text: what Azure adds must not
//! break a migration. The crate's own server model is not used because it drops `cluster` and needs `location`.

use azure2neon_core::cloud::{SourceServer, Storage};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::locate::ResourceId;

/// Takes null for the default.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// One page of a list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub(crate) struct Page<T> {
    #[serde(default = "Vec::new", deserialize_with = "or_default")]
    pub(crate) value: Vec<T>,
    pub(crate) next_link: Option<String>,
}

/// An entry of `GET /subscriptions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    pub(crate) subscription_id: Option<String>,
}

/// A flexible server.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    location: Option<String>,
    #[serde(deserialize_with = "or_default")]
    sku: Sku,
    #[serde(deserialize_with = "or_default")]
    properties: Properties,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sku {
    tier: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Properties {
    fully_qualified_domain_name: Option<String>,
    version: Option<Value>,
    administrator_login: Option<String>,
    state: Option<String>,
    replication_role: Option<String>,
    source_server_resource_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    replica: Replica,
    #[serde(deserialize_with = "or_default")]
    network: Network,
    #[serde(deserialize_with = "or_default")]
    private_endpoint_connections: Vec<Value>,
    #[serde(deserialize_with = "or_default")]
    auth_config: AuthConfig,
    #[serde(deserialize_with = "or_default")]
    high_availability: HighAvailability,
    #[serde(deserialize_with = "or_default")]
    storage: Disk,
    cluster: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthConfig {
    /// Newer versions may call it by Entra's name.
    #[serde(alias = "microsoftEntraAuth")]
    active_directory_auth: Option<String>,
    password_auth: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HighAvailability {
    mode: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Disk {
    #[serde(rename = "storageSizeGB")]
    storage_size_gb: Option<i64>,
    auto_grow: Option<String>,
}

/// Whether a switch that Azure spells as text is on, or off; neither where it says nothing, or something new.
fn is(switch: &Option<String>, text: &str) -> bool {
    switch.as_deref().is_some_and(|switch| switch.eq_ignore_ascii_case(text))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Replica {
    role: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Network {
    public_network_access: Option<String>,
    delegated_subnet_resource_id: Option<String>,
}

/// What a server's state lets it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// On its way: waiting helps.
    Busy,
    /// Waiting does not help.
    Down,
}

impl Server {
    /// The host name that it reports, in lower case.
    pub(crate) fn host(&self) -> String {
        self.properties.fully_qualified_domain_name.as_deref().unwrap_or_default().to_ascii_lowercase()
    }

    /// The state as Azure spells it.
    pub(crate) fn state(&self) -> &str {
        self.properties.state.as_deref().unwrap_or_default()
    }

    pub(crate) fn readiness(&self) -> Readiness {
        let is = |states: &[&str]| states.iter().any(|state| state.eq_ignore_ascii_case(self.state()));
        if is(&["Ready"]) {
            Readiness::Ready
        } else if is(&["Stopped", "Stopping", "Disabled", "Dropping", "Inaccessible"]) {
            Readiness::Down
        } else {
            Readiness::Busy
        }
    }

    /// Decided from the network's settings: Azure takes firewall rules even where they have no effect.
    pub(crate) fn unreachable_because(&self) -> Option<String> {
        let network = &self.properties.network;
        if network.delegated_subnet_resource_id.as_deref().is_some_and(|id| !id.is_empty()) {
            return Some("it is inside a virtual network, where firewall rules have no effect and Neon has no way in".to_owned());
        }
        let access = network.public_network_access.as_deref().unwrap_or_default();
        access.eq_ignore_ascii_case("Disabled").then(|| match self.properties.private_endpoint_connections.len() {
            0 => "its public network access is disabled".to_owned(),
            n => format!("its public network access is disabled, so that only its {n} private endpoints reach it"),
        })
    }

    fn unsupported_because(&self) -> Option<String> {
        if self.properties.cluster.as_ref().is_some_and(|cluster| !cluster.is_null()) {
            return Some("it is an elastic cluster".to_owned());
        }
        let roles = [&self.properties.replication_role, &self.properties.replica.role];
        let replica = roles.into_iter().flatten().any(|role| role.to_ascii_lowercase().ends_with("asyncreplica"));
        replica.then(|| {
            let source = self.properties.source_server_resource_id.as_deref().and_then(|id| id.rsplit('/').next());
            match source {
                Some(source) if !source.is_empty() => format!("it is a read replica of {source}: migrate that server"),
                _ => "it is a read replica: migrate its primary".to_owned(),
            }
        })
    }

    fn major(&self) -> u32 {
        let text = match &self.properties.version {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }

    fn storage(&self) -> Option<Storage> {
        let disk = &self.properties.storage;
        let bytes = disk.storage_size_gb?.checked_mul(1 << 30)?;
        // Only what is said to be off is: an unknown answer must not raise a false alarm.
        Some(Storage { bytes, grows: !is(&disk.auto_grow, "Disabled") })
    }

    /// The server in the domain's words; `id` is what it was asked for by.
    pub(crate) fn describe(self, id: &ResourceId) -> SourceServer {
        let location = self.location.as_deref().unwrap_or_default();
        let Properties { auth_config, high_availability, .. } = &self.properties;
        SourceServer {
            resource_group: id.group.clone(),
            password_login: !is(&auth_config.password_auth, "Disabled"),
            token_login: !is(&auth_config.active_directory_auth, "Disabled"),
            high_availability: high_availability.mode.is_some() && !is(&high_availability.mode, "Disabled"),
            storage: self.storage(),
            burstable: is(&self.sku.tier, "Burstable"),
            region: location.to_lowercase().replace(' ', ""),
            major: self.major(),
            host: self.host(),
            admin_login: self.properties.administrator_login.clone().unwrap_or_default(),
            state: self.state().to_owned(),
            ready: self.readiness() == Readiness::Ready,
            unreachable_because: self.unreachable_because(),
            unsupported_because: self.unsupported_because(),
            name: self.name.unwrap_or_else(|| id.name.clone()),
            id: self.id.unwrap_or_else(|| id.path()),
        }
    }
}
