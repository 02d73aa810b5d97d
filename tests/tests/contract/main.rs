//! The simulators keep the contract that the fixtures write down: each fixture's request is sent to them, in the situation that its answer
//! tells of, and the answer must have the same status, error code and state, at least the same headers, and at least the same fields of the
//! same types. What a simulator could only be told to answer proves nothing: `cases` lists it, with the reason.

mod azure;
mod cases;
mod coverage;
mod neon;

use azure2neon_exchange::replay::{exchanges, wild};
use azure2neon_exchange::{Exchange, Request, Response};
use azure2neon_tests::root;
use cases::{Case, Situation};
use serde_json::Value;

#[test]
fn every_fixture_has_its_case() {
    let mut unknown = Vec::new();
    for cloud in ["azure", "neon"] {
        let all = fixtures(cloud);
        assert!(all.len() > 50, "{} fixtures of {cloud}", all.len());
        for (file, Exchange { request, response, .. }) in all.iter().filter(|(file, exchange)| cases::of(file, exchange).is_none()) {
            unknown.push(format!("{file}: {} {} with the outcome {:?}", request.method, request.path, outcome(response)));
        }
    }
    assert!(unknown.is_empty(), "cases.rs has no case for\n{}", unknown.join("\n"));
}

#[test]
fn the_fixtures_tell_of_every_call_and_of_all_that_goes_wrong() {
    let missing: Vec<String> = ["azure", "neon"].iter().flat_map(|cloud| coverage::missing(cloud, &fixtures(cloud))).collect();
    assert!(missing.is_empty(), "no fixture for:\n{}", missing.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_azure_answers_as_the_fixtures_say() {
    let stage = azure::Stage::start().await;
    let mut differences = Vec::new();
    for play in playable("azure") {
        let reply = stage.play(play.situation, &play.exchange.request).await;
        compare(&play, &reply, &mut differences);
    }
    stage.stop().await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_neon_answers_as_the_fixtures_say() {
    let stage = neon::Stage::start().await;
    let mut differences = Vec::new();
    for play in playable("neon") {
        let reply = stage.play(play.situation, &play.exchange.request).await;
        compare(&play, &reply, &mut differences);
    }
    stage.stop().await;
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// All exchanges of the cloud's scenarios, by their files.
fn fixtures(cloud: &str) -> Vec<(String, Exchange)> {
    let mut scenarios: Vec<String> = std::fs::read_dir(root().join("fixtures").join(cloud))
        .unwrap()
        .map(|entry| format!("{cloud}/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    scenarios.sort();
    let of = |scenario: &String| {
        let named = |(file, exchange): (std::path::PathBuf, Exchange)| {
            (format!("{scenario}/{}", file.file_name().unwrap().to_str().unwrap()), exchange)
        };
        exchanges(scenario).into_iter().map(named).collect::<Vec<_>>()
    };
    scenarios.iter().flat_map(of).collect()
}

/// A fixture that the simulator can come to by itself.
struct Play {
    file: String,
    exchange: Exchange,
    situation: Situation,
    /// What must come of it; a `*` stands for names.
    outcome: &'static str,
}

/// The cloud's fixtures that can be played, each once.
fn playable(cloud: &str) -> Vec<Play> {
    let mut all: Vec<Play> = Vec::new();
    for (file, exchange) in fixtures(cloud) {
        let known = all.iter().any(|play| play.exchange.request == exchange.request && play.exchange.response == exchange.response);
        if let Some((Case::Played(situation), outcome)) = cases::of(&file, &exchange)
            && !known
        {
            all.push(Play { file, exchange, situation, outcome });
        }
    }
    assert!(all.len() > 20, "{} exchanges of {cloud}", all.len());
    all
}

/// An answer in short: status, and the error's code, the message, or the state that it tells of.
fn outcome(response: &Response) -> String {
    if response.lost {
        return "lost".to_owned();
    }
    if response.text.is_some() {
        return format!("{} text", response.status);
    }
    let told = ["/error/code", "/error", "/message", "/operation/status", "/status", "/properties/state", "/auth_method"];
    let told = told.iter().find_map(|place| response.body.as_ref()?.pointer(place)?.as_str());
    told.map_or_else(|| response.status.to_string(), |told| format!("{} {told}", response.status))
}

/// Notes how the reply lacks what the fixture has.
fn compare(play: &Play, reply: &Response, differences: &mut Vec<String>) {
    let (file, fixture, found) = (&play.file, &play.exchange.response, outcome(reply));
    if !wild(play.outcome, &found) {
        differences.push(format!("{file}: {found:?} instead of {:?}: {:?}", play.outcome, reply.body));
        return;
    }
    for header in fixture.headers.keys().filter(|header| !reply.headers.contains_key(*header)) {
        differences.push(format!("{file}: no header {header}"));
    }
    if let Some(body) = &fixture.body {
        shape(&format!("{file}: body"), body, reply.body.as_ref().unwrap_or(&Value::Null), differences);
    }
}

fn shape(place: &str, expected: &Value, found: &Value, differences: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (field, expected) in expected {
                match found.get(field) {
                    Some(found) => shape(&format!("{place}.{field}"), expected, found, differences),
                    None => differences.push(format!("{place}.{field} is missing")),
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (index, expected) in expected.iter().enumerate() {
                // Which elements there are is a matter of the situation; each must be like one of those that came.
                let tries = found.iter().map(|found| {
                    let mut differences = Vec::new();
                    shape(&format!("{place}[{index}]"), expected, found, &mut differences);
                    differences
                });
                match tries.min_by_key(Vec::len) {
                    Some(fewest) => differences.extend(fewest),
                    None => differences.push(format!("{place} is empty")),
                }
            }
        }
        (expected, found) if std::mem::discriminant(expected) != std::mem::discriminant(found) => {
            differences.push(format!("{place} is {found}, not like {expected}"));
        }
        _ => {}
    }
}

/// A request as a stage sends it.
struct Message<'a> {
    request: &'a Request,
    url: String,
    token: Option<&'a str>,
    body: Option<String>,
}

/// Sends the request; what comes back has the form of a fixture's answer.
async fn send(http: &reqwest::Client, message: Message<'_>) -> Response {
    let method = reqwest::Method::from_bytes(message.request.method.as_bytes()).unwrap();
    let form = message.body.as_ref().is_some_and(|body| !body.starts_with('{'));
    let mut call = http.request(method, message.url);
    if let Some(token) = message.token {
        call = call.bearer_auth(token);
    }
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    // Azure wants a length, even of nothing.
    let answer = call.header("content-type", kind).body(message.body.unwrap_or_default()).send().await.unwrap();
    let status = answer.status().as_u16();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).ok();
    let text = (body.is_none() && !text.is_empty()).then_some(text);
    Response { lost: false, status, headers, body, text }
}

/// The text with each of these words replaced by the other.
fn renamed(text: &str, names: &[(&str, &str)]) -> String {
    names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Looks every few milliseconds, until it is so.
async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let since = std::time::Instant::now();
    while !is_so().await {
        assert!(since.elapsed().as_secs() < 60, "waited in vain: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
