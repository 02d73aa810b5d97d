use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use azure2neon_postgres::QualifiedName;
use azure2neon_postgres::dependents::{Dependent, DependentKind};
use azure2neon_postgres::fence::FenceBefore;
use azure2neon_postgres::inventory::{Column, TableKind};
use azure2neon_postgres::roles::SubscriberRights;
use azure2neon_postgres::server::{Rights, ServerFacts};
use azure2neon_postgres::volume::{LogRate, Volume};

use super::*;
use crate::cloud::{EgressAddresses, Parameter, SourceServer, TargetLimits, TargetProject};
use crate::error::ErrorKind;
use crate::selection::Selection;
use crate::settings::{CopyManners, Destination, HandOver, Home, Network};
use crate::survey::TextOrder;

#[path = "planner/target_tests.rs"]
pub(crate) mod target_tests;

pub(crate) fn settings() -> Settings {
    Settings {
        source_database: "shop".into(),
        source_user: None,
        home: Home::New("shop".into()),
        compute: None,
        migration_compute: None,
        history_seconds: None,
        region: None,
        target_major: None,
        target_database: None,
        target_role: None,
        subscription_sslmode: "require".into(),
        expected_failures: Vec::new(),
        accepted: BTreeMap::new(),
        max_pause: None,
        final_compare: None,
        way_back: None,
        mode: Mode::Online,
        selection: Selection::default(),
        copy: None,
        part_bytes: None,
        snapshot_age: None,
        manners: CopyManners::default(),
        hand_over: HandOver { to: vec![Destination::EnvFile { file: PathBuf::from("app.env"), variable: "DATABASE_URL".into() }] },
        network: Network::default(),
        tools: None,
        restart_on_restore: false,
        reopen_source: false,
    }
}

fn parameter(name: &str, value: &str) -> Parameter {
    Parameter { name: name.into(), value: value.into(), default: value.into(), dynamic: false, read_only: false, pending_restart: false }
}

pub(crate) fn table(name: &str) -> Table {
    Table {
        oid: 1,
        name: QualifiedName::new("public", name),
        kind: TableKind::Ordinary,
        persistence: Persistence::Permanent,
        columns: vec![Column {
            name: "id".into(),
            type_name: "integer".into(),
            base_type: "int4".into(),
            base_kind: 'b',
            element_type: None,
            generated: false,
            collatable: false,
            not_null: true,
        }],
        replica_identity: ReplicaIdentity::Default,
        primary_key: true,
        usable_unique_index: None,
        row_security: false,
        force_row_security: false,
        bytes: 8192,
        estimated_rows: 1.0,
        owner: "admin".into(),
        equality_for_all_columns: true,
        parent: None,
    }
}

pub(crate) fn survey(tables: Vec<Table>) -> Survey {
    Survey {
        log_rate: LogRate::default(),
        volume: Volume::default(),
        server: SourceServer {
            name: "shop-prod".into(),
            id: "/subscriptions/1/shop-prod".into(),
            region: "uksouth".into(),
            major: 16,
            host: "shop-prod.postgres.database.azure.com".into(),
            admin_login: "admin".into(),
            state: "Ready".into(),
            ready: true,
            password_login: true,
            ..SourceServer::default()
        },
        identity: "service principal 1".into(),
        user: "admin".into(),
        by_token: false,
        forbidden: Vec::new(),
        unasked: Vec::new(),
        server_databases: vec!["shop".into()],
        parameters: vec![parameter("wal_level", "logical"), parameter("max_replication_slots", "10"), parameter("max_wal_senders", "10")],
        on_server: ServerFacts::default(),
        rights: Rights::default(),
        at: jiff::Timestamp::UNIX_EPOCH,
        assessment: BTreeMap::new(),
        definitions: BTreeMap::new(),
        firewall: BTreeSet::new(),
        clock_skew_milliseconds: 0,
        dependents: Vec::new(),
        hidden: Vec::new(),
        subscriber: SubscriberRights { may_subscribe: true, ..SubscriberRights::default() },
        inventory: Inventory { tables, encoding: "UTF8".into(), collate: "C.UTF-8".into(), ..Inventory::default() },
        fence: FenceBefore::default(),
        region: ("aws-eu-west-2".into(), "nearest".into()),
        region_closed: None,
        taken: None,
        limits: TargetLimits::default(),
        no_new_project: None,
        existing: None,
        extensions: None,
        hanging: Vec::new(),
        text_order: TextOrder::default(),
        changes: HashMap::new(),
        round_trip: Duration::from_micros(400),
        bandwidth: 90 << 20,
        egress: EgressAddresses { addresses: vec!["3.1.1.1".into(), "3.1.1.2".into()], provenance: "list of a day".into() },
    }
}

