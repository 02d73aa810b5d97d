//! One PostgreSQL server.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls};

use super::{Machine, literal};
use crate::error::{Doing, Error, Result};
use crate::tls::Certificate;

/// Every server listens here, each on an address of its own.
pub(crate) const PORT: u16 = 5432;

/// How long a server may take to come up.
const START: Duration = Duration::from_secs(60);

/// What a server is made of.
pub(crate) struct Spec {
    /// Names the server's folder.
    pub(crate) name: String,
    pub(crate) major: u32,
    /// The bootstrap superuser, which gets in through the Unix socket only.
    pub(crate) superuser: &'static str,
    pub(crate) address: Ipv4Addr,
    /// Arguments of initdb.
    pub(crate) locale: Vec<String>,
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) certificate: Certificate,
}

/// A server with its data folder, running or not.
pub(crate) struct Server {
    machine: Arc<Machine>,
    spec: Spec,
    folder: PathBuf,
    programs: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// Makes the data folder; the server does not run yet.
    pub(crate) async fn create(machine: Arc<Machine>, spec: Spec) -> Result<Self> {
        let server = Self::new(machine, spec).await?;
        let mut initdb = server.machine.command(&server.programs.join("initdb"));
        initdb
            .arg("--pgdata")
            .arg(server.data())
            .args(["--username", server.spec.superuser, "--encoding", "UTF8", "--auth", "trust", "--no-sync", "--no-instructions"])
            .args(&server.spec.locale);
        run("initdb", initdb).await?;
        server.configure()?;
        Ok(server)
    }

    /// Makes a server of a copy of this one's data, while this one goes on; replication slots are not copied.
    pub(crate) async fn copy(&self, spec: Spec) -> Result<Self> {
        let copy = Self::new(Arc::clone(&self.machine), spec).await?;
        let mut backup = self.machine.command(&self.machine.client_programs().await?.join("pg_basebackup"));
        backup
            .arg("--pgdata")
            .arg(copy.data())
            .args(["--username", self.spec.superuser, "--port", &PORT.to_string(), "--checkpoint=fast", "--no-sync", "--host"])
            .arg(&self.folder);
        run("pg_basebackup", backup).await?;
        copy.configure()?;
        Ok(copy)
    }

    async fn new(machine: Arc<Machine>, spec: Spec) -> Result<Self> {
        let programs = machine.programs(spec.major).await?;
        let folder = machine.folder(&spec.name)?;
        Ok(Self { machine, spec, folder, programs, child: Mutex::new(None) })
    }

    fn configure(&self) -> Result<()> {
        let data = self.data();
        self.machine.write(&data.join("server.crt"), &self.spec.certificate.chain_pem)?;
        self.machine.write(&data.join("server.key"), self.spec.certificate.key_pem.expose_secret())?;
        let superuser = self.spec.superuser;
        self.machine.write(
            &data.join("pg_hba.conf"),
            &format!(
                "# The socket lies in a folder that only this server's user may enter.\n\
                 local   all,replication {superuser}   trust\n\
                 hostssl all {superuser} 0.0.0.0/0     reject\n\
                 hostssl all all         127.0.0.0/8   scram-sha-256\n"
            ),
        )?;
        let mut conf = String::from("# Written by azure2neon's local cloud.\n");
        let common = [
            ("listen_addresses", self.spec.address.to_string()),
            ("port", PORT.to_string()),
            ("unix_socket_directories", self.folder.display().to_string()),
            ("ssl", "on".to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("shared_buffers", "64MB".to_owned()),
            // The data die with the simulation: nobody needs them after a crash of the machine, and a crash of the server loses nothing.
            ("fsync", "off".to_owned()),
            ("full_page_writes", "off".to_owned()),
            // A statement that fails can hold a password: a subscription's connection string, for one.
            ("log_min_error_statement", "panic".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("log_timezone", "UTC".to_owned()),
        ];
        for (name, value) in common.iter().chain(&self.spec.parameters) {
            // Values of postgresql.conf double their quotes as SQL literals do, and none of ours has a backslash.
            conf.push_str(&format!("{name} = {}\n", literal(value)));
        }
        self.machine.write(&data.join("postgresql.conf"), &conf)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.spec.address, PORT)
    }

    /// Starts it unless it runs, and waits until it answers.
    pub(crate) async fn start(&self) -> Result<()> {
        self.start_with(&[]).await
    }

    /// The same with parameters for this time, which override those of its making; they are left alone if it runs already.
    pub(crate) async fn start_with(&self, parameters: &[(&'static str, String)]) -> Result<()> {
        let mut child = self.child.lock().await;
        if let Some(running) = child.as_mut() {
            if running.try_wait().doing(|| "looking after the server")?.is_none() {
                return Ok(());
            }
            *child = None;
        }
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log")).doing(|| "opening the server's log")?;
        let mut command = self.machine.command(&self.programs.join("postgres"));
        let mut running = command
            .arg("-D")
            .arg(self.data())
            .args(parameters.iter().flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]))
            .envs(self.spec.environment.iter().map(|(name, value)| (name, value)))
            // What a server's own libpq trusts with sslrootcert=system.
            .env("SSL_CERT_FILE", self.machine.ca_file())
            .stdout(log.try_clone().doing(|| "opening the server's log")?)
            .stderr(log)
            .spawn()
            .doing(|| "starting PostgreSQL")?;
        let deadline = Instant::now() + START;
        loop {
            if self.superuser("template1").await.is_ok() {
                break;
            }
            if running.try_wait().doing(|| "looking after the server")?.is_some() || Instant::now() > deadline {
                return Err(Error::new(format!("{} did not start: {}", self.spec.name, self.last_words())));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        *child = Some(running);
        Ok(())
    }

    /// The end of its log.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join(" | ")
    }

    /// Stops it as Azure and Neon do: sessions are ended, data are written. Does nothing if it doesn't run.
    pub(crate) async fn stop(&self) -> Result<()> {
        let mut child = self.child.lock().await;
        let Some(running) = child.as_mut() else { return Ok(()) };
        // A fast stop waits for walsenders until the other side has taken everything, which may be never.
        for mode in ["fast", "immediate"] {
            if running.try_wait().doing(|| "looking after the server")?.is_some() {
                break;
            }
            self.machine
                .command(&self.programs.join("pg_ctl"))
                .args(["stop", "--silent", "--wait", "--timeout", "10", "--mode", mode, "--pgdata"])
                .arg(self.data())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await
                .doing(|| "running pg_ctl")?;
        }
        running.wait().await.doing(|| "waiting for the server's end")?;
        *child = None;
        Ok(())
    }

    /// Stops it and starts it again.
    pub(crate) async fn restart(&self) -> Result<()> {
        self.stop().await?;
        self.start().await
    }

    /// Stops it and removes its data.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.stop().await?;
        std::fs::remove_dir_all(&self.folder).doing(|| format!("removing {}", self.folder.display()))
    }

    /// A connection as the bootstrap superuser, through the socket.
    pub(crate) async fn superuser(&self, database: &str) -> Result<Client> {
        let (client, connection) = Config::new()
            .host_path(&self.folder)
            .port(PORT)
            .user(self.spec.superuser)
            .dbname(database)
            .application_name("local-cloud")
            .connect(NoTls)
            .await
            .doing(|| format!("connecting to {} as {}", self.spec.name, self.spec.superuser))?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// Runs a program to its end.
async fn run(name: &str, mut command: Command) -> Result<()> {
    let done = command.output().await.doing(|| format!("running {name}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim())))
}
