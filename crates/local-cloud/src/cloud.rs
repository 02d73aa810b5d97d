//! Bringing both clouds up and down, and the switches that tests turn.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::arm::{self, Azure, Configurations, Identity};
use crate::discovery::{absolute, find_postgres};
use crate::error::{Error, Result};
use crate::http::{Armed, Control, Fault, Faults, Recorded, serve};
use crate::neon::{Directory, Neon};
use crate::network::{self, AzureDoor, Firewall, Link, Nat, NeonDoor, Rule, Subnet};
use crate::options::Options;
use crate::pooler::{Pooler, PoolerOptions, Tls};
use crate::random;
use crate::servers::Machine;
use crate::settings::{self, Settings};
use crate::tasks::Tasks;
use crate::tls::Authority;
use crate::vault::Vault;

/// The resource group of the Azure server.
const RESOURCE_GROUP: &str = "bikeparts-rg";

/// Azure and Neon, running. Dropping it cleans up too, but [`LocalCloud::stop`] waits for that and tells of failures.
pub struct LocalCloud {
    folder: PathBuf,
    machine: Arc<Machine>,
    azure: Arc<Azure>,
    vault: Arc<Vault>,
    neon: Arc<Neon>,
    faults: Arc<Faults>,
    tasks: Arc<Tasks>,
    operator: Link,
    nat: Link,
    proxy: Link,
    back: Link,
}

impl LocalCloud {
    /// Brings both clouds up: servers, proxies, APIs; loads the database; writes the settings.
    pub async fn start(options: Options) -> Result<Self, Error> {
        check(&options)?;
        let folder = absolute(&options.settings)?;
        let postgres = find_postgres(options.postgres_dir.as_deref())?;
        for major in [options.source_major, options.target_major_default] {
            postgres.server(major)?;
        }
        let client_programs = postgres.client()?.to_path_buf();
        settings::make_folder(&folder)?;
        let authority = Arc::new(Authority::new()?);
        let machine = Arc::new(Machine::new(postgres, &authority.pem(), &settings::files(&folder))?);
        let started = Self::build(options, folder, Arc::clone(&machine), authority, &client_programs).await;
        if started.is_err() {
            // The first failure is the one to tell.
            let _ = machine.clean_up().await;
        }
        started
    }