fn planned(survey: &Survey) -> Plan {
    plan(survey, &settings(), "abcdef").unwrap()
}

fn identities(plan: &Plan) -> Vec<(String, ReplicaIdentity)> {
    match &plan.step("set-replica-identity").unwrap().action {
        Action::SetReplicaIdentity(step) => step.changes.iter().map(|c| (c.table.name.clone(), c.to.clone())).collect(),
        _ => unreachable!(),
    }
}

#[test]
fn the_source_is_not_changed_before_the_schema_is_on_the_target() {
    let plan = planned(&survey(vec![table("a")]));
    let at = |id| plan.steps.iter().position(|step| step.id() == id).unwrap();
    assert!(at("import-schema") < at("enable-logical-replication"));
    assert!(at("create-publication") < at("subscribe"), "the slot reads publications as of its own start");
    assert!(at("set-replica-identity") < at("create-publication"), "publishing a table without identity breaks the application");
    assert!(at("final-compare") < at("hand-over"));
}

#[test]
fn a_copy_through_this_machine_is_subscribed_to_when_all_is_in() {
    let plan = plan(&survey(vec![table("a")]), &Settings { copy: Some(CopyPath::Stream), ..settings() }, "abcdef").unwrap();
    let ids: Vec<&str> = plan.steps.iter().map(Step::id).collect();
    let from = ids.iter().position(|id| *id == "create-slot").unwrap();
    assert_eq!(ids[from..from + 4], ["create-slot", "stream-data", "subscribe", "build-indexes"]);
    assert!(!ids.contains(&"copy-data"));
    assert!(plan.copy.reason.contains("0.4 ms"), "{}", plan.copy.reason);
    match (&plan.step("import-schema").unwrap().action, &plan.step("subscribe").unwrap().action) {
        (Action::ImportSchema(import), Action::Subscribe(subscribe)) => assert!(!import.keys && !subscribe.copy_data),
        _ => unreachable!(),
    }
}

#[test]
fn a_large_database_near_by_goes_through_this_machine() {
    let large = survey(vec![Table { bytes: 2 << 30, ..table("a") }]);
    let copy = planned(&large).copy;
    assert!(copy.path == CopyPath::Stream && copy.reason.contains("2.0 GiB"), "{}", copy.reason);
    assert!(copy.reason.contains("0.4 ms away from this machine, at 90.0 MiB/s"), "{}", copy.reason);
    let far = Survey { round_trip: Duration::from_millis(150), ..large.clone() };
    assert_eq!(planned(&far).copy.path, CopyPath::Direct);
    let narrow = Survey { bandwidth: 3 << 20, ..large };
    assert_eq!(planned(&narrow).copy.path, CopyPath::Direct);
    assert_eq!(planned(&survey(vec![table("a")])).copy.path, CopyPath::Direct);
}

#[test]
fn offline_everything_is_copied_behind_the_fence_and_nothing_replicates() {
    let mut survey = survey(vec![Table { primary_key: false, ..table("bare") }]);
    survey.server.unreachable_because = Some("no public access".into());
    survey.server.high_availability = true;
    survey.parameters[0] = Parameter { read_only: true, ..parameter("wal_level", "replica") };
    let error = planned(&survey).refuse_blocked().unwrap_err();
    assert!(error.kind() == ErrorKind::Blocked && error.message().contains("wal_level = logical"), "{error:?}");
    assert!(error.message().contains("no public access"), "both at once: {error:?}");
    assert!(error.remedy().unwrap().contains("--mode offline"), "{error:?}");

    let offline = Settings { mode: Mode::Offline, ..settings() };
    let planned = plan(&survey, &offline, "abcdef").unwrap();
    let ids: Vec<&str> = planned.steps.iter().map(Step::id).collect();
    let expected = [
        ["create-project", "create-database", "import-schema", "keep-history", "warm-up"].as_slice(),
        &["fence-writes", "copy-offline", "build-indexes", "set-sequences", "final-compare"],
        &["hand-over", "drop-marks", "restore-target-settings"],
    ];
    assert_eq!(ids, expected.concat());
    assert_eq!(offline.max_pause_in(planned.mode), Duration::from_secs(3600));
    let ids: Vec<&str> = planned.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["offline", "no-way-back"]);
    assert!(planned.findings[0].what.contains("8.0 KiB"), "{:?}", planned.findings);

    survey.hidden = vec!["public.bare".into()];
    assert_eq!(plan(&survey, &offline, "abcdef").unwrap().refuse_blocked().unwrap_err().kind(), ErrorKind::Permission);
}

