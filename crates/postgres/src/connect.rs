//! Connections: where a server is, and a session on it with pinned settings.

use std::fmt;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Config, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, ErrorKind, Result};

/// One TCP connect with its handshake may take this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// A server that says it is starting is waited for this long.
const STARTING_DEADLINE: Duration = Duration::from_secs(60);
/// A server that does not answer at all is tried again this long.
const SILENT_DEADLINE: Duration = Duration::from_secs(4);

/// What was sent must be acknowledged within this time: keepalives notice a dead line only while nothing is under way.
const UNACKNOWLEDGED: Duration = Duration::from_secs(90);

/// An answer that takes that long tells the bandwidth,
const MEANINGFUL: Duration = Duration::from_millis(200);
/// and this is the largest that is asked for.
const MOST_FETCHED: u32 = 16 << 20;

/// Text forms and limits that every session shares, so that both servers print a value alike and nothing of the
/// database's or role's own defaults (a fence, a timeout) reaches the migration's sessions.
pub(crate) const SETTINGS: &str = "set search_path = ''; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set timezone = 'UTC'; \
     set bytea_output = 'hex'; set extra_float_digits = 1; set lc_monetary = 'C'; set row_security = off; \
     set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; \
     set default_transaction_read_only = off; set client_min_messages = warning; \
     set standard_conforming_strings = on; set xmloption = 'content'";

/// Where a database is and who connects to it.
#[derive(Clone)]
pub struct Endpoint {
    /// The name that the server's certificate must carry.
    pub host: String,
    /// Connect here instead of resolving `host`; TLS still verifies `host`.
    pub address: Option<IpAddr>,
    /// The TCP port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// The role's password.
    pub password: SecretString,
    /// The TLS configuration, from [`crate::tls::client_config`].
    pub tls: Arc<rustls::ClientConfig>,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}@{}:{}/{})", self.user, self.host, self.port, self.database)
    }
}

impl Endpoint {
    /// Opens a session with the pinned settings; waits for a server that is starting, but not for a silent one.
    ///
    /// # Errors
    /// By kind: `Unreachable`, `Tls`, `Credentials`, `NoDatabase`, or what the server answered.
    pub async fn connect(&self) -> Result<Session> {
        self.patiently(|| self.connect_once()).await
    }

