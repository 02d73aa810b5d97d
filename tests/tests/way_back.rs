//! The way back, between the two local clouds: Neon's changes flow to Azure, and then Azure's to Neon again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use azure2neon_azure::{AzureCloud, Credential, Environment};
use azure2neon_core::access::{Access, Login};
use azure2neon_core::context::{Clouds, Context};
use azure2neon_core::event::{Event, Events, Observer};
use azure2neon_core::journal::{RunFolder, What, read_plan};
use azure2neon_core::plan::Mode;
use azure2neon_core::settings::{CopyManners, HandOver, Home, Network, Settings};
use azure2neon_core::way_back::{self, Sides};
use azure2neon_core::{ErrorKind, epochs};
use azure2neon_neon::NeonCloud;
use azure2neon_postgres::{Session, barrier, subscription};
use azure2neon_tests::Rig;
use secrecy::SecretString;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event) {}
}

/// The run in the rig's folder, as a process takes it up.
fn take_up(rig: &Rig) -> Context {
    let (endpoints, secrets) = (rig.endpoints(), rig.secrets());
    let at = |pointer: &str| endpoints.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}")).to_owned();
    let ca_file = Path::new(&at("/ca_file")).to_owned();
    let tls = || azure2neon_postgres::tls::client_config(Some(&ca_file)).unwrap();
    let azure = AzureCloud::new(azure2neon_azure::Settings {
        environment: Environment::Public,
        endpoint: Some(at("/arm/http").parse().unwrap()),
        scope: None,
        authority: Some(at("/login/https")),
        subscription: None,
        resource_group: None,
        server: at("/server"),
        credential: Credential::ServicePrincipal {
            tenant: at("/login/tenant"),
            client_id: at("/login/client_id"),
            secret: SecretString::from(at("/login/client_secret")),
        },
        tls: tls(),
        answer_timeout: PATIENCE,
        waits: Default::default(),
        recorder: None,
    });
    let neon = NeonCloud::new(azure2neon_neon::Settings {
        endpoint: at("/neon/http").parse().unwrap(),
        api_key: SecretString::from(at("/neon/key")),
        org_id: None,
        egress_override: None,
        tls: tls(),
        answer_timeout: PATIENCE,
        waits: Default::default(),
        recorder: None,
    });
    let folder = RunFolder::open(&rig.run_folder()).unwrap();
    let plan = read_plan(folder.path()).unwrap().unwrap();
    let resolve = endpoints["resolve"].as_object().unwrap().iter();
    let settings = Settings {
        source_database: rig.database.clone(),
        source_user: None,
        home: Home::New(plan.target.project.clone()),
        compute: None,
        migration_compute: None,
        history_seconds: None,
        region: None,
        target_major: None,
        target_database: None,
        target_role: None,
        subscription_sslmode: "require".into(),
        expected_failures: Vec::new(),
        max_pause: None,
        way_back: None,
        mode: Mode::Online,
        selection: Default::default(),
        copy: None,
        part_bytes: None,
        snapshot_age: None,
        manners: CopyManners::default(),
        hand_over: HandOver { env_file: rig.env_file(), variable: "DATABASE_URL".into(), command: Vec::new() },
        network: Network {
            ca_file: Some(ca_file.clone()),
            resolve: resolve.map(|(host, address)| (host.clone(), address.as_str().unwrap().parse().unwrap())).collect(),
        },
        tools: None,
        restart_on_restore: false,
        reopen_source: false,
    };
    let clouds = Clouds { source: Arc::new(azure.unwrap()), target: Arc::new(neon.unwrap()) };
    let password = secrets["AZURE2NEON_SOURCE_PASSWORD"].clone();
    let access = Access { login: Login::Password(SecretString::from(password)), tls: Arc::new(tls()) };
    Context::new(plan, settings, clouds, access, folder, Events::new(Arc::new(Silent)))
}

async fn fence(cx: &Context, sql: &str) {
    let source = cx.source_endpoint().await.unwrap().with_database("postgres").connect().await.unwrap();
    source.batch_execute(&sql.replace("$", &cx.plan.source.database)).await.unwrap();
}

