//! The files that lead azure2neon, and other clients, to the simulated clouds.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::arm::{Apps, SECRET, SETTING};
use crate::error::{Doing, Result};

/// The names of the files, in the settings folder.
pub(crate) const FILES: [&str; 4] = ["azure2neon.toml", "ca.pem", "secrets.env", "endpoints.json"];

/// What the files say.
pub(crate) struct Settings<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) ca_pem: String,
    pub(crate) subscription: &'a str,
    pub(crate) resource_group: &'a str,
    pub(crate) server: &'a str,
    pub(crate) database: &'a str,
    pub(crate) target_major: u32,
    pub(crate) administrator: &'a str,
    pub(crate) administrator_password: &'a SecretString,
    pub(crate) source_host: String,
    pub(crate) azure_address: String,
    pub(crate) neon_address: String,
    pub(crate) arm_http: String,
    pub(crate) arm_https: String,
    pub(crate) neon_http: String,
    pub(crate) neon_https: String,
    pub(crate) control: String,
    pub(crate) vault_http: String,
    pub(crate) apps: &'a Apps,
    pub(crate) tenant: &'a str,
    pub(crate) client: &'a str,
    pub(crate) client_secret: &'a SecretString,
    pub(crate) arm_token: &'a SecretString,
    pub(crate) neon_key: &'a SecretString,
    pub(crate) organization: &'a str,
    pub(crate) client_programs: &'a Path,
}

/// Makes the folder, for its owner only.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    let what = || format!("making {}", folder.display());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(what)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).doing(what)
}

/// The files' paths.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().map(|file| folder.join(file)).collect()
}

/// A name for the Neon project: lower case, and nothing that needs care.
pub(crate) fn project_name(database: &str) -> String {
    let name: String =
        database.to_lowercase().chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "database".to_owned() } else { name.to_owned() }
}

/// The connection string that the application has before a migration.
pub(crate) fn source_url(user: &str, password: &SecretString, host: &str, database: &str) -> String {
    let plain = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("postgresql://{}:{}@{host}/{}?sslmode=require", plain(user), plain(password.expose_secret()), plain(database))
}

impl Settings<'_> {
    /// Writes all files.
    pub(crate) fn write(&self) -> Result<()> {
        let [config, ca, secrets, endpoints] = FILES;
        self.put(ca, 0o644, &self.ca_pem)?;
        self.put(config, 0o644, &self.config())?;
        self.put(secrets, 0o600, &self.secrets())?;
        self.put(endpoints, 0o600, &format!("{:#}\n", self.endpoints()))
    }

    fn put(&self, name: &str, mode: u32, content: &str) -> Result<()> {
        let path = self.folder.join(name);
        let what = || format!("writing {}", path.display());
        // An old file would keep its permissions.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).doing(what),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&path).doing(what)?;
        file.write_all(content.as_bytes()).doing(what)
    }

    fn ca_file(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    fn config(&self) -> String {
        // JSON strings are TOML strings too.
        let quoted = |text: &str| json!(text).to_string();
        format!(
            "# Written by azure2neon's local cloud: Azure and Neon on this machine. The secrets are in secrets.env.\n\
             \n\
             [source]\n\
             server = {server}\n\
             resource_group = {group}\n\
             subscription = {subscription}\n\
             database = {database}\n\
             \n\
             [target]\n\
             project = {project}\n\
             pg_version = {major}\n\
             \n\
             [cloud]\n\
             arm_endpoint = {arm}\n\
             neon_endpoint = {neon}\n\
             \n\
             [network]\n\
             ca_file = {ca}\n\
             \n\
             [network.resolve]\n\
             \"*.postgres.database.azure.com\" = {azure_address}\n\
             \"*.aws.neon.tech\" = {neon_address}\n\
             \n\
             [tools]\n\
             postgres_bin = {programs}\n",
            server = quoted(self.server),
            group = quoted(self.resource_group),
            subscription = quoted(self.subscription),
            database = quoted(self.database),
            project = quoted(&project_name(self.database)),
            major = self.target_major,
            arm = quoted(&self.arm_http),
            neon = quoted(&self.neon_http),
            ca = quoted(&self.ca_file()),
            azure_address = quoted(&self.azure_address),
            neon_address = quoted(&self.neon_address),
            programs = quoted(&self.client_programs.display().to_string()),
        )
    }

    fn secrets(&self) -> String {
        // None of these has a quote in it: they are all of our making.
        [
            ("AZURE_TENANT_ID", self.tenant),
            ("AZURE_CLIENT_ID", self.client),
            ("AZURE_CLIENT_SECRET", self.client_secret.expose_secret()),
            ("AZURE_AUTHORITY_HOST", &self.arm_https),
            ("NEON_API_KEY", self.neon_key.expose_secret()),
            ("AZURE2NEON_SOURCE_PASSWORD", self.administrator_password.expose_secret()),
        ]
        .iter()
        .map(|(name, value)| format!("export {name}='{value}'\n"))
        .collect()
    }

    fn source_url(&self) -> String {
        source_url(self.administrator, self.administrator_password, &self.source_host, self.database)
    }

    fn endpoints(&self) -> serde_json::Value {
        json!({
            "arm": { "http": self.arm_http, "https": self.arm_https, "token": self.arm_token.expose_secret() },
            "neon": { "http": self.neon_http, "https": self.neon_https, "key": self.neon_key.expose_secret(), "organization": self.organization },
            "login": { "https": self.arm_https, "http": self.arm_http, "tenant": self.tenant, "client_id": self.client, "client_secret": self.client_secret.expose_secret() },
            "control": self.control,
            "vault": { "http": self.vault_http, "secret": SECRET },
            "app_service": { "app": self.apps.web, "setting": SETTING },
            "container_app": { "app": self.apps.container, "secret": SECRET },
            "ca_file": self.ca_file(),
            "subscription": self.subscription,
            "resource_group": self.resource_group,
            "server": self.server,
            "database": self.database,
            "source": {
                "host": self.source_host,
                "address": self.azure_address,
                "port": crate::network::POSTGRES,
                "user": self.administrator,
                "password": self.administrator_password.expose_secret(),
                "url": self.source_url(),
            },
            "resolve": { "*.postgres.database.azure.com": self.azure_address, "*.aws.neon.tech": self.neon_address },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::project_name;

    #[test]
    fn project_names_are_plain() {
        for (database, project) in [("bikeparts", "bikeparts"), ("Bike Parts_2", "bike-parts-2"), ("Ünïcode", "n-code"), ("__", "database")]
        {
            assert_eq!(project_name(database), project);
        }
    }
}