    async fn build(
        options: Options,
        folder: PathBuf,
        machine: Arc<Machine>,
        authority: Arc<Authority>,
        client_programs: &Path,
    ) -> Result<Self> {
        let (subnet, listeners) = Subnet::take().await?;
        let host = format!("{}.postgres.database.azure.com", options.server.to_lowercase());
        // As on Azure, the certificate is for all servers.
        let azure_names = ["*.postgres.database.azure.com", host.as_str()];
        let door_tls = authority.issue(&azure_names, &[])?.server_config()?;
        let api_tls = authority.issue(&["localhost"], &[subnet.api()])?.server_config()?;
        let password = random::secret("", 24);

        let server = arm::create_source(
            Arc::clone(&machine),
            options.source_major,
            subnet.source(),
            subnet.neon_from_azure(),
            authority.issue(&azure_names, &[])?,
            &options.administrator,
            &password,
            &options.database,
        )
        .await?;
        if let Some(role) = &options.entra_administrator {
            arm::create_entra_administrator(&server, options.source_major, role, &options.administrator).await?;
        }
        if let Some(file) = &options.load {
            let load = arm::Load {
                programs: client_programs,
                server: &server,
                administrator: &options.administrator,
                password: &password,
                database: &options.database,
            };
            load.run(&absolute(file)?).await?;
        }
        let server = Arc::new(server);
        let configurations = Configurations::default();
        configurations.refresh(&server).await?;

        let source_url = settings::source_url(&options.administrator, &password, &host, &options.database);
        let firewall = Arc::new(Firewall::new(options.rule_propagation));
        if options.operator_rule {
            // What a cloud engineer has opened long ago, to get in at all. Connections on this machine come from 127.0.0.1.
            firewall.put(Rule { name: "operator".to_owned(), start: Ipv4Addr::LOCALHOST, end: Ipv4Addr::LOCALHOST });
        }

        let (tasks, faults) = (Arc::new(Tasks::default()), Arc::new(Faults::default()));
        let (operator, nat, proxy, back) = (Link::default(), Link::default(), Link::default(), Link::default());
        let door = AzureDoor {
            firewall: Arc::clone(&firewall),
            server: server.address(),
            tls: door_tls,
            link: operator.clone(),
            address: subnet.azure(),
            nat: None,
            private: options.private_network,
        };
        let gateways = Nat::new(subnet, AzureDoor { link: nat.clone(), ..door.clone() }, Arc::clone(&tasks));
        tasks.spawn(door.serve(listeners.azure));

        let azure = Arc::new(Azure {
            identity: Identity::new(),
            subscription: random::uuid(),
            resource_group: RESOURCE_GROUP.to_owned(),
            name: options.server.clone(),
            location: options.region.clone(),
            administrator: options.administrator.clone(),
            major: options.source_major,
            private: options.private_network,
            entra_administrator: options.entra_administrator.clone(),
            password_login: options.password_login,
            other_servers: options.other_servers.clone(),
            page_size: options.page_size,
            server,
            firewall,
            apps: arm::Apps::new(&options.database.to_lowercase(), &source_url),
            configurations,
            faults: Arc::clone(&faults),
            delay: options.operation_delay,
            retry_after: options.retry_after,
            state: Mutex::new(arm::State::Ready),
            operations: arm::Operations::default(),
            changes: Mutex::new(options.server_patch.clone()),
            not_actions: options.not_actions.clone(),
        });
        let neon = Arc::new(Neon {
            key: random::secret("napi_", 64),
            organization: format!("org-{}-{}", random::words(), random::digits()),
            user: random::uuid(),
            organization_key: options.organization_key,
            key_project: options.key_project.clone(),
            plan: options.plan,
            projects_limit: options.projects_limit,
            default_major: options.target_major_default,
            delay: options.operation_delay,
            machine: Arc::clone(&machine),
            authority: Arc::clone(&authority),
            subnet,
            nat: gateways,
            faults: Arc::clone(&faults),
            projects: Mutex::default(),
            computes: std::sync::atomic::AtomicUsize::new(0),
        });
        for name in &options.existing_projects {
            neon.add_existing(name)?;
        }
        let neon_door = NeonDoor {
            computes: Arc::new(Directory(Arc::clone(&neon))),
            authority: Arc::clone(&authority),
            link: proxy.clone(),
            address: subnet.neon_proxy(),
        };
        let from_azure = NeonDoor { link: back.clone(), address: subnet.neon_from_azure(), ..neon_door.clone() };
        tasks.spawn(from_azure.serve(listeners.neon_from_azure));
        tasks.spawn(neon_door.serve(listeners.neon_proxy));
        tasks.spawn(serve(Arc::clone(&azure), Arc::clone(&faults), listeners.arm_http, None));
        tasks.spawn(serve(Arc::clone(&azure), Arc::clone(&faults), listeners.arm_https, Some(Arc::clone(&api_tls))));
        tasks.spawn(serve(Arc::clone(&neon), Arc::clone(&faults), listeners.neon_http, None));
        tasks.spawn(serve(Arc::clone(&neon), Arc::clone(&faults), listeners.neon_https, Some(api_tls)));
        let vault = Arc::new(Vault::new(Arc::clone(&azure), vault_http(subnet), arm::SECRET, &source_url));
        tasks.spawn(serve(Arc::clone(&vault), Arc::clone(&faults), listeners.vault_http, None));
        let identity = Arc::clone(&azure);
        let control = Control { faults: Arc::clone(&faults), expire_tokens: Box::new(move || identity.identity.expire_tokens()) };
        tasks.spawn(serve(Arc::new(control), Arc::default(), listeners.control, None));

        write_settings(&folder, &authority, &azure, &neon, subnet, &options, &password, client_programs)?;
        Ok(Self { folder, machine, azure, vault, neon, faults, tasks, operator, nat, proxy, back })
    }

    /// The folder with `azure2neon.toml`, `secrets.env`, `endpoints.json` and `ca.pem`, from the root.
    pub fn settings(&self) -> &Path {
        &self.folder
    }

    /// The temporary folder with the servers' data.
    pub fn data_folder(&self) -> &Path {
        self.machine.root()
    }

