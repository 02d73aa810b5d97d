//! Every statement in sql/ must mean the same to every supported server.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::copy::manners;
use azure2neon_postgres::{
    ErrorKind, catalog, collation, dependents, digest, extensions, fence, inventory, proof, replication, roles, server, statistics,
    subscription,
};
use secrecy::SecretString;
use support::Server;

#[tokio::test]
async fn statements_prepare_on_every_version() {
    for major in 14..=18 {
        let server = Server::start(major).await;
        let session = server.session().await;
        assert_eq!(session.major(), major);
        assert!(session.pid() > 0);
        for sql in [
            inventory::sql::TABLES,
            inventory::sql::MATERIALIZED_VIEWS,
            inventory::sql::RELATIONS,
            inventory::sql::ALWAYS_TRIGGERS,
            inventory::sql::SCHEMAS,
            inventory::sql::DATABASE,
            inventory::sql::EXTENSIONS,
            inventory::sql::USER_OBJECTS,
            inventory::sql::PROVIDER_SCHEMAS,
            replication::SLOT,
            replication::BLOCKERS,
            replication::PUBLICATION_TABLES,
            subscription::SUBSCRIPTION,
            subscription::SUBSCRIPTION_TABLES,
            dependents::DEPENDENTS,
            collation::TEXT_KEYS,
            statistics::CHANGES,
            extensions::AVAILABLE,
            extensions::HANGING,
            fence::DATABASE_SETTING,
            fence::CONNECTION_LIMIT,
            fence::PREPARED_TRANSACTIONS,
            fence::LONG_TRANSACTIONS,
            fence::END_LONG_WRITERS,
            proof::FOREIGN_CHANGES,
            manners::SOURCE_LOAD,
            digest::COMPARED_TABLES,
            roles::UNREADABLE,
            roles::HIDDEN_TABLES,
            roles::GRANTS_OF_ROLE,
            roles::MAY_SUBSCRIBE,
            roles::MAY_APPLY,
            server::IN_USE,
            server::RIGHTS,
        ]
        .iter()
        .chain(catalog::sql::ALL)
        {
            session.prepare(sql).await.unwrap_or_else(|error| panic!("on {major}: {:?}\n{sql}", error.as_db_error()));
        }
        // Reading takes no superuser.
        let user = server.make_user("owner").await.connect().await.unwrap();
        let found = inventory::inventory(&user).await.unwrap();
        assert_eq!(found, inventory::inventory(&session).await.unwrap());
        catalog::catalog(&user).await.unwrap();
        user.query(replication::BLOCKERS, &[]).await.unwrap();
        assert!(replication::slot(&user, "none").await.unwrap().is_none());
        assert!(subscription::subscription(&user, "none").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn failures_to_connect_have_their_kinds_and_no_password() {
    let server = Server::start(17).await;
    let good = server.endpoint("app");
    good.connect().await.unwrap();
    let mut wrong_name = good.clone();
    wrong_name.host = "other.example.test".into();
    let mut refused = good.clone();
    refused.port = 1;
    let mut unresolvable = good.clone();
    (unresolvable.host, unresolvable.address) = ("nowhere.invalid".into(), None);
    for (endpoint, kind) in [
        (good.as_user("admin", SecretString::from("wr0ng secret")), ErrorKind::Credentials),
        (good.with_database("none"), ErrorKind::NoDatabase),
        (wrong_name, ErrorKind::Tls),
        (refused, ErrorKind::Unreachable),
        (unresolvable, ErrorKind::Unreachable),
    ] {
        let began = std::time::Instant::now();
        let error = endpoint.connect().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(began.elapsed().as_secs() < 8);
        let text = format!("{error} {error:?} {endpoint:?}");
        assert!(!text.contains("wr0ng secret") && !text.contains(support::PASSWORD), "{text}");
    }
}
