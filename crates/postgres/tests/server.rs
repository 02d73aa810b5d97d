//! A server as a whole, and what a role may do there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::server::{Rights, rights, server_facts};
use support::Server;

#[tokio::test]
async fn a_server_says_what_is_in_use_and_how_it_is_set() {
    for major in [14, 18] {
        let server = Server::start_with(major, &[("max_slot_wal_keep_size", "2GB"), ("max_logical_replication_workers", "3")]).await;
        let session = server.session().await;
        session.batch_execute("create table public.a (id int); insert into public.a select generate_series(1, 1000)").await.unwrap();
        session.batch_execute("select pg_create_physical_replication_slot('kept', true)").await.unwrap();
        let facts = server_facts(&session).await.unwrap();
        assert_eq!((facts.in_recovery, facts.pooled, facts.slots, facts.senders, facts.workers), (false, false, 1, 0, 0));
        assert!(facts.databases_bytes > 1 << 20 && facts.held_bytes >= 0, "{facts:?}");
        assert_eq!(facts.settings["max_slot_wal_keep_size"], "2GB");
        assert_eq!(facts.settings["max_logical_replication_workers"], "3");
        assert_eq!(facts.settings.contains_key("idle_replication_slot_timeout"), major >= 18);
    }
    let server = Server::start(17).await;
    let standby = server.standby().await;
    assert!(server_facts(&standby.session().await).await.unwrap().in_recovery);
}

#[tokio::test]
async fn what_a_role_may_not_do_is_known_before_it_tries() {
    let server = Server::start(16).await;
    let session = server.session().await;
    session.batch_execute("create role azure_pg_admin; create role clerk; create schema kept authorization clerk").await.unwrap();
    session.batch_execute("create table kept.a (id int); alter table kept.a owner to clerk; create table kept.b (id int)").await.unwrap();
    let oids: Vec<u32> = session
        .query("select oid from pg_catalog.pg_class where relnamespace = 'kept'::regnamespace", &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    let of_superuser = rights(&session, &oids).await.unwrap();
    assert_eq!(of_superuser, Rights { ..Rights::default() });

    let endpoint = server.make_user("mover").await;
    session.batch_execute("alter database app owner to admin; revoke all on database app from public").await.unwrap();
    session.batch_execute("grant connect on database app to mover; revoke pg_signal_backend from mover").await.unwrap();
    session.batch_execute("alter role mover nocreaterole noreplication").await.unwrap();
    session.batch_execute("grant select on kept.a to mover").await.unwrap();
    let mover = endpoint.connect().await.unwrap();
    let lacks = rights(&mover, &oids).await.unwrap();
    assert!(!(lacks.administrator || lacks.creates_roles || lacks.replication || lacks.owns_database), "{lacks:?}");
    assert!(!lacks.creates_schemas && !lacks.signals, "{lacks:?}");
    assert_eq!((lacks.of_others, lacks.unreadable), (vec!["kept.a".to_owned(), "kept.b".into()], vec!["kept.b".to_owned()]));

    session
        .batch_execute("grant azure_pg_admin, clerk, pg_signal_backend to mover; alter role mover createrole replication")
        .await
        .unwrap();
    session.batch_execute("grant create on database app to mover; grant select on kept.b to mover").await.unwrap();
    let may = rights(&mover, &oids).await.unwrap();
    assert_eq!(may, Rights { owns_database: false, of_others: vec!["kept.b".into()], ..Rights::default() });
}
