//! What must be so for the clients to see no error: each rule with what to do about it.

use std::collections::HashMap;
use std::time::Duration;

use super::PgBouncer;
use super::console::{Console, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::handover::files;

impl PgBouncer {
    /// Looks at the file, at what PgBouncer has in force, and whether both are one.
    pub(super) async fn check_all(&self, pause: Duration) -> Result<()> {
        let console = self.console().await?;
        let running = console.database(&self.settings.database).await?;
        let config = console.config().await?;
        self.check_login(&config)?;
        self.check_file(&running)?;
        self.check_modes(&running, &config, pause)?;
        self.check_role(&console, &running).await
    }

    fn check_login(&self, config: &HashMap<String, String>) -> Result<()> {
        let setting = |key: &str| config.get(key).map(String::as_str).unwrap_or_default();
        let user = self.settings.user.as_str();
        if user == "pgbouncer" || setting("auth_type") == "any" || setting("admin_users").split(',').any(|admin| admin.trim() == user) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Permission, format!("{user} may not use PAUSE in PgBouncer's console"))
            .hint(format!("add {user} to admin_users in PgBouncer's file and RELOAD, or name another `user` under [[hand_over.to]]")))
    }

    fn check_file(&self, running: &Row) -> Result<()> {
        let file = self.settings.file.display();
        files::check(&self.settings.file)?;
        let (entry, _) = self.entry()?;
        for (key, column) in [("host", "host"), ("port", "port"), ("dbname", "database")] {
            let in_force = running.get(column).map(String::as_str).unwrap_or_default();
            if entry.get(key).is_some_and(|value| value != in_force) {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!("{file} has another {key} for {} than PgBouncer uses", self.settings.database),
                )
                .hint(format!("is {file} the file of this PgBouncer? If so, RELOAD it")));
            }
        }
        Ok(())
    }

    fn check_modes(&self, running: &Row, config: &HashMap<String, String>, pause: Duration) -> Result<()> {
        let setting = |key: &str| config.get(key).map(String::as_str).unwrap_or_default();
        let blocked = |text: String, hint: String| Err(Error::new(ErrorKind::Blocked, text).hint(hint));
        let own = running.get("pool_mode").map(String::as_str).unwrap_or_default();
        if (if own.is_empty() { setting("pool_mode") } else { own }) == "session" {
            return blocked(
                "its pool_mode is session: PAUSE would wait until every client has disconnected".into(),
                "set pool_mode=transaction for it, if the application bears that; else restart the application by a command instead".into(),
            );
        }
        let wait = setting("query_wait_timeout").parse::<f64>().unwrap_or_default();
        if wait > 0.0 && wait <= pause.as_secs_f64() {
            return blocked(
                format!("its clients give up after query_wait_timeout = {wait} s, and the pause may last {} s", pause.as_secs_f64()),
                "set query_wait_timeout to more, or --max-pause to less".into(),
            );
        }
        let tls = setting("server_tls_sslmode");
        if matches!(tls, "disable" | "allow") {
            return blocked(
                format!("its server_tls_sslmode is {tls}, and Neon takes connections with TLS only"),
                "set server_tls_sslmode = require (or verify-full, with server_tls_ca_file) in PgBouncer's file and RELOAD".into(),
            );
        }
        Ok(())
    }

    async fn check_role(&self, console: &Console, running: &Row) -> Result<()> {
        let blocked = |text: String, hint: String| Err(Error::new(ErrorKind::Blocked, text).hint(hint));
        let (name, file) = (&self.settings.database, self.settings.file.display());
        let forced = running.get("force_user").map(String::as_str).unwrap_or_default();
        if forced.is_empty() {
            return blocked(
                "its clients log in to the server under their own names, whose passwords can't be moved".into(),
                format!(
                    "give the entry {name} in {file} a user=… and password=… of today's server, RELOAD, and let the clients log in again"
                ),
            );
        }
        let number = |row: &Row, column: &str| row.get(column).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        let foreign = |row: &&Row| row.get("database") == Some(name) && row.get("user").is_some_and(|user| user != forced);
        let pools = console.show("POOLS").await?;
        match pools.iter().filter(foreign).map(|row| number(row, "cl_active") + number(row, "cl_waiting")).sum() {
            0 => Ok(()),
            clients => blocked(
                format!("{clients} of its clients logged in before the entry had its user={forced}, and still have another role"),
                "let them log in again (restart them), then try again".into(),
            ),
        }
    }
}
