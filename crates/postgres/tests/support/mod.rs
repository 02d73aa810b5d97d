//! Real PostgreSQL servers for tests: one a value, ended with it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]

pub mod line;

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use azure2neon_postgres::{Endpoint, Session};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use secrecy::SecretString;

pub const PASSWORD: &str = "it's a \\ test";

pub struct Server {
    pub major: u32,
    pub port: u16,
    pub ca_file: PathBuf,
    child: Child,
    folder: tempfile::TempDir,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn client_bin() -> PathBuf {
    root().join(".tools/postgresql/client/bin")
}

/// PostgreSQL refuses to run as root.
fn unprivileged() -> (u32, u32) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = passwd.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).unwrap()
}

fn am_root() -> bool {
    std::fs::metadata("/proc/self").map(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0).unwrap_or(false)
}

fn command(major: u32, program: &str) -> Command {
    let path = root().join(format!(".tools/postgresql/{major}/bin/{program}"));
    assert!(path.is_file(), "{} is missing: run scripts/setup", path.display());
    let mut command = Command::new(path);
    if am_root() {
        let (uid, gid) = unprivileged();
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

pub fn give(path: &Path) {
    if am_root() {
        let (uid, gid) = unprivileged();
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn certificates(folder: &Path) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    // OpenSSL takes a certificate whose subject is its issuer's for a self-signed one.
    ca.distinguished_name.push(rcgen::DnType::CommonName, "azure2neon test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "db.example.test".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    for (name, text, mode) in
        [("ca.pem", ca_certificate.pem(), 0o644), ("server.pem", certificate.pem(), 0o644), ("server.key", key.serialize_pem(), 0o600)]
    {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        give(&path);
    }
}

impl Server {
    /// A server with a superuser `admin`, TLS, logical WAL, and an empty database `app`.
    pub async fn start(major: u32) -> Server {
        Self::start_with(major, &[]).await
    }

    /// The same with `settings`, which go before those that are usual here.
    pub async fn start_with(major: u32, settings: &[(&str, &str)]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        give(folder.path());
        certificates(folder.path());
        let password_file = folder.path().join("password");
        std::fs::write(&password_file, PASSWORD).unwrap();
        give(&password_file);
        let data = folder.path().join("data");
        let output = command(major, "initdb")
            .args(["--username=admin", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", password_file.display()))
            .arg(&data)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = Self::launch(major, folder, settings).await;
        server.endpoint("postgres").connect().await.unwrap().batch_execute("create database app").await.unwrap();
        server
    }

    /// A physical replica of this one, 15 or newer, which has no slot.
    pub async fn standby(&self) -> Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let session = self.session().await;
        session.batch_execute("create role standby login replication password 'standby'").await.unwrap();
        session.query("select pg_backup_start('standby', true)", &[]).await.unwrap();
        let copied = Command::new("cp").arg("-a").arg(format!("{}/.", self.folder.path().display())).arg(folder.path()).status().unwrap();
        assert!(copied.success());
        let label: String = session.query_one("select labelfile from pg_backup_stop(false)", &[]).await.unwrap().get(0);
        let data = folder.path().join("data");
        std::fs::remove_file(data.join("postmaster.pid")).unwrap();
        let conninfo = format!("host=127.0.0.1 port={} user=standby password=standby", self.port);
        let mut settings = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.auto.conf")).unwrap();
        std::io::Write::write_all(&mut settings, format!("primary_conninfo = '{conninfo}'\n").as_bytes()).unwrap();
        for (name, text) in [("backup_label", label.as_str()), ("standby.signal", "")] {
            std::fs::write(data.join(name), text).unwrap();
            give(&data.join(name));
        }
        give(folder.path());
        Self::launch(self.major, folder, &[]).await
    }

    async fn launch(major: u32, folder: tempfile::TempDir, settings: &[(&str, &str)]) -> Server {
        let data = folder.path().join("data");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut start = command(major, "postgres");
        start.arg("-D").arg(&data).arg("-p").arg(port.to_string());
        for (key, value) in [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &folder.path().display().to_string()),
            ("wal_level", "logical"),
            ("max_prepared_transactions", "5"),
            ("fsync", "off"),
            ("shared_buffers", "32MB"),
            ("ssl", "on"),
            ("ssl_cert_file", &folder.path().join("server.pem").display().to_string()),
            ("ssl_key_file", &folder.path().join("server.key").display().to_string()),
            ("wal_retrieve_retry_interval", "200ms"),
        ]
        .iter()
        .chain(settings)
        {
            start.arg("-c").arg(format!("{key}={value}"));
        }
        let child = start.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let ca_file = folder.path().join("ca.pem");
        let server = Server { major, port, ca_file, child, folder };
        let began = Instant::now();
        loop {
            match server.endpoint("postgres").connect().await {
                Ok(_) => return server,
                Err(error) if began.elapsed() > Duration::from_secs(30) => panic!("{error}\n{}", server.log()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Processor time that the server has used since it was started, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let own = self.child.id().to_string();
        let of_process = |stat: String| {
            // Behind the name, which may hold anything: state, parent, …, then own and waited-for time in hundredths.
            let (pid, rest) = (stat.split(' ').next()?.to_owned(), stat.rsplit_once(") ")?.1.to_owned());
            let fields: Vec<&str> = rest.split(' ').collect();
            let time = |range: std::ops::Range<usize>| fields[range].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum::<f64>();
            (pid == own).then(|| time(11..15)).or_else(|| (fields[1] == own).then(|| time(11..13)))
        };
        let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok());
        stats.filter_map(of_process).sum()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// As the superuser.
    pub fn endpoint(&self, database: &str) -> Endpoint {
        Endpoint {
            host: "db.example.test".into(),
            address: Some("127.0.0.1".parse().unwrap()),
            port: self.port,
            database: database.into(),
            user: "admin".into(),
            password: SecretString::from(PASSWORD),
            tls: Arc::new(azure2neon_postgres::tls::client_config(Some(&self.ca_file)).unwrap()),
            application_name: "azure2neon-test".into(),
        }
    }

    /// As the superuser in the database `app`.
    pub async fn session(&self) -> Session {
        self.endpoint("app").connect().await.unwrap()
    }

    /// Makes a role as a managed server gives its user one, the owner of the database `app`.
    pub async fn make_user(&self, name: &str) -> Endpoint {
        let admin = self.session().await;
        let mut sql = format!(
            "create role {name} login createrole createdb replication bypassrls in role pg_monitor, pg_signal_backend;
             alter role {name} password 'user password'; alter database app owner to {name}; alter schema public owner to {name};"
        );
        if self.major >= 16 {
            sql.push_str(&format!("grant pg_create_subscription to {name};"));
        }
        admin.batch_execute(&sql).await.unwrap();
        self.endpoint("app").as_user(name, SecretString::from("user password"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown; SIGKILL would leave the children and the shared memory.
        let _ = Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
