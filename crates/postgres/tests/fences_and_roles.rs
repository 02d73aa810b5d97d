//! The fence, and a replication role that is no superuser's work.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use azure2neon_postgres::fence::{self, Fence, FenceBefore};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::proof::{ForeignChanges, Witness};
use azure2neon_postgres::{ErrorKind, QualifiedName, barrier, replication, roles};
use support::Server;

/// The fence of database `app`, with a sequence and a barrier table.
fn fence<'a>(own: &'a [i32], sequences: &'a [QualifiedName], barrier: &'a QualifiedName, marker: &'a str) -> Fence<'a> {
    Fence { database: "app", own, sequences, marker: Some((barrier, marker)), closed: true }
}

#[tokio::test]
async fn a_fence_ends_every_writer_and_comes_down_again() {
    for major in [14, 17] {
        let server = Server::start(major).await;
        let owner = server.make_user("owner").await;
        let admin = server.session().await;
        admin
            .batch_execute("create table public.t (id int); grant all on public.t to public; create role app login password 'x'")
            .await
            .unwrap();
        let (session, own) = (owner.connect().await.unwrap(), owner.connect().await.unwrap());
        let barrier = QualifiedName::new("azure2neon_f", "barrier");
        barrier::create_barrier(&session, &barrier).await.unwrap();
        session.batch_execute("create sequence public.\"odd \\ \"\" s\"; select nextval('public.\"odd \\ \"\" s\"')").await.unwrap();
        session.batch_execute("create sequence public.unused").await.unwrap();
        let sequences = [QualifiedName::new("public", "odd \\ \" s"), QualifiedName::new("public", "unused")];
        let ours = [session.pid(), own.pid()];
        let app = server.endpoint("app").as_user("app", "x".to_owned().into());
        let (writer, idle) = (app.connect().await.unwrap(), app.connect().await.unwrap());
        writer.batch_execute("begin; insert into public.t values (1)").await.unwrap();
        let elsewhere = server.endpoint("postgres").connect().await.unwrap();
        drop(admin);

        let before = fence::fence_state(&session, "app").await.unwrap();
        assert_eq!(before, FenceBefore { default_transaction_read_only: None, connection_limit: -1 });
        fence::rehearse(&session, fence(&ours, &sequences, &barrier, "none")).await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap(), before);
        assert!(!barrier::seen_barrier(&session, &barrier, "none").await.unwrap());
        idle.batch_execute("select 1").await.unwrap();
        let proof = fence::raise(&session, fence(&ours, &sequences, &barrier, "one")).await.unwrap();
        assert!(proof.ended >= 2 && proof.rounds >= 1 && proof.raised_at <= proof.proven_at, "{proof:?}");
        let values: Vec<_> = proof.sequences.iter().map(|value| (value.name.clone(), value.last_value, value.is_called)).collect();
        assert_eq!(values, [(sequences[0].clone(), 1, true), (sequences[1].clone(), 1, false)]);
        let carried: String =
            session.query_one(&format!("select sequences::text from {barrier} where id = 'one'"), &[]).await.unwrap().get(0);
        assert_eq!(carried, "[[1, true], [1, false]]");
        for gone in [&writer, &idle] {
            assert!(gone.batch_execute("select 1").await.is_err());
        }
        own.batch_execute("insert into public.t values (2)").await.unwrap();
        elsewhere.batch_execute("create table public.free (id int)").await.unwrap();
        for refused in [&app, &owner] {
            assert!(fence::is_closed(&refused.connect().await.unwrap_err()));
        }
        // A superuser gets in, but for reading. Our sessions turn the default off; an application's have it.
        let late = server.session().await;
        late.batch_execute("reset default_transaction_read_only").await.unwrap();
        let error = late.batch_execute("insert into public.t values (3)").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "25006");
        let passed = fence::pass(&fence::beside(&owner), "app", || async {
            let session = owner.connect().await?;
            let pid = session.pid();
            Ok((session, pid))
        })
        .await
        .unwrap()
        .connection;
        passed.batch_execute("insert into public.t values (4)").await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap().connection_limit, 0);
        assert!(fence::is_closed(&app.connect().await.unwrap_err()));
        let again = fence::raise(&session, fence(&ours, &[], &barrier, "two")).await.unwrap();
        assert_eq!(
            (again.ended, again.spared),
            (1, vec!["admin/azure2neon-test".to_owned()]),
            "the session that passed, without being ours"
        );
        assert!(passed.batch_execute("select 1").await.is_err());
        fence::lower(&elsewhere, "app", &before).await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap(), before);
        let late = app.connect().await.unwrap();
        late.batch_execute("reset default_transaction_read_only; insert into public.t values (5)").await.unwrap();

        session
            .batch_execute("alter database app set default_transaction_read_only = off; alter database app connection limit 77")
            .await
            .unwrap();
        let before = fence::fence_state(&session, "app").await.unwrap();
        assert_eq!(before, FenceBefore { default_transaction_read_only: Some("off".into()), connection_limit: 77 });
        late.batch_execute("begin; insert into public.t values (6); prepare transaction 'pending one'").await.unwrap();
        let error = fence::raise(&session, fence(&ours, &[], &barrier, "three")).await.unwrap_err();
        assert!(error.to_string().contains("pending one"), "{error}");
        fence::lower(&session, "app", &before).await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap(), before);
    }
}

