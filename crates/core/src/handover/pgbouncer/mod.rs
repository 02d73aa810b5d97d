//! A database of PgBouncer: its clients wait while the entry is pointed at another server, and see no error.
//!
//! PAUSE waits until no transaction runs and closes the connections to the server; the entry is rewritten in PgBouncer's file and taken
//! up by RELOAD; RESUME lets the clients go on. Clients that are logged in keep the role that the entry forces upon them, whatever its
//! name is then, so the entry must force one from the start: without, each would log in to the new server under its own name.

mod check;
mod console;
mod ini;

use std::time::Duration;

use async_trait::async_trait;
use azure2neon_postgres::Ident;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{Connection, Keepsakes, Place, files};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::PgBouncer as Settings;
use console::Console;
use ini::{Entry, Unusable};

/// A database of PgBouncer.
pub struct PgBouncer {
    settings: Settings,
    password: Option<SecretString>,
    keepsakes: Keepsakes,
}

impl PgBouncer {
    /// This database; the password is the console's.
    pub fn new(settings: Settings, password: Option<SecretString>, keepsakes: Keepsakes) -> Self {
        Self { settings, password, keepsakes }
    }

    async fn console(&self) -> Result<Console> {
        Console::open(&self.settings, self.password.as_ref()).await
    }

    fn quoted(&self) -> Ident {
        Ident::new(&self.settings.database)
    }

