//! An application as the hand-over knows it: it reads its connection string from an env file whenever it connects.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use crate::workload::{Connect, ConnectError, Connected};

/// The variable that holds the connection string.
pub const VARIABLE: &str = "DATABASE_URL";

/// Connects to wherever the env file points now.
#[derive(Clone)]
pub struct Application {
    env_file: PathBuf,
    resolve: BTreeMap<String, IpAddr>,
    tls: MakeRustlsConnect,
}

impl Application {
    /// An application with this env file; `resolve` maps host names, or `*.suffix`, to addresses.
    pub fn new(env_file: &Path, resolve: BTreeMap<String, IpAddr>, ca_file: &Path) -> Result<Self, ConnectError> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { env_file: env_file.to_owned(), resolve, tls: MakeRustlsConnect::new(tls) })
    }

    /// Points the env file at a server.
    pub fn point_at(&self, url: &str) -> std::io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.env_file)?;
        writeln!(file, "{VARIABLE}='{url}'")
    }

    fn target(&self) -> Result<tokio_postgres::Config, ConnectError> {
        let text = std::fs::read_to_string(&self.env_file)?;
        let url =
            text.lines().find_map(|line| line.strip_prefix(VARIABLE)?.strip_prefix('=')).ok_or("the env file has no connection string")?;
        let url = Url::parse(url.trim_matches('\''))?;
        let decode = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let host = url.host_str().ok_or("the connection string has no host")?.to_owned();
        let mut config = tokio_postgres::Config::new();
        if let Some(address) = self.address(&host) {
            config.hostaddr(address);
        }
        config
            .host(host)
            .port(url.port().unwrap_or(5432))
            .user(decode(url.username())?)
            .password(decode(url.password().unwrap_or_default())?)
            .dbname(decode(url.path().trim_start_matches('/'))?)
            .ssl_mode(tokio_postgres::config::SslMode::Require)
            .connect_timeout(Duration::from_secs(5))
            .application_name("bikeparts");
        Ok(config)
    }

    fn address(&self, host: &str) -> Option<IpAddr> {
        self.resolve
            .iter()
            .find(|(pattern, _)| pattern.strip_prefix('*').map_or(pattern.as_str() == host, |suffix| host.ends_with(suffix)))
            .map(|(_, address)| *address)
    }
}

impl Connect for Application {
    async fn connect(&self) -> Result<Connected, ConnectError> {
        let config = self.target()?;
        let label = match config.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
            _ => String::new(),
        };
        let (client, connection) = config.connect(self.tls.clone()).await?;
        // It ends with the client.
        tokio::spawn(connection);
        Ok(Connected::new(client, label))
    }
}
