//! What the application writes.

use std::fmt::Write as _;

/// The beginning of a transaction: an entry in both ledgers.
pub(super) fn noted(writer: i32, seq: i64) -> String {
    format!(
        "BEGIN;
         INSERT INTO app.ledger (writer, seq, placed_at) VALUES ({writer}, {seq}, clock_timestamp());
         INSERT INTO app.ledger_copy (writer, seq) VALUES ({writer}, {seq});"
    )
}

/// The statements between that and its COMMIT. They are made of numbers only, so that nothing needs to be quoted.
///
/// Always an order with its lines; the rest takes turns. Rows that sessions could fight over are touched in
/// one order or belong to one writer, so that deadlocks stay rare.
pub(super) fn transaction(writer: i32, seq: i64, turn: i64, dice: &mut fastrand::Rng) -> String {
    let part = dice.i32(1..=11_990);
    let customer = dice.i32(1..=12_000);
    let lines = dice.i32(1..=4);
    let mut sql = format!(
        "
         WITH placed AS (
           INSERT INTO sales.orders (customer_id, state, note) VALUES ({customer}, 'placed', 'writer {writer}') RETURNING id
         )
         INSERT INTO sales.order_lines (order_id, part_id, quantity, unit_price)
           SELECT id, {part} + line, line, 9.99 * line FROM placed, generate_series(1, {lines}) AS line;"
    );
    let row = dice.i32(1..=100_000);
    let statements = match turn % 8 {
        0 => format!(
            "UPDATE stock.levels SET quantity = quantity - {lines}, counted_at = clock_timestamp() WHERE part_id = {part} AND warehouse_id = 1;
             INSERT INTO stock.movements (part_id, warehouse_id, quantity, reason) VALUES ({part}, 1, -{lines}, 'sold');
             SELECT nextval('app.carousel');"
        ),
        // Deletes and updates of rows that the sample data came with, which is where a copy and a replication meet.
        1 => format!(
            "DELETE FROM app.events WHERE id = (SELECT min(id) FROM app.events WHERE id > {row} % 30000 AND id <= 30000);
             INSERT INTO app.events (kind, body) VALUES ('order', jsonb_build_object('writer', {writer}, 'part', {part}));
             DELETE FROM sales.order_lines WHERE id = {row};"
        ),
        // No key. A visitor belongs to one writer.
        2 => format!(
            "INSERT INTO app.visits VALUES ({writer} + 1000, '/p/{lines}', 1, NULL, date '2026-01-01' + {lines});
             UPDATE app.visits SET hits = coalesce(hits, 0) + 1 WHERE visitor = {writer} + 1000 AND page = '/p/{lines}' AND hits < 5;
             DELETE FROM app.visits WHERE visitor = {writer} + 1000 AND hits >= 5;"
        ),
        // No primary key, but a unique index.
        3 => format!(
            "INSERT INTO app.sensor_readings VALUES (100 + {writer}, clock_timestamp(), {lines} + 0.5, NULL);
             UPDATE app.sensor_readings SET humidity = 0.25 * {lines}
               WHERE sensor = 100 + {writer} AND read_at = (SELECT max(read_at) FROM app.sensor_readings WHERE sensor = 100 + {writer});
             DELETE FROM app.sensor_readings
               WHERE sensor = 1 + {writer} % 8
                 AND read_at = (SELECT min(read_at) FROM app.sensor_readings WHERE sensor = 1 + {writer} % 8 AND read_at < '2026-01-01');"
        ),
        // A row that moves from one partition to another. Rows with a reason may have notes, which don't move with them.
        4 => format!(
            "UPDATE stock.movements SET moved_at = moved_at + interval '1 year' WHERE id = {row} AND reason IS NULL;
             INSERT INTO stock.movements (part_id, warehouse_id, quantity, moved_at)
               VALUES ({part}, 2, {lines}, timestamptz '2022-06-01 00:00+00' + {row} * interval '17 minutes');
             SELECT nextval('app.rewound');"
        ),
        // The document's content lies outside its row and stays as it is, so that logical decoding doesn't send it.
        5 => format!(
            "UPDATE catalog.part_documents SET title = 'Manual, read by {writer}' WHERE id = 1 + {row} % 500;
             UPDATE catalog.parts SET net_price = {row} / 100.0 WHERE id = {part};"
        ),
        6 => format!(
            "INSERT INTO app.jobs (state, payload) VALUES ('waiting', json_build_object('writer', {writer}));
             DELETE FROM app.jobs WHERE id = (SELECT min(id) FROM app.jobs WHERE id > {row} % 5000 AND id <= 5000);
             INSERT INTO sales.customers (name, email) VALUES ('Customer of {writer}', 'w{writer}.{seq}@example.org');
             INSERT INTO \"Werkstatt\".\"Repair Jobs\" (\"Kunde\", \"Größe\") VALUES ({customer}, 'groß');"
        ),
        _ => format!(
            "WITH billed AS (SELECT max(id) AS id FROM sales.orders WHERE customer_id = {customer})
             INSERT INTO sales.invoices (order_id, issued_on) SELECT id, current_date FROM billed WHERE id IS NOT NULL ON CONFLICT DO NOTHING;
             UPDATE sales.orders SET state = 'paid' WHERE id = 1 + {row} % 40000;
             INSERT INTO app.settings (name, value) VALUES ('writer.{writer}', '{seq}')
               ON CONFLICT (name) DO UPDATE SET value = excluded.value;"
        ),
    };
    // Writing to a String doesn't fail.
    let _ = write!(sql, "\n{statements}");
    sql
}