    /// Stops all servers, and removes their data and the settings' files; the settings' folder too if nothing else is in it.
    pub async fn stop(self) -> Result<(), Error> {
        self.tasks.stop();
        let (azure, neon) = tokio::join!(self.azure.server.stop(), self.neon.stop());
        self.machine.clean_up().await?;
        azure.and(neon)
    }

    /// A connection to the Azure server as its superuser, past the firewall.
    pub async fn source_superuser(&self, database: &str) -> Result<tokio_postgres::Client, Error> {
        self.azure.server.superuser(database).await
    }

    /// A connection to the compute of a Neon project (id or name) as its superuser, past the proxy; the compute is started if need be.
    pub async fn compute_superuser(&self, project: &str, database: &str) -> Result<tokio_postgres::Client, Error> {
        self.neon.server(project).await?.superuser(database).await
    }

    /// A PgBouncer that reaches both clouds' servers by their names, with TLS. Clients find it at `localhost`.
    pub async fn pooler(&self, options: PoolerOptions<'_>) -> Result<Pooler, Error> {
        let certificate = self.neon.authority.issue(&["localhost"], &[Ipv4Addr::LOCALHOST])?;
        let subnet = self.neon.subnet;
        let resolve = [("*.postgres.database.azure.com", subnet.azure()), ("*.aws.neon.tech", subnet.neon_proxy())];
        let tls = Tls {
            chain: certificate.chain_pem.clone(),
            key: certificate.key_pem.expose_secret().to_owned(),
            authority: self.neon.authority.pem(),
        };
        let resolve = resolve.into_iter().map(|(pattern, address)| (pattern.to_owned(), address.into())).collect();
        Pooler::with_tls(PoolerOptions { resolve, ..options }, Some(tls)).await
    }

    /// Names of the Neon projects that exist now.
    pub fn projects(&self) -> Vec<String> {
        self.neon.projects().iter().map(|project| project.state().name.clone()).collect()
    }

    /// The id of the Neon project of that name.
    pub fn project_id(&self, name: &str) -> Option<String> {
        self.neon.projects().iter().find(|project| project.state().name == name).map(|project| project.id.clone())
    }

    /// Names of the Azure server's firewall rules.
    pub fn firewall_rules(&self) -> Vec<String> {
        self.azure.firewall.list().into_iter().map(|rule| rule.name).collect()
    }

    /// The line between the operator and the Azure server.
    pub fn operator_link(&self) -> &Link {
        &self.operator
    }

    /// The line between Neon's NAT gateways and the Azure server.
    pub fn nat_link(&self) -> &Link {
        &self.nat
    }

    /// The line from the Azure server to Neon's proxy.
    pub fn way_back_link(&self) -> &Link {
        &self.back
    }

    /// The operator's line through Neon's proxy.
    pub fn neon_link(&self) -> &Link {
        &self.proxy
    }

    /// Lets the next call fail whose method is equal (`*` is any) and whose path contains the text: with this answer, and no effect.
    pub fn fail_next(&self, method: &str, path_contains: &str, status: u16, body: Value) {
        self.inject(method, path_contains, 1, Fault::Answer { status, body, retry_after: None });
    }

    /// Lets the next so many matching calls suffer a fault; in the path a `*` stands for anything, a `$` at the
    /// end for the path's end.
    pub fn inject(&self, method: &str, path_contains: &str, times: usize, fault: Fault) {
        self.faults.arm(Armed::new(method, path_contains, times, fault));
    }

    /// Lets each call of the API (`arm`, `entra` or `neon`) suffer the fault once: the first of its method and path.
    pub fn inject_each(&self, api: &'static str, fault: Fault) {
        self.faults.arm_each(api, fault);
    }

    /// How many faults of single calls have not happened yet.
    pub fn waiting_faults(&self) -> usize {
        self.faults.armed().len()
    }

    /// Forgets all faults that have not happened yet.
    pub fn clear_faults(&self) {
        self.faults.disarm();
    }

    /// What the processes of the App Service app and of the container app see as their connection string, by the app's name.
    pub fn seen_by_apps(&self) -> BTreeMap<String, String> {
        self.azure.apps.seen().0
    }

    /// How often these processes were restarted.
    pub fn app_restarts(&self) -> usize {
        self.azure.apps.seen().1
    }

