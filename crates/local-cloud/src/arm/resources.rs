//! The server, its firewall rules and its databases as ARM resources.

use std::net::Ipv4Addr;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, PROVIDER, State, error, not_found};
use crate::http::{Answer, Call, Outcome};
use crate::network::Rule;

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

/// The resource group of the servers that exist by name only.
const OTHER_GROUP: &str = "other-things";

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
        self.server_json_of(&self.resource_group, &self.name, self.state())
    }

    fn server_json_of(&self, group: &str, name: &str, state: State) -> Value {
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
        json!({
            "sku": { "name": "Standard_D2ds_v5", "tier": "GeneralPurpose" },
            "systemData": { "createdAt": "2025-03-03T08:12:45.1038473Z" },
            "properties": {
                "replica": { "role": "Primary", "capacity": 5 },
                "storage": { "type": "", "iops": 500, "tier": "P10", "storageSizeGB": 128, "autoGrow": "Enabled" },
                "network": network,
                "privateEndpointConnections": [],
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
        })
    }

    /// All servers, or those of a group, in pages if the options say so.
    pub(super) fn list_servers(&self, call: &Call, group: Option<&str>) -> Answer {
        let mut servers = vec![self.server_json()];
        if group.is_none() {
            servers.extend(self.other_servers.iter().map(|name| self.server_json_of(OTHER_GROUP, name, State::Ready)));
        }
        let start = call.query("$skiptoken").and_then(|token| token.parse::<usize>().ok()).unwrap_or(0).min(servers.len());
        let end = self.page_size.map_or(servers.len(), |size| (start + size.max(1)).min(servers.len()));
        let mut body = json!({ "value": servers[start..end] });
        if end < servers.len() {
            let path: Vec<String> = call
                .segments
                .iter()
                .map(|segment| {
                    percent_encoding::utf8_percent_encode(segment, percent_encoding::NON_ALPHANUMERIC)
                        .to_string()
                        .replace("%2E", ".")
                        .replace("%2D", "-")
                })
                .collect();
            body["nextLink"] = json!(format!(
                "{}/{}?api-version={}&$skiptoken={end}",
                call.origin,
                path.join("/"),
                call.query("api-version").unwrap_or_default()
            ));
        }
        Answer::ok(body)
    }

    pub(super) fn restart(self: &Arc<Self>, call: &Call) -> Answer {
        if let Err(answer) = self.claim(State::Ready, State::Restarting) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(call, "RestartServerManagementOperation", State::Ready, Value::Null, async move {
            azure.server.restart().await.map_err(broken)?;
            azure.configurations.refresh(&azure.server).await.map_err(broken)
        })
    }

    pub(super) fn stop(self: &Arc<Self>, call: &Call) -> Answer {
        if let Err(answer) = self.claim(State::Ready, State::Stopping) {
            return answer;
        }
        let azure = Arc::clone(self);
        self.begin(
            call,
            "StopServerManagementOperation",
            State::Stopped,
            Value::Null,
            async move { azure.server.stop().await.map_err(broken) },
        )
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

    fn rule_json(&self, rule: &Rule) -> Value {
        json!({
            "properties": { "startIpAddress": rule.start.to_string(), "endIpAddress": rule.end.to_string() },
            "id": format!("{}/firewallRules/{}", self.id(), rule.name),
            "name": rule.name,
            "type": format!("{PROVIDER}/flexibleServers/firewallRules"),
        })
    }

    pub(super) fn list_rules(&self) -> Answer {
        Answer::ok(json!({ "value": self.firewall.list().iter().map(|rule| self.rule_json(rule)).collect::<Vec<_>>() }))
    }

    pub(super) fn get_rule(&self, name: &str) -> Answer {
        match self.firewall.get(name) {
            Some(rule) => Answer::ok(self.rule_json(&rule)),
            None => not_found(&format!("{PROVIDER}/flexibleServers/{}/firewallRules/{name}", self.name), &self.resource_group),
        }
    }

    /// A rule is accepted on a server without a public network too, where it has no effect: so does the real one.
    pub(super) fn put_rule(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        let invalid =
            |what: &str| error(StatusCode::BAD_REQUEST, "InvalidParameterValue", format!("Invalid value given for parameter {what}."));
        let good = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
        if name.len() > 80
            || !name.starts_with(|first: char| first.is_ascii_alphanumeric())
            || name.ends_with('-')
            || !name.chars().all(good)
        {
            return invalid("firewallRuleName");
        }
        let Ok(body) = call.json() else {
            return error(StatusCode::BAD_REQUEST, "InvalidRequestContent", "The request content was invalid.");
        };
        let address = |field: &str| body["properties"][field].as_str().and_then(|text| text.parse::<Ipv4Addr>().ok());
        let (start, end) = match (address("startIpAddress"), address("endIpAddress")) {
            (None, _) => return invalid("startIpAddress"),
            (_, None) => return invalid("endIpAddress"),
            (Some(start), Some(end)) if start > end => return invalid("startIpAddress"),
            (Some(start), Some(end)) => (start, end),
        };
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        let rule = Rule { name: name.to_owned(), start, end };
        let (azure, result) = (Arc::clone(self), self.rule_json(&rule));
        self.begin(call, "UpsertServerFirewallRulesManagementOperation", State::Ready, result, async move {
            azure.firewall.put(rule);
            Ok(())
        })
    }

    pub(super) fn delete_rule(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        if self.firewall.get(name).is_none() {
            self.set_state(State::Ready);
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        let (azure, name) = (Arc::clone(self), name.to_owned());
        self.begin(call, "DropServerFirewallRulesManagementOperation", State::Ready, Value::Null, async move {
            azure.firewall.remove(&name);
            Ok(())
        })
    }

    async fn databases(&self) -> Result<Vec<Value>, Answer> {
        let gone = |_| super::operations::busy(&self.name);
        let client = self.server.superuser("postgres").await.map_err(gone)?;
        let rows = client
            .query(
                "select datname::text, pg_catalog.pg_encoding_to_char(encoding)::text, datcollate::text from pg_catalog.pg_database where not datistemplate order by 1",
                &[],
            )
            .await
            .map_err(|_| super::operations::busy(&self.name))?;
        Ok(rows
            .iter()
            .map(|row| {
                let name: &str = row.get(0);
                json!({
                    "properties": { "charset": row.get::<_, &str>(1), "collation": row.get::<_, &str>(2) },
                    "id": format!("{}/databases/{name}", self.id()),
                    "name": name,
                    "type": format!("{PROVIDER}/flexibleServers/databases"),
                })
            })
            .collect())
    }

    pub(super) async fn list_databases(&self) -> Answer {
        self.databases().await.map_or_else(|answer| answer, |databases| Answer::ok(json!({ "value": databases })))
    }

    pub(super) async fn get_database(&self, name: &str) -> Answer {
        match self.databases().await {
            Err(answer) => answer,
            Ok(databases) => match databases.into_iter().find(|database| database["name"] == name) {
                Some(database) => Answer::ok(database),
                None => not_found(&format!("{PROVIDER}/flexibleServers/{}/databases/{name}", self.name), &self.resource_group),
            },
        }
    }
}

/// How an operation ends when our own machinery failed.
pub(super) fn broken(error: crate::Error) -> Outcome {
    Outcome { code: "InternalServerError".to_owned(), message: error.to_string() }
}
