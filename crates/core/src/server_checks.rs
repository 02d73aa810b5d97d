//! What about the source server rules a migration out.

use crate::cloud::SourceServer;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Mode;

/// The oldest source that this version handles.
const OLDEST_SOURCE: u32 = 14;

/// Where replication is ruled out, the rows can still be copied while nobody writes.
pub(crate) const OR_OFFLINE: &str = "or `--mode offline`, which copies while the source refuses writes and needs no replication";

/// Refuses a server that can't be a source.
pub(crate) fn refuse_impossible(server: &SourceServer, mode: Mode) -> Result<()> {
    let name = &server.name;
    let blocked = |why: String, hint: &str| Err(Error::new(ErrorKind::Blocked, why).hint(hint.to_owned()));
    if let Some(why) = &server.unsupported_because {
        return blocked(format!("server {name} can't be a source: {why}"), "name the primary, unclustered server that takes the writes");
    }
    if let (Some(why), Mode::Online) = (&server.unreachable_because, mode) {
        return blocked(
            format!("Neon can't reach server {name}: {why}"),
            &format!("Neon has no private way into an Azure network: give the server public access for the migration; {OR_OFFLINE}"),
        );
    }
    if !server.ready {
        return blocked(
            format!("server {name} is {}, not ready", server.state),
            "start it or wait until it is ready, then run the same command again",
        );
    }
    if server.major < OLDEST_SOURCE {
        return blocked(
            format!("server {name} runs PostgreSQL {}; {OLDEST_SOURCE} is the oldest that can be migrated", server.major),
            "upgrade it first",
        );
    }
    if !server.password_login && mode == Mode::Online {
        return blocked(
            format!("server {name} takes no passwords, and Neon's subscription can't log in otherwise"),
            &format!("let local roles log in for the migration: `{}`; {OR_OFFLINE}", server.az_update("--password-auth Enabled")),
        );
    }
    Ok(())
}

/// Refuses a server on which no access token is a login.
pub(crate) fn refuse_tokens(server: &SourceServer) -> Result<()> {
    if server.token_login {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Blocked, format!("server {} takes no access tokens of Entra ID", server.name)).hint(format!(
        "enable them, `{}`, and make the login an administrator; or set `login = \"password\"` under [source]",
        server.az_update("--microsoft-entra-auth Enabled")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> SourceServer {
        SourceServer {
            resource_group: "rg".into(),
            name: "shop".into(),
            ready: true,
            major: 16,
            password_login: true,
            ..Default::default()
        }
    }

    #[test]
    fn a_server_without_passwords_is_refused_with_the_command_that_lets_them_in() {
        assert!(refuse_impossible(&server(), Mode::Online).is_ok());
        let without = SourceServer { password_login: false, ..server() };
        assert!(refuse_impossible(&without, Mode::Offline).is_ok(), "nobody but the operator logs in");
        let error = refuse_impossible(&without, Mode::Online).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Blocked);
        let command = "az postgres flexible-server update --resource-group rg --name shop --password-auth Enabled";
        assert!(error.remedy().unwrap().contains(command), "{error:?}");
    }

    #[test]
    fn tokens_are_refused_where_entra_id_is_off() {
        assert!(refuse_tokens(&SourceServer { token_login: true, ..server() }).is_ok());
        let error = refuse_tokens(&server()).unwrap_err();
        assert!(error.kind() == ErrorKind::Blocked && error.remedy().unwrap().contains("--microsoft-entra-auth Enabled"), "{error:?}");
    }
}