    /// Tries `once` until it succeeds, or what it fails with will not pass by waiting.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T>>>(&self, once: impl Fn() -> F) -> Result<T> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(200);
        loop {
            let error = match once().await {
                Ok(connected) => return Ok(connected),
                Err(error) => error,
            };
            let patience = if is_starting(&error) {
                STARTING_DEADLINE
            } else if error.kind() == ErrorKind::Unreachable && error.sqlstate().is_none() {
                SILENT_DEADLINE
            } else {
                Duration::ZERO
            };
            if began.elapsed() + pause > patience {
                let to = format!("connect to {}:{}/{} as {}", self.host, self.port, self.database, self.user);
                // A packet filter drops silently: that is no slow statement but an unreachable server.
                let kind = if error.kind() == ErrorKind::Timeout { ErrorKind::Unreachable } else { error.kind() };
                return Err(error.of_kind(kind).doing(to).without(self.password.expose_secret()));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn connect_once(&self) -> Result<Session> {
        let (client, running) = self.open(self.connector()).await?;
        let mut session = Session { client, _running: running, pid: 0, version_num: 0 };
        // One message, hence one round trip for all of it.
        let who = "select pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version_num')";
        let answer = session.client.simple_query(&format!("{SETTINGS}; {who}")).await?;
        let number = |column: usize| {
            let row = answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { row.get(column) } else { None });
            row.and_then(|text| text.parse::<i32>().ok())
                .ok_or_else(|| Error::new(ErrorKind::Other, "", "the server does not say who it is"))
        };
        session.pid = number(0)?;
        session.version_num = number(1)?.unsigned_abs();
        Ok(session)
    }

    /// TLS as it is set up for this server.
    pub(crate) fn connector(&self) -> MakeRustlsConnect {
        MakeRustlsConnect::new((*self.tls).clone())
    }

    /// One try at a bare connection through `tls`, without the pinned settings.
    pub(crate) async fn open<T>(&self, tls: T) -> Result<(Client, Running)>
    where
        T: MakeTlsConnect<Socket, Stream: Send + 'static>,
    {
        let (client, connection) = self.dial(tls).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection ended: {}", Error::from(error));
            }
        });
        Ok((client, Running(task)))
    }

    /// One try at a connection through `tls`, which nobody moves the bytes of yet.
    pub(crate) async fn dial<T: MakeTlsConnect<Socket>>(&self, tls: T) -> Result<(Client, Connection<Socket, T::Stream>)> {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.database)
            .user(&self.user)
            .password(self.password.expose_secret())
            .application_name(&self.application_name)
            .ssl_mode(SslMode::Require)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(6)
            .tcp_user_timeout(UNACKNOWLEDGED);
        if let Some(address) = self.address {
            config.hostaddr(address);
        }
        // The driver's own timeout covers the TCP handshake alone; a proxy may accept and then say nothing.
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, config.connect(tls)).await;
        Ok(connected.map_err(|_| Error::new(ErrorKind::Timeout, "", format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())))??)
    }

    /// The same server and role, another database.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same server and database, another role.
    #[must_use]
    pub fn as_user(&self, user: &str, password: SecretString) -> Self {
        Self { user: user.to_owned(), password, ..self.clone() }
    }

    /// The environment by which libpq's programs connect here; it holds the password, so it goes to a child and nowhere else.
    pub fn environment(&self, ca_file: Option<&Path>) -> Vec<(String, String)> {
        let root = ca_file.map_or_else(|| "system".to_owned(), |path| path.display().to_string());
        let mut pairs = vec![
            ("PGHOST", self.host.clone()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGPASSWORD", self.password.expose_secret().to_owned()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", "verify-full".to_owned()),
            ("PGSSLROOTCERT", root),
            ("PGAPPNAME", self.application_name.clone()),
            ("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT.as_secs().to_string()),
        ];
        if let Some(address) = self.address {
            pairs.push(("PGHOSTADDR", address.to_string()));
        }
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Whether the server answered that it is on its way up: 57P03, or Neon's proxy while a compute wakes.
fn is_starting(error: &Error) -> bool {
    error.sqlstate() == Some("57P03")
        || error.message().contains("the database system is")
        || error.message().to_ascii_lowercase().contains("couldn't connect to compute node")
}

/// An open connection; ends with this value.
pub struct Session {
    client: Client,
    _running: Running,
    pid: i32,
    version_num: u32,
}

impl Session {
    /// The server process behind this session.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// `server_version_num`, for instance 170010.
    pub fn version_num(&self) -> u32 {
        self.version_num
    }

    /// The shortest of three round trips to the server.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn round_trip(&self) -> Result<Duration> {
        let mut shortest = Duration::MAX;
        for _ in 0..3 {
            let began = Instant::now();
            self.client.simple_query("").await?;
            shortest = shortest.min(began.elapsed());
        }
        Ok(shortest)
    }

    /// How many bytes a second one connection brings from the server, by answers that grow until they take long enough to tell. Costs
    /// the server some megabytes of memory for a moment.
    ///
    /// # Errors
    /// A lost connection.
    pub async fn bandwidth(&self) -> Result<u64> {
        let mut bytes: u32 = 64 << 10;
        loop {
            let began = Instant::now();
            self.client.simple_query(&format!("select pg_catalog.repeat('x', {bytes})")).await?;
            let took = began.elapsed();
            if took >= MEANINGFUL || bytes >= MOST_FETCHED {
                return Ok((f64::from(bytes) / took.as_secs_f64()) as u64);
            }
            bytes *= 4;
        }
    }

    /// The server's major version, for instance 17.
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session(pid {}, version {})", self.pid, self.version_num)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// The task that moves a connection's bytes; the connection ends with it.
pub(crate) struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        // Without this a session that is dropped in the middle of a COPY would live until the server noticed.
        self.0.abort();
    }
}
