//! The compare under load: it never sees a difference that isn't one, names each that is, and mends it.

use std::time::{Duration, Instant};

use azure2neon_local_cloud::workload::{Writer, WriterOptions};
use azure2neon_tests::{Outcome, Rig};
use serde_json::Value;

/// As fast as the subscription can follow while other tests take most of the machine.
const BUSY: WriterOptions = WriterOptions { sessions: 4, every: Duration::from_millis(25), full: 2 };
/// Together more than five hundred transactions a second.
const STEADY: WriterOptions = WriterOptions { sessions: 8, every: Duration::from_millis(10), full: 8 };
const RUNS: usize = 20;

/// What somebody may do to the target: the statement, the table, how its row is named, the column, how `verify` calls it.
const CORRUPTIONS: [[&str; 5]; 10] = [
    ["update catalog.brands set founded = 1999 where id = 3", "catalog.brands", "id = 3", "founded", "changed"],
    ["delete from people.skills where id = 2", "people.skills", "id = 2", "", "missing"],
    ["insert into people.skills (id, name) overriding system value values (30000, 'juggling')", "people.skills", "id = 30000", "", "extra"],
    [
        "update sales.customers c set name = o.name from sales.customers o where (c.id, o.id) in ((5, 6), (6, 5))",
        "sales.customers",
        "id = 5",
        "name",
        "changed",
    ],
    ["delete from app.visits where ctid = (select max(ctid) from app.visits where visitor < 1000)", "app.visits", "row ", "", "missing"],
    ["insert into app.visits values (-1, '/', 1, null, '2026-01-01')", "app.visits", "row ", "", "extra"],
    ["update app.settings set value = '\"unseen\"' where name = 'setting.7'", "app.settings", "name = setting.7", "value", "changed"],
    ["insert into app.settings values ('planted', '1')", "app.settings", "name = planted", "", "extra"],
    [
        "update stock.movements_2023 set reason = 'unseen' where id = (select min(id) from stock.movements_2023 where reason is not null)",
        "stock.movements_2023",
        "id = ",
        "reason",
        "changed",
    ],
    [
        "update people.salaries set monthly = 1 where employee_id = 1000",
        "people.salaries",
        "employee_id = 1000, valid_from = ",
        "monthly",
        "changed",
    ],
];

async fn verify(rig: &Rig, arguments: &[&str]) -> Outcome {
    rig.run(&[&["verify", "--output", "json"], arguments].concat()).await
}

fn tables(outcome: &Outcome) -> Vec<Value> {
    outcome.event("verify")["verify"]["comparison"]["tables"].as_array().unwrap().clone()
}

/// Every table's rows were read, none differs, and few change all the time.
#[track_caller]
fn expect_green(outcome: Outcome) -> Vec<Value> {
    let outcome = outcome.expect_success();
    let tables = tables(&outcome);
    let changing: Vec<&Value> = tables.iter().filter(|table| table["verdict"] != "equal").collect();
    assert!(tables.len() >= 60 && changing.iter().all(|table| table["verdict"] == "changing") && changing.len() <= 3, "{changing:?}");
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn each_corruption_is_named_and_mended_under_load_and_nothing_else_is() {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (15, 17)).await;
    rig.stream();
    rig.run(&["verify"]).await.expect_failure(15, &["there is no run"]);
    let writer = Writer::start(rig.application(), BUSY);
    rig.run(&["migrate", "--yes"]).await.expect_success();
    for _ in 0..3 {
        expect_green(verify(&rig, &[]).await);
    }

    let target = rig.cloud.compute_superuser("bikeparts", "bikeparts").await.unwrap();
    target.batch_execute("set session_replication_role = replica").await.unwrap();
    for [sql, ..] in CORRUPTIONS {
        assert!(target.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {:?}", error.as_db_error())) > 0, "{sql}");
    }
    let outcome = verify(&rig, &[]).await;
    assert_eq!(outcome.code, 9, "{}\n{}", outcome.stdout, outcome.stderr);
    let found = tables(&outcome);
    for [sql, table, row, column, kind] in CORRUPTIONS {
        let (schema, name) = table.split_once('.').unwrap();
        let verdict = found.iter().find(|verdict| verdict["table"]["schema"] == schema && verdict["table"]["name"] == name).unwrap();
        let differences = verdict["differences"].as_array().unwrap();
        let named = differences.iter().any(|difference| {
            let columns = difference["columns"].as_array().unwrap();
            difference["row"].as_str().unwrap().starts_with(row)
                && difference["kind"] == kind
                && (column.is_empty() || columns.len() == 1 && columns[0]["column"] == column)
        });
        assert!(verdict["verdict"] == "different" && named, "{sql}: {verdict}");
        // The value that was planted is shown nowhere.
        assert!(!outcome.stdout.contains("unseen"), "{verdict}");
    }
    let wrong = found.iter().filter(|table| table["verdict"] == "different").count();
    assert_eq!(wrong, 7, "as many tables as were touched: {found:?}");
    // What is known to differ is not cut over.
    rig.run(&["cut-over", "--yes"]).await.expect_failure(2, &["compare is not done"]);

    // For people, and about one table.
    let text = rig.run(&["verify", "--table", "catalog.brands"]).await;
    let text =
        text.expect_failure(9, &["1 of 1 tables are not equal", "\"catalog\".\"brands\"", "id = 3", "column founded: ", "verify --repair"]);
    assert!(text.stdout.contains("DIFFERENT") && text.stdout.lines().all(|line| line.len() <= 120), "{}", text.stdout);

    let mended = verify(&rig, &["--repair"]).await.expect_success();
    let repaired = mended.event("verify")["verify"]["repaired"]["tables"].as_array().unwrap().clone();
    assert_eq!(repaired.len(), 7, "{repaired:?}");
    assert!(repaired.iter().all(|table| table["failed"].is_null() && table["changed"] == 0), "{repaired:?}");
    expect_green(verify(&rig, &[]).await);
    rig.run(&["cut-over", "--yes"]).await.expect_success();
    rig.run(&["verify"]).await.expect_failure(2, &["hand-over was begun"]);
    rig.expect_commits(writer, 500).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: scripts/soak --compares"]
async fn twenty_compares_under_five_hundred_transactions_a_second() {
    let rig = Rig::bikeparts(|options| (options.source_major, options.target_major_default) = (16, 17)).await;
    rig.stream();
    let writer = Writer::start(rig.application(), STEADY);
    rig.run(&["migrate", "--yes"]).await.expect_success();
    for run in 1..=RUNS {
        let (before, began) = (writer.progress().acknowledged, Instant::now());
        let outcome = verify(&rig, &[]).await;
        let seconds = began.elapsed().as_secs_f64();
        let rate = (writer.progress().acknowledged - before) as f64 / seconds;
        let tables = expect_green(outcome);
        let sum = |key: &str| tables.iter().map(|table| table[key].as_u64().unwrap()).sum::<u64>();
        let changing: Vec<String> =
            tables.iter().filter(|table| table["verdict"] == "changing").map(|table| table["changing"].to_string()).collect();
        println!(
            "{run}/{RUNS} {seconds:.1} s at {rate:.0} commits/s: {} rows in {} chunks, {} asked again, no difference, changing: {changing:?}",
            sum("source_rows"),
            sum("chunks"),
            sum("asked_again")
        );
        assert!(rate >= 500.0, "{rate:.0} commits a second");
    }
    drop(writer);
    rig.stop().await;
}
