//! The fence, and a replication role that is no superuser's work.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use azure2neon_postgres::fence::{self, FenceBefore};
use azure2neon_postgres::inventory::inventory;
use azure2neon_postgres::{ErrorKind, roles};
use support::Server;

#[tokio::test]
async fn a_fence_ends_every_writer_and_comes_down_again() {
    for major in [14, 17] {
        let server = Server::start(major).await;
        let mut owner = server.make_user("owner").await;
        owner.application_name = "azure2neon-run1".into();
        let admin = server.session().await;
        admin
            .batch_execute("create table public.t (id int); grant all on public.t to public; create role app login password 'x'")
            .await
            .unwrap();
        let (session, own) = (owner.connect().await.unwrap(), owner.connect().await.unwrap());
        let mut app = server.endpoint("app").as_user("app", "x".to_owned().into());
        app.application_name = "azure2neon-run1-pretender".into();
        let (writer, idle) = (app.connect().await.unwrap(), app.connect().await.unwrap());
        writer.batch_execute("begin; insert into public.t values (1)").await.unwrap();
        let elsewhere = server.endpoint("postgres").connect().await.unwrap();
        drop(admin);

        let before = fence::fence_state(&session, "app").await.unwrap();
        assert_eq!(before, FenceBefore::default());
        let proof = fence::raise(&session, "app", "azure2neon-run1").await.unwrap();
        assert!(proof.ended >= 2 && proof.rounds >= 1 && proof.raised_at <= proof.proven_at, "{proof:?}");
        for gone in [&writer, &idle] {
            assert!(gone.batch_execute("select 1").await.is_err());
        }
        own.batch_execute("insert into public.t values (2)").await.unwrap();
        elsewhere.batch_execute("create table public.free (id int)").await.unwrap();
        let late = app.connect().await.unwrap();
        // Our sessions turn the default off; an application's have it.
        late.batch_execute("reset default_transaction_read_only").await.unwrap();
        let error = late.batch_execute("insert into public.t values (3)").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "25006");
        let again = fence::raise(&session, "app", "azure2neon-run1").await.unwrap();
        assert!(again.ended >= 1);
        fence::lower(&session, "app", &before).await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap(), before);
        let late = app.connect().await.unwrap();
        late.batch_execute("reset default_transaction_read_only; insert into public.t values (4)").await.unwrap();

        session.batch_execute("alter database app set default_transaction_read_only = off").await.unwrap();
        let before = fence::fence_state(&session, "app").await.unwrap();
        assert_eq!(before.default_transaction_read_only.as_deref(), Some("off"));
        late.batch_execute("begin; insert into public.t values (5); prepare transaction 'pending one'").await.unwrap();
        let error = fence::raise(&session, "app", "azure2neon-run1").await.unwrap_err();
        assert!(error.to_string().contains("pending one"), "{error}");
        late.batch_execute("rollback prepared 'pending one'").await.unwrap();
        fence::raise(&session, "app", "azure2neon-run1").await.unwrap();
        fence::lower(&session, "app", &before).await.unwrap();
        assert_eq!(fence::fence_state(&session, "app").await.unwrap(), before);

        let admin = server.session().await;
        admin.batch_execute("alter role app set default_transaction_read_only = off").await.unwrap();
        let error = fence::raise(&session, "app", "azure2neon-run1").await.unwrap_err();
        assert!(error.to_string().contains("the roles app"), "{error}");
        admin.batch_execute("alter role app reset default_transaction_read_only").await.unwrap();
        // A superuser's session can't be ended by such a role: it is named, not waited for.
        let proof = fence::raise(&session, "app", "azure2neon-run1").await.unwrap();
        assert_eq!(proof.spared, ["admin/azure2neon-test"]);
    }
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
        let as_role = endpoint.connect().await.unwrap();
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