const SHUT: &str = "alter database $ set default_transaction_read_only = on; alter database $ connection limit 0";
const LET_IN: &str = "alter database $ connection limit -1";
const OPEN: &str = "alter database $ reset default_transaction_read_only";

/// A change of every table that replicates: a key, a keyless one, one with a unique index, one behind row-level security.
fn write(n: i32) -> String {
    format!(
        "begin; insert into sales.customer (id, name) overriding system value values ({n}, 'new');
         insert into sales.\"Order\" (id, customer, total) values ({n}, {n}, {n}); commit;
         update sales.\"Order\" set state = 'paid' where id = {n} % 1000;
         insert into sales.visit values ('2027-01-01', '{n}'), ('2027-01-01', '{n}');
         delete from sales.visit where at = timestamptz '2026-01-01' + {n} / 10000 * interval '1 s';
         update sales.reading set value = {n} where sensor = 3;
         insert into sales.secret values ({n}, 'late'); delete from sales.secret where id = {n} / 10000"
    )
}

const CONTENT: &str = "select md5(string_agg(t, ',' order by t)) from (
    select c::text t from sales.customer c union all select o::text from sales.\"Order\" o union all select v::text from sales.visit v
    union all select r::text from sales.reading r union all select s::text from sales.secret s) rows";

