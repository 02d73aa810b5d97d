//! What the target's statements took, from its log with `log_statement_stats`.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Messages of one kind.
#[derive(Default)]
struct Kind {
    messages: usize,
    elapsed: f64,
    user: f64,
    system: f64,
}

/// What one session did.
#[derive(Default)]
struct Busy {
    messages: usize,
    elapsed: f64,
    /// The times of its first and last messages' ends, in seconds of the day.
    first: f64,
    last: f64,
}

/// One message with what it took, as the log has it.
struct Message {
    pid: u32,
    ended: f64,
    /// User, system, elapsed.
    times: [f64; 3],
    statement: String,
}

/// Tables by kinds of statements and of the busiest sessions. Each message counts once, by the dearest statement in it; parallel
/// workers' time isn't in it.
pub fn of(log: &str) -> String {
    let mut kinds: BTreeMap<&'static str, Kind> = BTreeMap::new();
    let mut sessions: BTreeMap<u32, Busy> = BTreeMap::new();
    for message in messages(log) {
        let [user, system, elapsed] = message.times;
        let kind = kinds.entry(classify(&message.statement)).or_default();
        kind.messages += 1;
        (kind.user, kind.system, kind.elapsed) = (kind.user + user, kind.system + system, kind.elapsed + elapsed);
        let busy = sessions.entry(message.pid).or_insert_with(|| Busy { first: message.ended - elapsed, ..Busy::default() });
        (busy.messages, busy.elapsed, busy.last) = (busy.messages + 1, busy.elapsed + elapsed, message.ended);
    }
    let mut table = format!("{:<28} {:>8} {:>10} {:>8} {:>8}\n", "target's statements", "messages", "elapsed s", "user s", "system s");
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by(|(_, a), (_, b)| b.elapsed.total_cmp(&a.elapsed));
    for (name, kind) in kinds {
        let _ = writeln!(table, "{name:<28} {:>8} {:>10.2} {:>8.2} {:>8.2}", kind.messages, kind.elapsed, kind.user, kind.system);
    }
    let mut busiest: Vec<_> = sessions.into_iter().collect();
    let begin = busiest.iter().map(|(_, busy)| busy.first).fold(f64::INFINITY, f64::min);
    busiest.sort_by(|(_, a), (_, b)| b.elapsed.total_cmp(&a.elapsed));
    for (pid, busy) in busiest.into_iter().take(12) {
        let name = format!("session {pid}, {:.2} – {:.2}", busy.first - begin, busy.last - begin);
        let idle = busy.last - busy.first - busy.elapsed;
        let _ = writeln!(table, "{name:<28} {:>8} {:>10.2}, idle {idle:.2} s between", busy.messages, busy.elapsed);
    }
    table
}

/// The log's entries of the form `time [pid] kind LOG: … STATISTICS`, `DETAIL:` with the times, `STATEMENT:`.
fn messages(log: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let (mut times, mut waits, mut continues) = (None, false, false);
    for line in log.lines() {
        if let Some(rest) = line.strip_prefix('\t') {
            if continues && let Some(message) = messages.last_mut() {
                message.statement.push('\n');
                message.statement.push_str(rest);
            } else if waits && line.contains(" s elapsed") {
                times = Some(numbers(line));
                waits = false;
            }
            continue;
        }
        continues = false;
        if line.contains(" DETAIL:  ! system usage stats") {
            (times, waits) = (None, true);
        } else if let Some((prefix, text)) = line.split_once(" STATEMENT:  ")
            && let Some(times) = times.take()
        {
            let pid = prefix.split(['[', ']']).nth(1).and_then(|pid| pid.parse().ok()).unwrap_or_default();
            let clock = prefix.split(' ').nth(1).unwrap_or_default();
            let ended = clock.split(':').filter_map(|part| part.parse::<f64>().ok()).fold(0.0, |sum, part| sum * 60.0 + part);
            messages.push(Message { pid, ended, times, statement: text.to_owned() });
            continues = true;
        }
    }
    messages
}

/// User, system and elapsed seconds, of a line like `! 0.001 s user, 0.000 s system, 0.002 s elapsed`.
fn numbers(line: &str) -> [f64; 3] {
    let mut numbers = line.split(['\t', ' ', '!']).filter_map(|word| word.parse().ok());
    std::array::from_fn(|_| numbers.next().unwrap_or_default())
}

fn classify(text: &str) -> &'static str {
    let lower = text.to_ascii_lowercase();
    let order = [
        ("using gin", "GIN index"),
        ("primary key", "primary key"),
        ("add constraint", "constraint"),
        ("create unique index", "unique index"),
        ("create index", "index"),
        ("copy ", "copy"),
        ("analyze", "analyze"),
        ("create table", "create table"),
        ("truncate", "truncate"),
        ("commit", "commit"),
        ("begin", "begin"),
        ("pg_class", "catalog"),
        ("pg_catalog.", "catalog"),
    ];
    let foreign = lower.contains("foreign key");
    if lower.contains("create table") {
        return "create table";
    }
    if foreign { "foreign key" } else { order.iter().find(|(word, _)| lower.contains(word)).map_or("other", |(_, name)| name) }
}
