//! The server's parameters as ARM shows and changes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Azure, State, broken, error, invalid_content};
use crate::error::{Doing, Result};
use crate::http::{Answer, Call, Outcome};
use crate::servers::{Server, identifier, literal};

/// Limits that Azure sets narrower than PostgreSQL (a PostgreSQL 17 server of 2026-04).
const ALLOWED: &[(&str, &str)] = &[
    ("wal_level", "replica,logical"),
    ("max_replication_slots", "2-262143"),
    ("max_wal_senders", "5-100"),
    ("max_worker_processes", "0-262143"),
    ("wal_sender_timeout", "0-2147483647"),
];

/// What Azure calls the default although another value is built into PostgreSQL.
const DEFAULTS: &[(&str, &str)] = &[("archive_timeout", "300")];

/// What the service keeps for itself. A write is accepted, and its operation fails.
const READ_ONLY: &[&str] = &[
    "max_slot_wal_keep_size",
    "wal_keep_size",
    "archive_mode",
    "archive_timeout",
    "archive_command",
    "archive_library",
    "restore_command",
    "wal_recycle",
    "wal_init_zero",
    "listen_addresses",
    "port",
    "fsync",
    "full_page_writes",
    "password_encryption",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_destination",
    "logging_collector",
    "log_min_error_statement",
    "data_directory",
    "config_file",
    "hba_file",
    "ident_file",
    "external_pid_file",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_key_file",
    "ssl_passphrase_command",
    "primary_conninfo",
    "primary_slot_name",
    "dynamic_library_path",
    "local_preload_libraries",
    "krb_server_keyfile",
    "cluster_name",
];

/// Parameters whose value is a list: in ALTER SYSTEM each element is a literal of its own.
const LISTS: &[&str] = &["shared_preload_libraries", "session_preload_libraries", "search_path", "temp_tablespaces", "DateStyle"];

/// Parameters that only Azure has. They are kept and shown, and have no effect here.
const AZURE_ONLY: &[(&str, &str, &str, &str)] =
    &[("azure.migration_skip_large_objects", "Boolean", "off", "on, off"), ("require_secure_transport", "Boolean", "on", "on,off")];

/// The extensions that may be created; here all that there are may be, whatever it says.
const EXTENSIONS: &str = "azure.extensions";

/// What a value that is free text may be.
const ANYTHING: &str = ".*";

/// One row of pg_settings.
#[derive(Debug, Clone)]
struct Setting {
    name: String,
    /// The value in force.
    value: String,
    /// As a rule what is built into PostgreSQL, even where every server is made with another value.
    default: String,
    kind: String,
    unit: Option<String>,
    context: String,
    allowed: String,
    description: String,
}

/// The parameters, with what ARM remembers about them.
#[derive(Default)]
pub(crate) struct Configurations {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// As last seen: while the server is down, this is what is shown.
    settings: Vec<Setting>,
    /// What was set through ARM, in force or not.
    stored: HashMap<String, String>,
    version: String,
}

impl Setting {
    fn dynamic(&self) -> bool {
        !matches!(self.context.as_str(), "internal" | "postmaster")
    }

    fn read_only(&self) -> bool {
        self.context == "internal" || READ_ONLY.contains(&self.name.as_str())
    }

    /// Whether the value is one that ARM takes.
    fn accepts(&self, value: &str) -> bool {
        match self.kind.as_str() {
            "Boolean" => ["on", "off", "true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)),
            "Enumeration" => self.allowed.split(',').any(|word| word.eq_ignore_ascii_case(value)),
            "Integer" | "Numeric" => match (value.parse::<f64>(), range(&self.allowed)) {
                (Ok(number), Some((low, high))) => (low..=high).contains(&number) && (self.kind == "Numeric" || number.fract() == 0.0),
                (parsed, None) => parsed.is_ok(),
                (Err(_), _) => false,
            },
            "Set" if self.allowed != ANYTHING => {
                let members = value.split(',').map(str::trim).filter(|member| !member.is_empty());
                members.into_iter().all(|member| self.allowed.split(',').any(|known| known.eq_ignore_ascii_case(member)))
            }
            _ => true,
        }
    }

    fn azure_only(name: &str, kind: &str, value: &str, allowed: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            default: value.to_owned(),
            kind: kind.to_owned(),
            unit: None,
            context: "sighup".to_owned(),
            allowed: allowed.to_owned(),
            description: String::new(),
        }
    }

