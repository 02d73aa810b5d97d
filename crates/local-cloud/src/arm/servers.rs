//! The servers as ARM resources.

use std::sync::{Arc, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, OTHER_GROUP, PROVIDER, State, broken, error, invalid_content};
use crate::http::{Answer, Call, Outcome};

/// Regions whose display name ARM writes instead of the short one.
const LOCATIONS: &[(&str, &str)] = &[
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("westeurope", "West Europe"),
    ("northeurope", "North Europe"),
    ("germanywestcentral", "Germany West Central"),
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("westus3", "West US 3"),
    ("canadacentral", "Canada Central"),
    ("southeastasia", "Southeast Asia"),
    ("australiaeast", "Australia East"),
    ("brazilsouth", "Brazil South"),
];

/// What is escaped in a segment of a path.
const IN_A_PATH: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// What of a server a PATCH may change here.
const CHANGEABLE: [&str; 4] = ["/tags", "/properties/storage", "/properties/backup", "/properties/maintenanceWindow"];

impl Azure {
    /// `uksouth`, whatever the options said.
    pub(super) fn region_slug(&self) -> String {
        self.location.to_lowercase().replace(' ', "")
    }

    fn location_name(&self) -> String {
        let slug = self.region_slug();
        LOCATIONS.iter().find(|(short, _)| *short == slug).map_or(slug.clone(), |(_, name)| (*name).to_owned())
    }

    pub(super) fn server_json(&self) -> Value {
        let mut server = self.server_json_of(&self.resource_group, &self.name, self.state());
        merge(&mut server, self.changes.lock().unwrap_or_else(PoisonError::into_inner).clone());
        server
    }

    pub(super) fn server_json_of(&self, group: &str, name: &str, state: State) -> Value {
        let network = if self.private {
            let base = format!("/subscriptions/{}/resourceGroups/{group}/providers/Microsoft.Network", self.subscription);
            json!({
                "publicNetworkAccess": "Disabled",
                "delegatedSubnetResourceId": format!("{base}/virtualNetworks/bikeparts/subnets/databases"),
                "privateDnsZoneArmResourceId": format!("{base}/privateDnsZones/{name}.private.postgres.database.azure.com"),
            })
        } else {
            json!({ "publicNetworkAccess": "Enabled" })
        };
        let mut server = json!({
            "sku": { "name": "Standard_D2ds_v5", "tier": "GeneralPurpose" },
            "systemData": { "createdAt": "2025-03-03T08:12:45.1038473Z" },
            "properties": {
                "replica": { "role": "Primary", "capacity": 5 },
                "storage": { "type": "", "iops": 500, "tier": "P10", "storageSizeGB": 128, "autoGrow": "Enabled" },
                "network": network,
                "dataEncryption": { "type": "SystemManaged" },
                "authConfig": self.auth_config(),
                "fullyQualifiedDomainName": format!("{}.postgres.database.azure.com", name.to_lowercase()),
                "version": self.major.to_string(),
                "minorVersion": self.configurations.minor_version(),
                "administratorLogin": self.administrator,
                "state": state.name(),
                "availabilityZone": "1",
                "backup": { "backupRetentionDays": 7, "geoRedundantBackup": "Disabled", "earliestRestoreDate": "2026-01-01T00:00:00.0000000+00:00" },
                "highAvailability": { "mode": "Disabled", "state": "NotEnabled" },
                "maintenanceWindow": { "customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0 },
                "replicationRole": "Primary",
                "replicaCapacity": 5,
            },
            "location": self.location_name(),
            "tags": {},
            "id": self.id_of(group, name),
            "name": name,
            "type": format!("{PROVIDER}/flexibleServers"),
        });
        if !self.private {
            server["properties"]["privateEndpointConnections"] = json!([]);
        }
        server
    }

    /// All servers, or those of a group, in pages if the options say so.
    pub(super) fn list_servers(&self, call: &Call, group: Option<&str>) -> Answer {
        let mut servers = Vec::new();
        if group.is_none_or(|group| group == self.resource_group) {
            servers.push(self.server_json());
        }
        if group.is_none_or(|group| group == OTHER_GROUP) {
            servers.extend(self.other_servers.iter().map(|name| self.server_json_of(OTHER_GROUP, name, State::Ready)));
        }
        let start = call.query("$skiptoken").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0).min(servers.len());
        let end = self.page_size.map_or(servers.len(), |size| (start + size.max(1)).min(servers.len()));
        let mut body = json!({ "value": servers[start..end] });
        if end < servers.len() {
            let path: Vec<String> =
                call.segments.iter().map(|segment| percent_encoding::utf8_percent_encode(segment, IN_A_PATH).to_string()).collect();
            body["nextLink"] = json!(format!(
                "{}/{}?api-version={}&$skiptoken={end}",
                call.origin,
                path.join("/"),
                call.query("api-version").unwrap_or_default()
            ));
        }
        Answer::ok(body)
    }