#[tokio::test]
async fn who_defies_the_fence_fails_or_is_seen_in_the_log() {
    let server = Server::start(16).await;
    let owner = server.make_user("owner").await;
    let session = owner.connect().await.unwrap();
    session.batch_execute("create table public.t (id int); create table public.apart (id int)").await.unwrap();
    let barrier = QualifiedName::new("azure2neon_f", "barrier");
    barrier::create_barrier(&session, &barrier).await.unwrap();
    let published = [QualifiedName::new("public", "t"), barrier.clone()];
    replication::create_publication(&session, "azure2neon f", &published).await.unwrap();
    let witness = Witness { slot: "azure2neon_f_proof".into(), publications: vec!["azure2neon f".into()] };
    let admin = server.session().await;
    witness.call(&admin, Duration::from_secs(10)).await.unwrap();

    // The owner himself, who turns the read-only setting off and comes back in a loop.
    let stop = Arc::new(AtomicBool::new(false));
    let defiant = |n: i32| {
        let (owner, stop) = (owner.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut committed = 0;
            while !stop.load(Ordering::Relaxed) {
                // Our own sessions turn the setting off, too.
                let Ok(session) = owner.connect().await else {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    continue;
                };
                while session.batch_execute(&format!("insert into public.t values ({n})")).await.is_ok() {
                    committed += 1;
                }
            }
            committed
        })
    };
    let writers = [defiant(1), defiant(2), defiant(3)];
    tokio::time::sleep(Duration::from_millis(200)).await;
    let proof = fence::raise(&session, fence(&[session.pid()], &[], &barrier, "one")).await.unwrap();
    let count = "select count(*) from public.t";
    let behind: i64 = session.query_one(count, &[]).await.unwrap().get(0);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(witness.ask(&admin, proof.position).await.unwrap(), ForeignChanges::default());
    stop.store(true, Ordering::Relaxed);
    let mut committed = 0;
    for writer in writers {
        committed += writer.await.unwrap();
    }
    assert_eq!(session.query_one(count, &[]).await.unwrap().get::<_, i64>(0), behind);
    // The last commit of each may have lost its answer to the end of its session.
    assert!(committed > 0 && (committed..=committed + 3).contains(&behind), "{committed} acknowledged, {behind} there");

    // What writes all the same (here a superuser) is seen, with its tables, and what is not published is not.
    admin.batch_execute("insert into public.apart values (1)").await.unwrap();
    assert_eq!(witness.ask(&admin, proof.position).await.unwrap(), ForeignChanges::default());
    admin.batch_execute("begin; insert into public.t values (7), (8); commit; truncate public.t").await.unwrap();
    let seen = witness.ask(&admin, proof.position).await.unwrap();
    assert_eq!(seen, ForeignChanges { transactions: 2, changes: 3, tables: vec!["public.t".into()] });
    witness.call(&admin, Duration::from_secs(10)).await.unwrap();
    assert_eq!(witness.ask(&admin, proof.position).await.unwrap(), ForeignChanges::default());
    witness.dismiss(&admin).await.unwrap();
    witness.dismiss(&admin).await.unwrap();
}