    /// Whether PostgreSQL knows nothing of it.
    fn is_azure_only(&self) -> bool {
        self.name == EXTENSIONS || AZURE_ONLY.iter().any(|(name, ..)| *name == self.name)
    }
}

/// The ends of `2-262143` or `-1-2147483647`.
fn range(allowed: &str) -> Option<(f64, f64)> {
    let middle = allowed.char_indices().skip(1).find(|(index, character)| *character == '-' && !allowed[..*index].ends_with('e'))?.0;
    Some((allowed[..middle].parse().ok()?, allowed[middle + 1..].parse().ok()?))
}

impl Configurations {
    /// Reads what is in force now.
    pub(crate) async fn refresh(&self, server: &Server) -> Result<()> {
        let client = server.superuser("postgres").await?;
        let rows = client
            .query(
                "select name::text, coalesce(setting, ''), vartype::text, unit::text, context::text, min_val, max_val, enumvals, short_desc,
                    coalesce(boot_val, ''), current_setting('server_version')
                 from pg_catalog.pg_settings order by lower(name)",
                &[],
            )
            .await
            .doing(|| "reading pg_settings")?;
        let extensions = "select coalesce(string_agg(name::text, ',' order by name), '') from pg_catalog.pg_available_extensions";
        let extensions: String = client.query_one(extensions, &[]).await.doing(|| "listing the extensions")?.get(0);
        let settings: Vec<Setting> = rows
            .iter()
            .map(|row| {
                let name: String = row.get(0);
                let bounds = (row.get::<_, Option<&str>>(5), row.get::<_, Option<&str>>(6));
                let kind = match row.get(2) {
                    "bool" => "Boolean",
                    "integer" => "Integer",
                    "real" => "Numeric",
                    "enum" => "Enumeration",
                    _ if LISTS.contains(&name.as_str()) => "Set",
                    _ => "String",
                };
                let own = ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| (*allowed).to_owned());
                let allowed = own.unwrap_or_else(|| match (kind, bounds) {
                    ("Boolean", _) => "on,off".to_owned(),
                    ("Enumeration", _) => row.get::<_, Option<Vec<String>>>(7).unwrap_or_default().join(","),
                    (_, (Some(low), Some(high))) => format!("{low}-{high}"),
                    _ => ANYTHING.to_owned(),
                });
                Setting {
                    value: row.get(1),
                    default: DEFAULTS.iter().find(|(known, _)| *known == name).map_or(row.get(9), |(_, default)| *default).to_owned(),
                    kind: kind.to_owned(),
                    unit: row.get(3),
                    context: row.get(4),
                    allowed,
                    description: row.get::<_, Option<String>>(8).unwrap_or_default(),
                    name,
                }
            })
            .chain(AZURE_ONLY.iter().map(|(name, kind, value, allowed)| Setting::azure_only(name, kind, value, allowed)))
            .chain([Setting::azure_only(EXTENSIONS, "Set", "", &extensions)])
            .collect();
        let version = rows.first().map_or("", |row| row.get::<_, &str>(10)).to_owned();
        let mut known = self.lock();
        known.version = version;
        known.settings = settings;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `4` of `17.4 (Debian …)`.
    pub(super) fn minor_version(&self) -> String {
        let known = self.lock();
        let number = known.version.split(' ').next().unwrap_or_default();
        number.split_once('.').map_or("0", |(_, minor)| minor).to_owned()
    }

    fn find(&self, name: &str) -> Option<Setting> {
        self.lock().settings.iter().find(|setting| setting.name.eq_ignore_ascii_case(name)).cloned()
    }

    fn store(&self, name: &str, value: &str) {
        self.lock().stored.insert(name.to_owned(), value.to_owned());
    }