fn selected(survey: &Survey, tables: &[&str], exclude_tables: &[&str]) -> Result<Plan> {
    let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    plan(
        survey,
        &Settings { selection: Selection { tables: owned(tables), exclude_tables: owned(exclude_tables) }, ..settings() },
        "abcdef",
    )
}

#[test]
fn what_is_not_selected_is_neither_published_nor_counted() {
    let root = Table { kind: TableKind::Partitioned, ..table("root") };
    let leaf = Table { kind: TableKind::Partition, parent: Some(QualifiedName::new("public", "root")), ..table("leaf") };
    let bare = Table { primary_key: false, ..table("bare") };
    let mut survey = survey(vec![root, leaf, bare, table("kept")]);
    let published = |plan: Plan| match &plan.step("create-publication").unwrap().action {
        Action::CreatePublication(step) => (step.tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>(), plan.source.tables),
        _ => unreachable!(),
    };
    assert_eq!(published(selected(&survey, &["public.r*", "public.kept"], &[]).unwrap()), (vec!["root".to_owned(), "kept".into()], 2));
    let plan = selected(&survey, &[], &["public.root", "*.bare"]).unwrap();
    assert!(identities(&plan).is_empty());
    assert_eq!(plan.findings[0].what, "3 tables left out: public.bare, public.leaf, public.root");
    assert_eq!(published(plan), (vec!["kept".to_owned()], 1));
    let refused = |tables: &[&str], exclude: &[&str]| {
        let error = selected(&survey, tables, exclude).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.message().to_owned()
    };
    assert!(refused(&["sales.*"], &[]).contains("there are public.root, public.leaf, public.bare, public.kept"));
    assert!(refused(&["public.*"], &["public.kep"]).contains("\"public.kep\""));
    assert!(refused(&[], &["*"]).contains("no table to move"));
    for (tables, exclude) in [(&[][..], &["public.leaf"][..]), (&["public.leaf"], &[])] {
        let message = refused(tables, exclude);
        assert!(message.contains("\"leaf\"") && message.contains("\"root\""), "{message}");
    }

    let dependent =
        |kind, identity: &str| Dependent { catalog_id: (1, 1), kind, name: None, identity: identity.into(), needs: "public.bare".into() };
    survey.dependents = vec![
        dependent(DependentKind::Part, ""),
        dependent(DependentKind::ForeignKey, "table constraint f on public.kept"),
        dependent(DependentKind::View, "view public.v"),
    ];
    let plan = selected(&survey, &[], &["public.bare"]).unwrap();
    let ids: Vec<&str> = plan.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["tables-left-out", "foreign-keys-leave-selection", "views-leave-selection", "way-back"]);
    match &plan.step("import-schema").unwrap().action {
        Action::ImportSchema(step) => assert_eq!(step.left_out, ["table constraint f on public.kept", "view public.v"]),
        _ => unreachable!(),
    }
    survey.dependents.push(dependent(DependentKind::OfOtherTable, "table public.child"));
    let error = selected(&survey, &[], &["public.bare"]).unwrap_err();
    assert!(error.message().contains("table public.child needs public.bare"), "{error:?}");
}

#[test]
fn a_plan_survives_its_file() {
    let plan = planned(&survey(vec![table("a")]));
    let text = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    let of = |stage| again.steps.iter().filter(|step| step.stage == stage).map(Step::id).collect::<Vec<_>>();
    assert_eq!(of(Stage::KeepInStep), ["catch-up", "set-sequences-ahead", "compare-catalogs", "compare"]);
    assert_eq!(of(Stage::WarmUp), ["compare-again", "prepare-way-back", "warm-up"]);
    let pause = ["fence-writes", "drain", "set-sequences", "turn-back", "final-compare", "prove-fence", "hand-over"];
    assert_eq!(of(Stage::CutOver), [&pause[..], &["open-way-back", "compare-rest"]].concat());
    let back = ["fence-target", "drain-back", "set-sequences-back", "turn-forth", "compare-back", "prove-target-fence", "hand-back"];
    assert_eq!(of(Stage::RollBack), [&["warm-up-back"], &back[..], &["resume-forward"]].concat());
}