#[tokio::test]
async fn row_level_security_hides_nothing_from_the_role() {
    for (major, bypass) in [(15, true), (17, true), (17, false)] {
        let server = Server::start(major).await;
        let owner = server.make_user("owner").await;
        let admin = server.session().await;
        if !bypass {
            admin.batch_execute("alter role owner nobypassrls").await.unwrap();
        }
        admin.batch_execute("create role other; create schema \"not mine\"; create table \"not mine\".t (id int)").await.unwrap();
        let session = if major >= 16 { owner.connect().await.unwrap() } else { server.session().await };
        session
            .batch_execute(
                "create table public.secret (id int); insert into public.secret values (1), (2); create sequence public.s;
                 alter table public.secret enable row level security;
                 create policy p on public.secret using (id = 1)",
            )
            .await
            .unwrap();
        if !bypass {
            // Nobody may give membership in himself away, but in a role that he made.
            session
                .batch_execute(
                    "create role team; grant team to owner with inherit true, set true; grant create on schema public to team;
                     alter table public.secret owner to team",
                )
                .await
                .unwrap();
        }
        let mut found = inventory(&session).await.unwrap();
        let password = roles::generate_password().unwrap();
        roles::create_replication_role(&session, "mig", &password, "it's ours").await.unwrap();
        assert_eq!(roles::role_comment(&session, "mig").await.unwrap(), Some(Some("it's ours".to_owned())));
        if major >= 16 {
            // A warning of the server's is an error of ours.
            let error = roles::grant_replication_role(&session, "mig", &found, "azure2neon_x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Permission);
            assert!(error.to_string().contains("\"not mine\".t"), "{error}");
            found.tables.retain(|table| table.name.schema == "public");
            found.schemas.retain(|schema| schema == "public");
        }
        let report = roles::grant_replication_role(&session, "mig", &found, "azure2neon_x").await.unwrap();
        assert!(report.hidden_tables.is_empty(), "{report:?}");
        assert_eq!(report.bypasses_row_security, bypass);
        assert_eq!(report.joined_owners, if bypass { vec![] } else { vec!["team".to_owned()] });
        assert_eq!(report.skipped_owners, if major >= 16 { vec!["admin".to_owned()] } else { vec![] });
        let endpoint = server.endpoint("app").as_user("mig", password);
        session.batch_execute("alter database app set statement_timeout = '7s'").await.unwrap();
        let as_role = endpoint.connect().await.unwrap();
        let limited = "select reset_val from pg_catalog.pg_settings where name = 'statement_timeout'";
        assert_eq!(as_role.query_one(limited, &[]).await.unwrap().get::<_, &str>(0), "0", "the database's limit is not the copy's");
        let row = as_role
            .query_one(
                "select row_security_active('public.secret'), (select count(*) from public.secret), current_setting('wal_sender_timeout')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1), row.get::<_, &str>(2)), (false, 2, "5min"));
        session.batch_execute("create table public.later (id int)").await.unwrap();
        as_role.query("select * from public.later", &[]).await.unwrap();
        as_role.query("select last_value from public.s", &[]).await.unwrap();

        let password = roles::generate_password().unwrap();
        roles::set_role_password(&session, "mig", &password).await.unwrap();
        assert_eq!(endpoint.connect().await.unwrap_err().kind(), ErrorKind::Credentials);
        endpoint.as_user("mig", password).connect().await.unwrap();

        if !bypass {
            session.batch_execute("alter table public.secret force row level security").await.unwrap();
            let forced = inventory(&session).await.unwrap();
            let mut forced = forced;
            forced.tables.retain(|table| table.name.schema == "public");
            forced.schemas.retain(|schema| schema == "public");
            let report = roles::grant_replication_role(&session, "mig", &forced, "azure2neon_x").await.unwrap();
            assert_eq!(report.hidden_tables, ["public.secret"]);
        }
        roles::drop_role(&session, "mig", &found.owners).await.unwrap();
        roles::drop_role(&session, "mig", &found.owners).await.unwrap();
        assert!(as_role.batch_execute("select 1").await.is_err());
        let left: i64 = session.query_one("select count(*) from pg_default_acl", &[]).await.unwrap().get(0);
        assert_eq!(left, 0);
    }
}