    /// The values of the key vault's secret `database-url`, the oldest version's first.
    pub fn vault_values(&self) -> Vec<String> {
        self.vault.values(arm::SECRET)
    }

    /// Every HTTP call so far.
    pub fn calls(&self) -> Vec<Recorded> {
        self.faults.calls()
    }

    /// The ARM tokens that were given out, for tests that look whether one shows where it must not.
    pub fn issued_arm_tokens(&self) -> Vec<String> {
        self.azure.identity.issued()
    }

    /// The tokens that were given out for logins to the Azure server's databases.
    pub fn issued_database_tokens(&self) -> Vec<String> {
        self.azure.identity.issued_for_database()
    }

    /// The tokens that were given out for key vaults.
    pub fn issued_vault_tokens(&self) -> Vec<String> {
        self.azure.identity.issued_for_vault()
    }

    /// Makes every token for the Azure server's databases invalid, as time does.
    pub async fn expire_database_tokens(&self) -> Result<(), Error> {
        self.azure.expire_database_login().await
    }

    /// Makes every ARM token invalid that was given out, as time does.
    pub fn expire_arm_tokens(&self) {
        self.azure.identity.expire_tokens();
    }
}

fn vault_http(subnet: Subnet) -> String {
    format!("http://{}:{}", subnet.api(), network::VAULT_HTTP)
}

fn check(options: &Options) -> Result<()> {
    if !(14..=18).contains(&options.source_major) {
        return Err(Error::new(format!("PostgreSQL {} can't be the source: the simulated Azure has 14 to 18", options.source_major)));
    }
    if !(16..=18).contains(&options.target_major_default) {
        let major = options.target_major_default;
        return Err(Error::new(format!(
            "PostgreSQL {major} can't be the target: the simulated Neon has 16, 17 and 18, since only there somebody else than a superuser can subscribe"
        )));
    }
    let good = |character: char| character.is_ascii_alphanumeric() || character == '-';
    if !(3..=63).contains(&options.server.len()) || !options.server.chars().all(good) {
        return Err(Error::new(format!("{} is no name for an Azure server: 3 to 63 letters, digits and dashes", options.server)));
    }
    if options.database.is_empty() || options.database.len() > 63 {
        return Err(Error::new("the database's name must have 1 to 63 bytes"));
    }
    Ok(())
}

impl Neon {
    /// Adds a project that was there before; it sleeps.
    fn add_existing(&self, name: &str) -> Result<()> {
        let project = self
            .new_project(&json!({ "name": name }))
            .map_err(|answer| Error::new(format!("the project {name}: {}", answer.body.unwrap_or_default()["message"])))?;
        project.sleep();
        self.projects.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(project);
        Ok(())
    }
}

#[allow(clippy::too_many_arguments)] // It only gathers what belongs into the files.
fn write_settings(
    folder: &Path,
    authority: &Authority,
    azure: &Azure,
    neon: &Neon,
    subnet: Subnet,
    options: &Options,
    password: &SecretString,
    client_programs: &Path,
) -> Result<()> {
    let api = subnet.api();
    Settings {
        folder,
        ca_pem: authority.pem(),
        subscription: &azure.subscription,
        resource_group: &azure.resource_group,
        server: &azure.name,
        database: &options.database,
        target_major: options.target_major_default,
        administrator: &azure.administrator,
        administrator_password: password,
        source_host: azure.host(),
        azure_address: subnet.azure().to_string(),
        neon_address: subnet.neon_proxy().to_string(),
        arm_http: format!("http://{api}:{}", network::ARM_HTTP),
        arm_https: format!("https://{api}:{}", network::ARM_HTTPS),
        neon_http: format!("http://{api}:{}/api/v2", network::NEON_HTTP),
        neon_https: format!("https://{api}:{}/api/v2", network::NEON_HTTPS),
        vault_http: vault_http(subnet),
        apps: &azure.apps,
        control: format!("http://{api}:{}", network::CONTROL),
        tenant: &azure.identity.tenant,
        client: &azure.identity.client,
        client_secret: &azure.identity.secret,
        arm_token: &azure.identity.token,
        neon_key: &neon.key,
        organization: &neon.organization,
        client_programs,
    }
    .write()
}
