//! What about the source server rules a migration out, and what may hurt one.

use crate::cloud::SourceServer;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Finding, Mode, Severity};
use crate::units;

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

/// What the operator should know of it; the database takes so many bytes.
pub(crate) fn findings(server: &SourceServer, bytes: i64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |id: &str, severity, what: String, advice: String| {
        findings.push(Finding { id: id.to_owned(), severity, what, advice });
    };
    if server.high_availability {
        add(
            "high-availability",
            Severity::Warns,
            "the server has a standby, which does not have the migration's replication slot".to_owned(),
            "after a failover the run stops and says that the slot is gone: `azure2neon abort`, then copy again. Keep maintenance and \
             planned failovers out of the way"
                .to_owned(),
        );
    }
    if let Some(storage) = server.storage.filter(|storage| !storage.grows && bytes > storage.bytes - bytes) {
        add(
            "storage-does-not-grow",
            Severity::Warns,
            format!("the database takes {} of {}, and the storage doesn't grow", units::bytes(bytes), units::bytes(storage.bytes)),
            format!(
                "the source keeps all changes until the target has them, and Azure stops writes when the disk is full: `{}`",
                server.az_update("--storage-auto-grow Enabled")
            ),
        );
    }
    if server.burstable {
        add(
            "burstable",
            Severity::Note,
            "the server is Burstable: its CPU is throttled when the credits are used up".to_owned(),
            "the copy and the compares use them; other queries may get slow meanwhile".to_owned(),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Storage;

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

    #[test]
    fn what_may_hurt_is_found_and_nothing_else() {
        let ids = |server: SourceServer| findings(&server, 60 << 30).into_iter().map(|finding| finding.id).collect::<Vec<_>>();
        let disk = |gib: i64, grows| Some(Storage { bytes: gib << 30, grows });
        assert!(ids(server()).is_empty());
        assert!(ids(SourceServer { storage: disk(64, true), ..server() }).is_empty());
        assert!(ids(SourceServer { storage: disk(128, false), ..server() }).is_empty());
        assert_eq!(ids(SourceServer { storage: disk(64, false), ..server() }), ["storage-does-not-grow"]);
        assert_eq!(ids(SourceServer { high_availability: true, burstable: true, ..server() }), ["high-availability", "burstable"]);
    }
}