async fn expect_equal(sides: Sides<'_>) {
    let of = async |session: &Session| session.query_one(CONTENT, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(of(sides.source).await, of(sides.target).await);
}

async fn count(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn story(from: u32, to: u32, stream: bool) {
    let rig = Rig::small(|options| (options.source_major, options.target_major_default) = (from, to)).await;
    if stream {
        rig.stream();
    }
    rig.run(&["migrate", "--yes"]).await.expect_success();
    // What a killed process prepared is prepared anew.
    way_back::prepare(&take_up(&rig)).await.unwrap();
    let cx = take_up(&rig);
    cx.folder.record("prepare-way-back", What::Started).unwrap();
    way_back::prepare(&cx).await.unwrap();
    assert!(way_back::left_over(&cx).await.unwrap().is_some());
    let (source, target) = (cx.source().await.unwrap(), cx.target().await.unwrap());
    let sides = Sides { source: &source, target: &target };
    source.batch_execute(&write(10_000)).await.unwrap();
    way_back::keep_near(&cx, &target).await.unwrap();
    source.batch_execute(&write(20_000)).await.unwrap();

    fence(&cx, SHUT).await;
    let forth = epochs::feed(&cx, 1);
    barrier::wait_applied(&source, &target, &forth, PATIENCE, &mut |_| {}).await.unwrap();
    way_back::begin(&cx, &target).await.unwrap();
    target.batch_execute(&write(30_000)).await.unwrap();
    way_back::open(&cx, sides).await.unwrap();
    target.batch_execute(&write(40_000)).await.unwrap();
    way_back::wait_back(&cx, sides, PATIENCE).await.unwrap();
    expect_equal(sides).await;
    assert_eq!(count(&source, "select count(*) from pg_catalog.pg_replication_slots").await, 0, "the source keeps no WAL");

    let window = way_back::look(&cx.names().mark, Some(&source), Some(&target)).await.unwrap();
    assert!(window.is_well() && window.running == Some(true) && window.slot.as_ref().unwrap().active, "{window:?}");
    let done = || What::Done { milliseconds: 0, already: false, output: Value::Null };
    for step in ["prepare-way-back", "hand-over"] {
        cx.folder.record(step, done()).unwrap();
    }
    let status = rig.run(&["status"]).await.expect_success().stdout;
    assert!(status.contains("subscription on the source: runs, 0 apply errors") && status.contains("the source reads it"), "{status}");
    let mut blind = rig.program(&["status", "--output", "json"]);
    blind.env_remove("NEON_API_KEY");
    let status: Value = serde_json::from_str(&rig.finish(blind).await.expect_success().stdout).unwrap();
    assert!(status["way_back"]["unseen"].to_string().contains("NEON_API_KEY"), "{status}");
    cx.folder.record("hand-over", What::Reset).unwrap();

    // A table that is made in the window is not carried, and the look says so.
    target.batch_execute("create table sales.late (id int primary key)").await.unwrap();
    target.batch_execute(&format!("alter publication {} add table sales.late", way_back::feed(&cx).name)).await.unwrap();
    let window = way_back::look(&cx.names().mark, Some(&source), Some(&target)).await.unwrap();
    assert_eq!(window.not_carried, ["\"sales\".\"late\""]);
    target.batch_execute("drop table sales.late").await.unwrap();

    // And back, as another process.
    drop((source, target));
    let folder = cx.into_folder();
    drop(folder);
    let cx = take_up(&rig);
    fence(&cx, LET_IN).await;
    let (source, target) = (cx.source().await.unwrap(), cx.target().await.unwrap());
    let sides = Sides { source: &source, target: &target };
    let owner = way_back::prepare_forward(&cx, sides).await.unwrap();
    target.batch_execute(&write(50_000)).await.unwrap();
    way_back::wait_back(&cx, sides, PATIENCE).await.unwrap();
    way_back::resume_forward(&cx, sides, &owner).await.unwrap();
    fence(&cx, OPEN).await;
    source.batch_execute(&write(60_000)).await.unwrap();
    barrier::wait_applied(&source, &target, &forth, PATIENCE, &mut |_| {}).await.unwrap();
    expect_equal(sides).await;
    let health = subscription::health(&target, &forth.name).await.unwrap().unwrap();
    assert_eq!(health.apply_errors, 0);

    // Another cut-over could follow; instead everything goes.
    way_back::prepare(&cx).await.unwrap();
    way_back::remove(&cx).await.unwrap();
    way_back::remove(&cx).await.unwrap();
    assert_eq!(way_back::left_over(&cx).await.unwrap(), None);
    cx.folder.record("prepare-way-back", What::Undone).unwrap();
    drop((source, target, owner, cx));
    rig.run(&["abort", "--yes"]).await.expect_success();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_from_14_to_17_and_back() {
    story(14, 17, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed_from_16_to_18_and_back() {
    story(16, 18, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_line_to_neon_it_says_how_to_go_on() {
    let rig = Rig::small(|_| {}).await;
    rig.run(&["migrate", "--yes"]).await.expect_success();
    let cx = take_up(&rig);
    rig.cloud.way_back_link().refuse();
    let error = way_back::prepare(&cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.message().contains("the source can't connect to Neon") && error.remedy().unwrap().contains("--no-way-back"), "{error:?}");
    // Half of it is there, and goes; even when the project does not exist any more.
    assert!(way_back::left_over(&cx).await.unwrap().is_some());
    way_back::remove(&cx).await.unwrap();
    assert_eq!(way_back::left_over(&cx).await.unwrap(), None);
    rig.cloud.way_back_link().open();
    way_back::prepare(&cx).await.unwrap();
    rig.delete_project(&cx.project().unwrap().id).await;
    way_back::remove(&cx).await.unwrap();
    assert_eq!(way_back::left_over(&cx).await.unwrap(), None);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_project_is_left_as_it_is() {
    let rig = Rig::small(|options| options.existing_projects = vec!["platform".into()]).await;
    let plan = rig.run(&["plan", "--output", "json", "--existing-project", "platform"]).await.expect_success().stdout;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let finding = plan["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "no-way-back").unwrap();
    assert!(finding["what"].as_str().unwrap().contains("platform has no logical replication"), "{finding}");
    let id = rig.cloud.project_id("platform").unwrap();
    let body = json!({ "project": { "settings": { "enable_logical_replication": true } } });
    rig.neon(reqwest::Method::PATCH, &format!("projects/{id}"), Some(body)).await;
    let plan = rig.run(&["plan", "--output", "json", "--existing-project", "platform"]).await.expect_success().stdout;
    assert!(plan.contains("prepare-way-back"), "{plan}");
    rig.stop().await;
}
