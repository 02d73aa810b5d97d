//! What the simulated clouds are made of.

use std::path::PathBuf;
use std::time::Duration;

use crate::neon::Plan;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Major version of the Azure server, 14 to 18. On 14 and 15 its administrator is a superuser, which on Azure he is not:
    /// plain PostgreSQL lets nobody else make a replication role there.
    pub source_major: u32,
    /// Major version of a Neon project, 16 to 18, where its creation names none.
    pub target_major_default: u32,
    /// The database on the Azure server.
    pub database: String,
    /// What the database is loaded with: an SQL script (`.sql`, through psql) or a dump (through pg_restore).
    pub load: Option<PathBuf>,
    /// The folder for the settings that lead `azure2neon` here; made if it doesn't exist.
    pub settings: PathBuf,
    /// Where the PostgreSQL programs are; otherwise they are looked for.
    pub postgres_dir: Option<PathBuf>,
    /// The Azure server's location.
    pub region: String,
    /// The Azure server's name.
    pub server: String,
    /// The administrator of the Azure server.
    pub administrator: String,
    /// How long an operation of either cloud takes, besides the work that it really does.
    pub operation_delay: Duration,
    /// Seconds that ARM tells clients to wait between polls; none tells nothing, as the real one does.
    pub retry_after: Option<u64>,
    /// Names of Neon projects that exist from the start; a server is made for one when it is connected to.
    pub existing_projects: Vec<String>,
    /// Names of further Azure servers in another resource group, which exist in ARM only.
    pub other_servers: Vec<String>,
    /// How many servers ARM lists on a page; none is all.
    pub page_size: Option<usize>,
    /// Whether the Azure server sits in a virtual network, where firewall rules are accepted and have no effect.
    pub private_network: bool,
    /// Whether the Azure server's firewall lets the operator in from the start.
    pub operator_rule: bool,
    /// How long after its operation a firewall rule takes effect.
    pub rule_propagation: Duration,
    /// Role of the Azure server that stands for the application of `secrets.env`, which logs in with an access token of Entra ID.
    pub entra_administrator: Option<String>,
    /// Whether ARM says that roles of the Azure server may log in with passwords; they can either way.
    pub password_login: bool,
    /// What ARM says of the Azure server in place of what it would say by itself, as a JSON merge patch that removes nothing:
    /// `{"properties": {"replicationRole": "AsyncReplica"}}`. It has no effect on the server.
    pub server_patch: serde_json::Value,
    /// Actions that the application's roles in Azure don't allow, as in a role's `notActions`.
    pub not_actions: Vec<String>,
    /// Whether the Neon key belongs to the organization instead of a person.
    pub organization_key: bool,
    /// The Neon project, by its name, that the key is for and no other; none is a key for all.
    pub key_project: Option<String>,
    /// What the Neon account has subscribed to.
    pub plan: Plan,
    /// How many projects the Neon account may have.
    pub projects_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source_major: 16,
            target_major_default: 17,
            database: "bikeparts".to_owned(),
            load: None,
            settings: PathBuf::from("local-cloud"),
            postgres_dir: None,
            region: "uksouth".to_owned(),
            server: "bikeparts-prod".to_owned(),
            administrator: "bikeadmin".to_owned(),
            operation_delay: Duration::from_millis(150),
            retry_after: None,
            existing_projects: Vec::new(),
            other_servers: Vec::new(),
            page_size: None,
            private_network: false,
            operator_rule: true,
            rule_propagation: Duration::ZERO,
            entra_administrator: None,
            password_login: true,
            server_patch: serde_json::Value::Null,
            not_actions: Vec::new(),
            organization_key: false,
            key_project: None,
            plan: Plan::default(),
            projects_limit: 100,
        }
    }
}
