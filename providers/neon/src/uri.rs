//! Reading a connection URI of Neon. tokio-postgres' own parser refuses the parameters that Neon adds.

use azure2neon_core::cloud::TargetConnection;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

/// Takes `postgresql://user:password@host[:port]/database[?…]` apart; `None` if it is something else.
pub(crate) fn parse(uri: &SecretString) -> Option<TargetConnection> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned());
    let rest = uri.expose_secret();
    let rest = rest.strip_prefix("postgresql://").or_else(|| rest.strip_prefix("postgres://"))?;
    let rest = rest.split(['?', '#']).next()?;
    // A password may hold an @ that nobody escaped; a host never does.
    let (login, place) = rest.rsplit_once('@')?;
    let (user, password) = login.split_once(':')?;
    let (address, database) = place.split_once('/')?;
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (address, 5432),
    };
    if [host, user, password, database].contains(&"") {
        return None;
    }
    Some(TargetConnection {
        host: direct(host),
        port,
        database: decode(database)?,
        user: decode(user)?,
        password: SecretString::from(decode(password)?),
    })
}

/// The compute's own host for a pooler's: `-pooler` at the end of the first label is the only difference.
pub(crate) fn direct(host: &str) -> String {
    match host.split_once('.') {
        Some((first, rest)) => format!("{}.{rest}", first.strip_suffix("-pooler").unwrap_or(first)),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(uri: &str) -> Option<(String, u16, String, String, String)> {
        let one = parse(&SecretString::from(uri.to_owned()))?;
        Some((one.host, one.port, one.database, one.user, one.password.expose_secret().to_owned()))
    }

    #[test]
    fn uris_are_taken_apart() {
        let all = |host: &str, port, database: &str, user: &str, password: &str| {
            Some((host.to_owned(), port, database.to_owned(), user.to_owned(), password.to_owned()))
        };
        assert_eq!(
            of("postgresql://shop_owner:npg_x@ep-a-1.c-2.eu-central-1.aws.neon.tech/shop?sslmode=require&channel_binding=require"),
            all("ep-a-1.c-2.eu-central-1.aws.neon.tech", 5432, "shop", "shop_owner", "npg_x")
        );
        assert_eq!(
            of("postgres://a%40b:p%3A%2F@ep-a-pooler.x.neon.tech:6000/my%20db"),
            all("ep-a.x.neon.tech", 6000, "my db", "a@b", "p:/")
        );
        for bad in ["", "https://a:b@c/d", "postgresql://a@h/d", "postgresql://a:b@h", "postgresql://a:b@h:x/d", "postgresql://a:b@/d"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
