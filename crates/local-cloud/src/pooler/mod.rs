//! A real PgBouncer between the application and its server, with transaction pooling.

mod nameserver;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

use crate::error::{Doing, Error, Result};
use crate::servers::{Account, set_mode};
use nameserver::Nameserver;

/// How long it may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends with us, however we end: then the kernel closes our end of the pipe.
const SCRIPT: &str = r#""$@" & read -r _; kill "$!"; wait "$!""#;

/// What a PgBouncer is started with.
#[derive(Default)]
pub struct PoolerOptions<'a> {
    /// Its one database, as clients call it.
    pub database: &'a str,
    /// The connection string of the entry, in PgBouncer's form.
    pub server: &'a str,
    /// Who may log in, with which password; may use the console too.
    pub client: (&'a str, &'a str),
    /// `key = value` lines of the file, which win over the usual ones.
    pub settings: &'a str,
    /// Host names, or `*.suffix`, and their addresses.
    pub resolve: BTreeMap<String, IpAddr>,
}

/// What it shows to clients, and whom it trusts, in PEM.
pub(crate) struct Tls {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) authority: String,
}

/// A running PgBouncer; it ends with the value.
pub struct Pooler {
    port: u16,
    folder: tempfile::TempDir,
    child: Child,
    _nameserver: Option<Nameserver>,
}

impl Pooler {
    /// Starts it and waits until its console answers.
    pub async fn start(options: PoolerOptions<'_>) -> Result<Self, Error> {
        Self::with_tls(options, None).await
    }

    /// The same with TLS on both sides, and servers that must be who they say.
    pub(crate) async fn with_tls(options: PoolerOptions<'_>, certificates: Option<Tls>) -> Result<Self> {
        let program = find()?;
        let account = Account::for_servers()?;
        let folder = tempfile::Builder::new().prefix("azure2neon-pooler-").tempdir().doing(|| "making PgBouncer's folder")?;
        let nameserver = if options.resolve.is_empty() { None } else { Some(Nameserver::start(options.resolve.clone()).await) };
        let what = || "starting a name server on port 53, which root may, and others from net.ipv4.ip_unprivileged_port_start on";
        let nameserver = nameserver.transpose().doing(what)?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing(|| "looking for a free port")?;
        let port = listener.local_addr().doing(|| "looking for a free port")?.port();
        drop(listener);
        let place = folder.path();
        let put = |name: &str, text: &str| {
            let path = place.join(name);
            std::fs::write(&path, text).doing(|| format!("writing {}", path.display()))?;
            set_mode(&path, 0o600)?;
            account.map_or(Ok(()), |account| account.own(&path))
        };
        let (user, password) = options.client;
        put("users.txt", &format!("\"{user}\" \"{}\"\n", password.replace('"', "\"\"")))?;
        let mut more = String::new();
        if let Some(nameserver) = &nameserver {
            put("resolv.conf", &format!("nameserver {}\n", nameserver.address()))?;
            more = format!("resolv_conf = {}/resolv.conf\n", place.display());
        }
        if let Some(Tls { chain, key, authority }) = &certificates {
            put("server.pem", chain)?;
            put("server.key", key)?;
            put("ca.pem", authority)?;
            let place = place.display();
            more += &format!(
                "client_tls_sslmode = allow\nclient_tls_cert_file = {place}/server.pem\nclient_tls_key_file = {place}/server.key\n\
                 server_tls_sslmode = verify-full\nserver_tls_ca_file = {place}/ca.pem\n"
            );
        }
        put("pgbouncer.ini", &file(&options, place, port, &more))?;
        set_mode(place, 0o711)?;
        if let Some(account) = account {
            account.own(place)?;
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "azure2neon-pooler"]).arg(program).arg("-q").arg(place.join("pgbouncer.ini"));
        if let Some(account) = account {
            command.uid(account.user).gid(account.group);
        }
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let child = command.spawn().doing(|| "starting PgBouncer")?;
        let pooler = Self { port, folder, child, _nameserver: nameserver };
        pooler.ready(user, password, options.database).await?;
        Ok(pooler)
    }

    async fn ready(&self, user: &str, password: &str, database: &str) -> Result<()> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user(user).password(password).dbname("pgbouncer");
        let since = Instant::now();
        loop {
            match config.connect(NoTls).await {
                Ok(_) => return Ok(()),
                Err(error) if since.elapsed() > PATIENCE => {
                    return Err(error).doing(|| format!("PgBouncer for {database} does not come up; its log:\n{}", self.log()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// The port of 127.0.0.1 on which clients and the console are served.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("pgbouncer.ini")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn file(options: &PoolerOptions<'_>, place: &Path, port: u16, more: &str) -> String {
    let (database, server, settings, place) = (options.database, options.server, options.settings, place.display());
    // The last of two equal keys counts.
    format!(
        "[databases]\n{database} = {server}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = scram-sha-256\nauth_file = {place}/users.txt\nadmin_users = {user}\npool_mode = transaction\n\
         max_client_conn = 500\ndefault_pool_size = 40\nignore_startup_parameters = extra_float_digits\n\
         server_tls_sslmode = require\nlogfile = {place}/log\n{more}{settings}\n",
        user = options.client.0,
    )
}

/// The program: what scripts/setup brought, here or above the running executable, else the system's.
fn find() -> Result<PathBuf> {
    let own = |folder: &Path| Some(folder.join(".tools/pgbouncer/bin/pgbouncer")).filter(|program| program.is_file());
    let executable = std::env::current_exe().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let above = std::iter::once(here.as_path()).chain(executable.ancestors().skip(1)).find_map(own);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    above
        .or_else(|| folders.map(|folder| folder.join("pgbouncer")).find(|program| program.is_file()))
        .ok_or_else(|| Error::new("there is no PgBouncer on this machine: run scripts/setup"))
}