    /// The properties of a parameter's resource.
    fn properties(&self, setting: &Setting) -> Value {
        let known = self.lock();
        let stored = known.stored.get(&setting.name);
        let value = stored.unwrap_or(&setting.value);
        let major = known.version.split('.').next().unwrap_or_default();
        let mut properties = json!({
            "value": value,
            "description": setting.description,
            "defaultValue": setting.default,
            "dataType": setting.kind,
            "allowedValues": setting.allowed,
            "source": if *value == setting.default { "system-default" } else { "user-override" },
            "isDynamicConfig": setting.dynamic(),
            "isReadOnly": setting.read_only(),
            "isConfigPendingRestart": !setting.dynamic() && !value.eq_ignore_ascii_case(&setting.value),
            "documentationLink": format!("https://www.postgresql.org/docs/{major}/runtime-config.html#GUC-{}", setting.name.to_uppercase().replace('_', "-")),
        });
        if let Some(unit) = &setting.unit {
            properties["unit"] = json!(unit);
        }
        properties
    }
}

impl Azure {
    async fn fresh(&self) {
        // While the server restarts the service goes on showing what it knows.
        if let Err(error) = self.configurations.refresh(&self.server).await {
            tracing::debug!("the parameters are shown as last seen: {error}");
        }
    }

    pub(super) async fn list_configurations(&self) -> Answer {
        self.fresh().await;
        let settings = self.configurations.lock().settings.clone();
        Answer::ok(json!({ "value": settings.iter().map(|setting| self.configuration_json(setting)).collect::<Vec<_>>() }))
    }

    fn configuration_json(&self, setting: &Setting) -> Value {
        self.child_json("configurations", &setting.name, self.configurations.properties(setting))
    }

    pub(super) async fn get_configuration(&self, name: &str) -> Answer {
        self.fresh().await;
        match self.configurations.find(name) {
            Some(setting) => Answer::ok(self.configuration_json(&setting)),
            None => self.child_not_found("configurations", name),
        }
    }

    pub(super) async fn set_configuration(self: &Arc<Self>, call: &Call, name: &str) -> Answer {
        let Some(setting) = self.configurations.find(name) else { return self.child_not_found("configurations", name) };
        let Ok(body) = call.json() else { return invalid_content() };
        let value = match &body["properties"]["value"] {
            Value::String(value) => value.clone(),
            Value::Null if body["properties"]["source"] == "system-default" => setting.default.clone(),
            _ => return error(StatusCode::BAD_REQUEST, "InvalidParameterValue", "Invalid value given for parameter value."),
        };
        if !setting.read_only() && !setting.accepts(&value) {
            let message =
                format!("Invalid value '{value}' for configuration '{}': allowed values are '{}'.", setting.name, setting.allowed);
            return error(StatusCode::BAD_REQUEST, "InvalidParameterValue", message);
        }
        if let Err(answer) = self.claim(State::Ready, State::Updating) {
            return answer;
        }
        let mut result = self.configuration_json(&setting);
        result["properties"]["value"] = json!(value);
        let azure = Arc::clone(self);
        self.begin(call, "UpdateOrcasServerParameterManagementOperation", State::Ready, result, async move {
            azure.apply(&setting, &value).await
        })
    }

    async fn apply(&self, setting: &Setting, value: &str) -> std::result::Result<(), Outcome> {
        if setting.read_only() {
            // Word for word: the real service forgets to fill in its own message.
            return Err(Outcome { code: "OperationFailed".to_owned(), message: "{0}".to_owned() });
        }
        if !setting.is_azure_only() {
            let client = self.server.superuser("postgres").await.map_err(broken)?;
            let value = if LISTS.contains(&setting.name.as_str()) && !value.is_empty() {
                value.split(',').map(|element| literal(element.trim())).collect::<Vec<_>>().join(", ")
            } else {
                literal(value)
            };
            let statement = format!("alter system set {} = {value}", identifier(&setting.name));
            let changed = client.batch_execute(&statement).await.doing(|| format!("setting {}", setting.name));
            changed.map_err(|error| Outcome { code: "InvalidParameterValue".to_owned(), message: error.to_string() })?;
            if setting.dynamic() {
                let reloaded = client.batch_execute("select pg_catalog.pg_reload_conf()").await.doing(|| "reloading the configuration");
                reloaded.map_err(broken)?;
            }
        }
        self.configurations.store(&setting.name, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_may_begin_below_zero() {
        assert_eq!(range("2-262143"), Some((2.0, 262_143.0)));
        assert_eq!(range("-1-2147483647"), Some((-1.0, 2_147_483_647.0)));
        assert_eq!(range("0-1.79769e+308").map(|ends| ends.0), Some(0.0));
        assert_eq!(range("on,off"), None);
    }
}
