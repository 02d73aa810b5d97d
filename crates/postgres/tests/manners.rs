//! A copy's manners: what it sees of the source's load, and that it obeys.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Mutex;
use std::time::Duration;

use azure2neon_postgres::Session;
use azure2neon_postgres::copy::manners::{Bounds, Change, Lag, Manners, Watch, baseline};
use support::Server;

const OURS: &str = "azure2neon_load";

/// A session of the copy's own.
async fn ours(server: &Server) -> Session {
    let mut endpoint = server.endpoint("app");
    endpoint.application_name = OURS.into();
    endpoint.connect().await.unwrap()
}

/// Sessions that wait for a lock, until the first one lets go.
async fn queue_up(server: &Server, application: &str, waiting: usize) -> (Session, Vec<tokio::task::JoinHandle<()>>) {
    let holder = ours(server).await;
    holder.batch_execute("begin; lock table public.t in access exclusive mode").await.unwrap();
    let mut endpoint = server.endpoint("app");
    endpoint.application_name = application.into();
    let mut tasks = Vec::new();
    for _ in 0..waiting {
        let session = endpoint.connect().await.unwrap();
        tasks.push(tokio::spawn(async move { session.batch_execute("select from public.t").await.unwrap() }));
    }
    let waiters = "select count(*) from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'";
    while holder.query_one(waiters, &[&application]).await.unwrap().get::<_, i64>(0) < waiting as i64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (holder, tasks)
}

#[tokio::test]
async fn a_strained_source_gets_fewer_workers_and_the_reason_is_said() {
    let server = Server::start(17).await;
    let session = ours(&server).await;
    session.batch_execute("create table public.t (); create role nobody login password 'user password'").await.unwrap();
    let before = baseline(&session, OURS).await.unwrap();
    let sessions = before.sessions.clone().unwrap();
    assert_eq!((sessions.busy, sessions.waiting), (0, 0));

    let (holder, tasks) = queue_up(&server, OURS, 9).await;
    assert_eq!(baseline(&session, OURS).await.unwrap(), before, "our own sessions are no load");
    holder.batch_execute("rollback").await.unwrap();
    futures::future::try_join_all(tasks).await.unwrap();

    let (holder, tasks) = queue_up(&server, "shop", 9).await;
    let sessions = baseline(&session, OURS).await.unwrap().sessions.unwrap();
    assert_eq!((sessions.busy, sessions.waiting, sessions.waits.as_str()), (9, 9, "9 Lock"));
    let nobody = server.endpoint("app").as_user("nobody", secrecy::SecretString::from("user password")).connect().await.unwrap();
    assert_eq!(baseline(&nobody, OURS).await.unwrap().sessions, None, "what may not be seen is no load");

    let (manners, said) = (Manners::new(4), Mutex::new(Vec::new()));
    let say = |change: Change| said.lock().unwrap().push(change);
    let watch = Watch { manners: &manners, bounds: Bounds::new(&before, None, Duration::from_secs(10), 4), ours: OURS, say: &say };
    // The first session is lost, the second try finds no server: neither ends the watch, and the last decision stands.
    let tries = Mutex::new(0);
    let connect = || async {
        let attempt = {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            *tries
        };
        if attempt == 2 {
            return Err("no server".to_owned());
        }
        let watching = ours(&server).await;
        if attempt == 1 {
            session.query("select pg_terminate_backend($1)", &[&watching.pid()]).await.unwrap();
        }
        Ok(watching)
    };
    let fewer = async {
        while manners.allowed().workers > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        never = watch.run(connect) => match never {},
        () = fewer => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("no fewer workers"),
    }
    assert_eq!(*tries.lock().unwrap(), 3);
    let why = "9 of the application's sessions wait (9 Lock), 4 may".to_owned();
    assert_eq!(*said.lock().unwrap(), [Change { workers: 2, of: 4, why }]);
    holder.batch_execute("rollback").await.unwrap();
    futures::future::try_join_all(tasks).await.unwrap();
}

#[tokio::test]
async fn a_physical_replica_that_falls_behind_is_seen_by_whoever_may() {
    let server = Server::start(17).await;
    let session = ours(&server).await;
    session.batch_execute("create table public.t (filler text); create role nobody login password 'user password'").await.unwrap();
    let nobody = server.endpoint("app").as_user("nobody", secrecy::SecretString::from("user password")).connect().await.unwrap();
    assert_eq!(baseline(&nobody, OURS).await.unwrap().lag, Some(Lag::default()), "there is none to be hidden");

    let standby = server.standby().await;
    let replica = standby.session().await;
    let streaming = "select count(*) from pg_stat_replication where state = 'streaming' and replay_lsn = pg_current_wal_lsn()";
    while session.query_one(streaming, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(baseline(&session, OURS).await.unwrap().lag.unwrap().bytes, 0);
    assert_eq!(baseline(&nobody, OURS).await.unwrap().lag, None, "what may not be seen is no lag");

    replica.batch_execute("select pg_wal_replay_pause()").await.unwrap();
    session.batch_execute("insert into public.t select repeat('x', 1000) from generate_series(1, 20000)").await.unwrap();
    let lag = loop {
        let lag = baseline(&session, OURS).await.unwrap().lag.unwrap();
        if lag.time >= Duration::from_secs(1) {
            break lag;
        }
    };
    assert!(lag.bytes > 15_000_000, "{lag:?}");
}
