//! PgBouncer's admin console, which speaks the simple protocol only.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::error::{Error, ErrorKind, Result};
use crate::settings::PgBouncer;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A session of the console.
pub(super) struct Console {
    client: Client,
    running: JoinHandle<()>,
}

/// A row of a SHOW command, by its columns' names, which differ between versions.
pub(super) type Row = HashMap<String, String>;

impl Drop for Console {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Console {
    /// Logs in. Without TLS: PgBouncer is on this machine, as its file is.
    pub(super) async fn open(settings: &PgBouncer, password: Option<&SecretString>) -> Result<Self> {
        let mut config = tokio_postgres::Config::new();
        config
            .host(&settings.address)
            .port(settings.port)
            .dbname("pgbouncer")
            .user(&settings.user)
            .ssl_mode(SslMode::Disable)
            .connect_timeout(CONNECT_TIMEOUT);
        if let Some(password) = password {
            config.password(password.expose_secret());
        }
        let (client, connection) = config.connect(NoTls).await.map_err(|error| {
            let place =
                format!("could not log in to PgBouncer's console at {} port {} as {}", settings.address, settings.port, settings.user);
            Error::from(error).of(&place).or_hint(
                "`psql -h ADDRESS -p PORT -U USER pgbouncer` must work: see `address`, `port` and `user` under [[hand_over.to]], \
                 admin_users in PgBouncer's file, and AZURE2NEON_PGBOUNCER_PASSWORD",
            )
        })?;
        let running = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("PgBouncer's console ended: {error}");
            }
        });
        Ok(Self { client, running })
    }

    /// Runs a command without an answer.
    pub(super) async fn run(&self, command: &str) -> Result<()> {
        self.client.simple_query(command).await.map(drop).map_err(|error| failed(command, error))
    }

    /// Runs a SHOW command.
    pub(super) async fn show(&self, what: &str) -> Result<Vec<Row>> {
        let command = format!("SHOW {what}");
        let answer = self.client.simple_query(&command).await.map_err(|error| failed(&command, error))?;
        let rows = answer.into_iter().filter_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
        let read = |row: tokio_postgres::SimpleQueryRow| {
            let columns = row.columns().iter().enumerate();
            columns.map(|(at, column)| (column.name().to_owned(), row.get(at).unwrap_or_default().to_owned())).collect()
        };
        Ok(rows.map(read).collect())
    }

    /// PgBouncer's own settings.
    pub(super) async fn config(&self) -> Result<HashMap<String, String>> {
        let rows = self.show("CONFIG").await?;
        Ok(rows.into_iter().filter_map(|mut row| Some((row.remove("key")?, row.remove("value")?))).collect())
    }

    /// The entry as it is in force.
    pub(super) async fn database(&self, name: &str) -> Result<Row> {
        let found = self.show("DATABASES").await?.into_iter().find(|row| row.get("name").is_some_and(|known| known == name));
        found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("PgBouncer has no database {name}"))
                .hint("`SHOW DATABASES` in its console lists them; name one by `database` under [[hand_over.to]]")
        })
    }
}

fn failed(command: &str, error: tokio_postgres::Error) -> Error {
    Error::from(error).of(&format!("{command} in PgBouncer's console failed"))
}