#[test]
fn tables_without_a_key_get_an_identity_and_others_are_left_alone() {
    let keyed = table("keyed");
    let unique = Table { primary_key: false, usable_unique_index: Some("u".into()), ..table("unique_index") };
    let bare = Table { primary_key: false, ..table("bare") };
    let full = Table { primary_key: false, replica_identity: ReplicaIdentity::Full, ..table("full") };
    let unlogged = Table { primary_key: false, persistence: Persistence::Unlogged, ..table("unlogged") };
    let nothing = Table { replica_identity: ReplicaIdentity::Nothing, ..table("nothing") };
    let plan = planned(&survey(vec![keyed, unique, bare, full, unlogged, nothing]));
    assert_eq!(
        identities(&plan),
        [
            ("unique_index".to_owned(), ReplicaIdentity::Index("u".into())),
            ("bare".to_owned(), ReplicaIdentity::Full),
            ("nothing".to_owned(), ReplicaIdentity::Default),
        ]
    );
    let ids: Vec<&str> = plan.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!(ids, ["tables-without-key", "unlogged-tables", "way-back"]);
}

#[test]
fn partitioned_tables_are_published_by_their_root() {
    let root = Table { kind: TableKind::Partitioned, ..table("root") };
    let leaf = Table { kind: TableKind::Partition, parent: Some(QualifiedName::new("public", "root")), ..table("leaf") };
    let sub = Table { kind: TableKind::Partitioned, parent: Some(QualifiedName::new("public", "root")), ..table("sub") };
    let unlogged = Table { persistence: Persistence::Unlogged, ..table("unlogged") };
    let plan = planned(&survey(vec![root, leaf, sub, unlogged]));
    match &plan.step("create-publication").unwrap().action {
        Action::CreatePublication(step) => assert_eq!(step.tables, [QualifiedName::new("public", "root")]),
        _ => unreachable!(),
    }
}

#[test]
fn parameters_are_raised_only_where_they_are_too_low() {
    let mut survey = survey(vec![table("a")]);
    survey.on_server.slots = 8;
    survey.parameters[0].value = "LOGICAL".into();
    let plan = planned(&survey);
    match &plan.step("enable-logical-replication").unwrap().action {
        Action::EnableLogicalReplication(step) => {
            let changes: Vec<(&str, &str)> = step.changes.iter().map(|c| (c.name.as_str(), c.to.as_str())).collect();
            assert_eq!(changes, [("max_replication_slots", "12")]);
        }
        _ => unreachable!(),
    }
}

#[test]
fn the_finish_takes_back_in_reverse_and_skips_what_was_never_changed() {
    let mut survey = survey(vec![table("a")]);
    survey.parameters[0].value = "logical".into();
    let plan = planned(&survey);
    let finish: Vec<&str> = plan.steps.iter().filter(|step| step.stage == Stage::Finish).map(Step::id).collect();
    assert_eq!(
        finish,
        ["drop-way-back", "drop-subscription", "drop-publication", "drop-replication-role", "revoke-inbound", "restore-target-settings"]
    );
}