    fn text(&self) -> Result<String> {
        let file = &self.settings.file;
        files::read(file)?.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no file {}", file.display()))
                .hint("name PgBouncer's own by `file` under [[hand_over.to]]")
        })
    }

    /// The entry as it stands in the file, and its text there.
    fn entry(&self) -> Result<(Entry, SecretString)> {
        let text = self.text()?;
        let (entry, place) = Entry::find(&text, &self.settings.database).map_err(|why| self.unusable(&why))?;
        Ok((entry, SecretString::from(text[place].to_owned())))
    }

    fn unusable(&self, why: &Unusable) -> Error {
        let (file, name) = (self.settings.file.display(), &self.settings.database);
        let text = match why {
            Unusable::Missing => format!("{file} has no entry {name} under [databases]"),
            Unusable::Several => format!("{file} has more than one entry {name}"),
            Unusable::Malformed => format!("the entry {name} in {file} can't be read"),
        };
        Error::new(ErrorKind::Configuration, text)
            .hint("the file must hold exactly one entry of that name, in one line; an included file can be named too")
    }

    /// The entry that leads to `to`.
    fn pointing(&self, to: &Connection) -> Result<Entry> {
        let (mut entry, _) = self.entry()?;
        entry.set("host", to.host());
        entry.set("port", &to.port().to_string());
        entry.set("dbname", to.database());
        entry.set("user", to.user());
        entry.set("password", to.password().expose_secret());
        Ok(entry)
    }

    /// Writes the entry and lets PgBouncer take it up.
    async fn write(&self, entry: &SecretString) -> Result<()> {
        let text = ini::with(&self.text()?, &self.settings.database, entry).map_err(|why| self.unusable(&why))?;
        files::replace(&self.settings.file, &text)?;
        self.console().await?.run("RELOAD").await
    }

    /// Whether PgBouncer and its file have the entry.
    async fn expect(&self, entry: &Entry) -> Result<()> {
        let wrong = |where_| {
            let text = format!("{where_} has something else for {} than what was just written", self.settings.database);
            Error::new(ErrorKind::Configuration, text).hint(format!(
                "see PgBouncer's log for why it did not take up {}, or look for another program that writes that file",
                self.settings.file.display()
            ))
        };
        if self.entry()?.0 != *entry {
            return Err(wrong("its file"));
        }
        let running = self.console().await?.database(&self.settings.database).await?;
        let same = |column: &str, key: &str| entry.get(key).is_none_or(|value| running.get(column).is_some_and(|is| is == value));
        if same("host", "host") && same("port", "port") && same("database", "dbname") && same("force_user", "user") {
            return Ok(());
        }
        Err(wrong("PgBouncer"))
    }

    /// Lets the clients wait. PAUSE also closes a connection that is just being opened, and PgBouncer takes that for a failed login: after
    /// RESUME it would turn clients away, and wait for server_login_retry before the next. So none is opened meanwhile.
    async fn pause(&self, console: &Console) -> Result<()> {
        console.run("SET max_db_connections = 1").await?;
        loop {
            let pools = console.show("POOLS").await?;
            let opening = |row: &console::Row| row.get("sv_login").is_some_and(|count| count != "0");
            if !pools.iter().any(|row| row.get("database") == Some(&self.settings.database) && opening(row)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        console.run(&format!("PAUSE {}", self.quoted())).await
    }

    /// Who keeps PAUSE from coming to its end.
    async fn culprits(&self, console: &Console) -> Result<String> {
        let clients = console.show("CLIENTS").await?.into_iter();
        let of = |row: &console::Row, column: &str| row.get(column).cloned().unwrap_or_default();
        let busy = clients.filter(|row| of(row, "database") == self.settings.database && !of(row, "link").is_empty());
        let names: Vec<String> = busy.map(|row| format!("{} from {}:{}", of(&row, "user"), of(&row, "addr"), of(&row, "port"))).collect();
        Ok(match names.len() {
            0 => "nobody any more".to_owned(),
            1..=5 => names.join(", "),
            count => format!("{} and {} more", names[..5].join(", "), count - 5),
        })
    }
}

#[async_trait]
impl Place for PgBouncer {
    fn name(&self) -> String {
        self.settings.to_string()
    }

    async fn check(&self, pause: Duration) -> Result<()> {
        self.check_all(pause).await
    }

    async fn before(&self, to: &Connection) -> Result<Value> {
        let (entry, text) = self.entry()?;
        if entry != self.pointing(to)? || !self.keepsakes.has(&self.name()) {
            self.keepsakes.keep(&self.name(), &text)?;
        }
        Ok(Value::Null)
    }

    async fn hold(&self, most: Duration) -> Result<()> {
        // An earlier PAUSE may still be waiting for a transaction, and does not say so.
        self.release().await?;
        let console = self.console().await?;
        match tokio::time::timeout(most, self.pause(&console)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => {
                self.release().await?;
                return Err(error);
            }
            Err(_) => {}
        }
        let culprits = self.culprits(&self.console().await?).await;
        self.release().await?;
        let text =
            format!("PAUSE did not end within {} ms, so its clients were let go on; in a transaction: {}", most.as_millis(), culprits?);
        Err(Error::new(ErrorKind::Timeout, text).hint("let those transactions end, or allow a longer --max-pause"))
    }

    async fn point(&self, to: &Connection) -> Result<()> {
        self.write(&self.pointing(to)?.text()).await
    }

    async fn verify(&self, to: &Connection) -> Result<()> {
        self.expect(&self.pointing(to)?).await
    }

    async fn release(&self) -> Result<()> {
        let console = self.console().await?;
        let paused = console.database(&self.settings.database).await?.get("paused").is_some_and(|paused| paused == "1");
        // Takes back what `pause` set, also if its process was killed.
        if paused || console.config().await?.get("max_db_connections").is_some_and(|most| most == "1") {
            console.run("RELOAD").await?;
        }
        if paused { console.run(&format!("RESUME {}", self.quoted())).await } else { Ok(()) }
    }

    async fn restore(&self, _before: &Value, _old: &Connection) -> Result<()> {
        let old = self.keepsakes.kept(&self.name())?;
        self.write(&old).await?;
        self.expect(&Entry::parse(old.expose_secret()).ok_or_else(|| self.unusable(&Unusable::Malformed))?).await
    }

    async fn forget(&self, _before: &Value) -> Result<()> {
        self.keepsakes.forget(&self.name())
    }
}