    /// Changes properties of the server. What is asked for as it is already is no change; what else can't be changed here is refused.
    pub(super) fn update_server(self: &Arc<Self>, call: &Call) -> Answer {
        let Ok(mut asked) = call.json() else { return invalid_content() };
        let mut changes = json!({});
        for part in CHANGEABLE {
            if let Some(change) = asked.pointer_mut(part).map(Value::take) {
                merge(&mut changes, nested(part, change));
            }
        }
        if let Some(other) = difference(&asked, &self.server_json(), String::new()) {
            return error(StatusCode::BAD_REQUEST, "FeatureNotSupported", format!("The simulated Azure can't change {other} of a server."));
        }
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        let mut result = self.server_json_of(&self.resource_group, &self.name, State::Ready);
        merge(&mut result, changes.clone());
        let azure = Arc::clone(self);
        self.begin(call, "UpsertServerManagementOperationV2", State::Ready, result, async move {
            merge(&mut azure.changes.lock().unwrap_or_else(PoisonError::into_inner), changes);
            Ok(())
        })
    }

    pub(super) fn restart(self: &Arc<Self>, call: &Call) -> Answer {
        let kind = "RestartServerManagementOperation";
        if let Err(answer) = self.claim_started(call, kind, State::Restarting) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(call, kind, State::Ready, Value::Null, async move {
            azure.server.restart().await.map_err(broken)?;
            azure.configurations.refresh(&azure.server).await.map_err(broken)
        })
    }

    pub(super) fn stop(self: &Arc<Self>, call: &Call) -> Answer {
        let kind = "StopServerManagementOperation";
        if let Err(answer) = self.claim_started(call, kind, State::Stopping) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(call, kind, State::Stopped, Value::Null, async move { azure.server.stop().await.map_err(broken) })
    }

    /// Claims the server for what can be done to a running one only. To a stopped one it is accepted too, and fails.
    fn claim_started(self: &Arc<Self>, call: &Call, kind: &'static str, into: State) -> Result<(), Answer> {
        if self.claim(State::Stopped, State::Updating).is_err() {
            return self.claim(State::Ready, into);
        }
        let message = format!(
            "Restart or Stop Server can only be performed on Started servers. Sever Name = {}, Current Server State = Stopped",
            self.name
        );
        let not_ready = Outcome { code: "ServerIsNotReady".to_owned(), message };
        Err(self.begin(call, kind, State::Stopped, Value::Null, async move { Err(not_ready) }))
    }

    pub(super) fn start(self: &Arc<Self>, call: &Call) -> Answer {
        if let Err(answer) = self.claim(State::Stopped, State::Starting) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(call, "StartServerManagementOperation", State::Ready, Value::Null, async move {
            azure.server.start().await.map_err(broken)?;
            azure.configurations.refresh(&azure.server).await.map_err(broken)
        })
    }
}

/// Applies a JSON merge patch that removes nothing (RFC 7396).
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            patch.into_iter().for_each(|(name, value)| merge(into.entry(name).or_insert(Value::Null), value));
        }
        (_, Value::Null) => {}
        (into, value) => *into = value,
    }
}

/// The value inside objects, at that JSON pointer.
fn nested(pointer: &str, value: Value) -> Value {
    pointer.rsplit('/').filter(|name| !name.is_empty()).fold(value, |value, name| json!({ name: value }))
}

/// The path of something that is asked for and different now.
fn difference(asked: &Value, now: &Value, path: String) -> Option<String> {
    match asked {
        Value::Null => None,
        Value::Object(parts) => parts.iter().find_map(|(name, part)| difference(part, &now[name], format!("{path}/{name}"))),
        _ => (asked != now).then_some(path),
    }
}