#[test]
fn what_can_not_work_is_refused_before_anything_is_done() {
    let refused = |change: fn(&mut Survey)| {
        let mut survey = survey(vec![table("a")]);
        change(&mut survey);
        planned(&survey).refuse_blocked().unwrap_err().kind()
    };
    let project = TargetProject {
        id: "p".into(),
        name: "shop".into(),
        region: "aws-eu-west-2".into(),
        major: 17,
        branch: "b".into(),
        endpoint: "e".into(),
        created: None,
        publishes: None,
    };
    let mut taken = survey(vec![]);
    taken.taken = Some(project);
    assert_eq!(planned(&taken).refuse_blocked().unwrap_err().kind(), ErrorKind::AlreadyExists);
    let accepted = BTreeMap::from([("project-name-taken".to_owned(), "it is mine".to_owned())]);
    assert!(plan(&taken, &Settings { accepted, ..settings() }, "abcdef").unwrap_err().message().contains("can't be accepted"));
    let mut since = planned(&taken);
    planned(&survey(vec![])).refuse_blocked_since(&since).unwrap();
    assert!(since.refuse_blocked_since(&planned(&survey(vec![]))).is_err());
    since.findings[0].accepted = Some("it is mine".into());
    since.refuse_blocked_since(&planned(&survey(vec![]))).unwrap();
    assert_eq!(refused(|survey| survey.server.ready = false), ErrorKind::Blocked);
    assert_eq!(refused(|survey| survey.server.unreachable_because = Some("VNet".into())), ErrorKind::Blocked);
    assert_eq!(refused(|survey| survey.server.major = 13), ErrorKind::Blocked);
    assert_eq!(refused(|survey| survey.region_closed = Some("closed".into())), ErrorKind::Configuration);
    assert_eq!(refused(|survey| survey.inventory.large_objects = 1), ErrorKind::Blocked);
    assert_eq!(refused(|survey| survey.inventory.encoding = "LATIN1".into()), ErrorKind::Blocked);
    let old = Settings { target_major: Some(15), ..settings() };
    let refused = plan(&survey(vec![]), &old, "abcdef").unwrap().refuse_blocked().unwrap_err();
    assert!(refused.kind() == ErrorKind::Configuration && refused.message().contains("PostgreSQL 15"), "{refused:?}");
    let reserved = Settings { target_database: Some("postgres".into()), ..settings() };
    assert_eq!(plan(&survey(vec![]), &reserved, "abcdef").unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn there_is_a_way_back_where_there_can_be_one_and_else_the_plan_says_why() {
    let of = |change: fn(&mut Survey, &mut Settings)| {
        let (mut survey, mut settings) = (survey(vec![table("a")]), settings());
        change(&mut survey, &mut settings);
        plan(&survey, &settings, "abcdef")
    };
    let ids = |plan: &Plan| plan.steps.iter().map(Step::id).collect::<Vec<_>>();
    let usual = of(|_, _| {}).unwrap();
    let at = |id| ids(&usual).iter().position(|step| *step == id).unwrap();
    assert_eq!(at("prepare-way-back") + 2, at("fence-writes"));
    assert_eq!(at("drop-way-back") + 1, at("drop-subscription"));
    let Action::CreateProject(create) = &usual.step("create-project").unwrap().action else { panic!() };
    assert!(create.spec.publishes && usual.findings.iter().any(|finding| finding.id == "way-back"));

    let without = of(|_, settings| settings.way_back = Some(false)).unwrap();
    let Action::CreateProject(create) = &without.step("create-project").unwrap().action else { panic!() };
    assert!(!create.spec.publishes && !without.has_way_back() && !ids(&without).contains(&"drop-way-back"));
    assert!(!without.findings.iter().any(|finding| finding.id.contains("way-back")));
    assert!(without.steps.iter().all(|step| step.stage != Stage::RollBack));
    of(|_, settings| settings.final_compare = Some(CompareWhen::After)).unwrap();
    let late = of(|_, settings| (settings.way_back, settings.final_compare) = (Some(false), Some(CompareWhen::After))).unwrap_err();
    assert!(late.message().contains("needs a way back"), "{late}");

    // As its administrator, where the source can't apply changes as the tables' owners.
    let as_itself = of(|survey, _| survey.subscriber.not_as_owner = vec!["public.a".into()]).unwrap();
    let Action::PrepareWayBack(step) = &as_itself.step("prepare-way-back").unwrap().action else { panic!() };
    assert!(step.as_subscriber);

    type Obstacle = (fn(&mut Survey), &'static str);
    let obstacles: [Obstacle; 3] = [
        (|survey| survey.subscriber.may_subscribe = false, "can't create a subscription"),
        (
            |survey| {
                survey.subscriber.not_as_owner = vec!["public.a".into()];
                survey.subscriber.not_as_itself = vec!["public.a".into()];
            },
            "forced: public.a",
        ),
        (
            |survey| {
                let mut there = target_tests::existing(&[], &[]);
                there.project.publishes = Some(false);
                survey.existing = Some(there);
            },
            "platform has no logical replication",
        ),
    ];
    for (obstacle, why) in obstacles {
        let mut survey = survey(vec![table("a")]);
        obstacle(&mut survey);
        let without = plan(&survey, &settings(), "abcdef").unwrap();
        assert!(!without.has_way_back());
        let finding = without.findings.iter().find(|finding| finding.id == "no-way-back").unwrap();
        assert!(finding.what.contains(why), "{}", finding.what);
        let demanded = plan(&survey, &Settings { way_back: Some(true), ..settings() }, "abcdef").unwrap().refuse_blocked().unwrap_err();
        assert!(demanded.kind() == ErrorKind::Blocked && demanded.message().contains(why), "{demanded}");
    }
}
