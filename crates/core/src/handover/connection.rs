//! A connection string, in the forms that are asked for.

use std::fmt;

use azure2neon_postgres::Endpoint;
use secrecy::{ExposeSecret, SecretString};

/// What the application shall connect with, and the run that says so. Nothing shows the password but the methods that say so.
#[derive(Clone)]
pub struct Connection {
    /// The run's id.
    pub run: String,
    endpoint: Endpoint,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}:{}/{})", self.host(), self.port(), self.database())
    }
}

impl Connection {
    /// To this endpoint.
    pub fn new(run: impl Into<String>, endpoint: Endpoint) -> Self {
        Self { run: run.into(), endpoint }
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.endpoint.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.endpoint.port
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.endpoint.database
    }

    /// The role.
    pub fn user(&self) -> &str {
        &self.endpoint.user
    }

    /// The role's password.
    pub fn password(&self) -> &SecretString {
        &self.endpoint.password
    }

    /// The form that every driver reads: `postgresql://user:password@host/database?sslmode=require`.
    pub fn url(&self) -> SecretString {
        let Endpoint { host, port, database, user, password, .. } = &self.endpoint;
        let port = if *port == 5432 { String::new() } else { format!(":{port}") };
        let (user, password, database) = (percent(user), percent(password.expose_secret()), percent(database));
        SecretString::from(format!("postgresql://{user}:{password}@{host}{port}/{database}?sslmode=require"))
    }

    /// libpq's form of keywords and values.
    pub fn keywords(&self) -> SecretString {
        let Endpoint { host, port, database, user, password, .. } = &self.endpoint;
        let words = [("host", host.as_str()), ("port", &port.to_string()), ("dbname", database), ("user", user)];
        let words = words.into_iter().chain([("password", password.expose_secret()), ("sslmode", "require")]);
        let quoted = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
        SecretString::from(words.map(|(word, value)| format!("{word}={}", quoted(value))).collect::<Vec<_>>().join(" "))
    }
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::connection;
    use super::*;

    #[test]
    fn passwords_are_escaped_in_each_form() {
        let connection = connection("ep-x.neon.tech", "p@ss:w/ö' \\");
        assert_eq!(
            connection.url().expose_secret(),
            "postgresql://shop_owner:p%40ss%3Aw%2F%C3%B6%27%20%5C@ep-x.neon.tech/shop?sslmode=require"
        );
        assert_eq!(
            connection.keywords().expose_secret(),
            r"host='ep-x.neon.tech' port='5432' dbname='shop' user='shop_owner' password='p@ss:w/ö\' \\' sslmode='require'"
        );
        assert_eq!(format!("{connection:?}"), "Connection(ep-x.neon.tech:5432/shop)");
    }
}
