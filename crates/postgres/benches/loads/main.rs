//! How long a whole load takes, from the schema to the last index and its statistics, each way on the same two servers in turn.
//! Run by scripts/bench; nothing here fails because something is slow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, missing_docs)]

mod arguments;
mod check;
mod floor;
mod lab;
mod line;
mod ours;
mod page;
mod profile;
mod report;
mod rivals;
#[path = "../../tests/support/mod.rs"]
mod support;
mod ways;

use std::path::Path;

use arguments::Arguments;
use lab::Lab;
use report::Measurement;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, server, one_way_millis] = words.as_slice()
        && first == line::COMMAND
    {
        return line::serve(server.parse().unwrap(), one_way_millis.parse().unwrap()).await;
    }
    let arguments = match Arguments::parse(&words) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}");
            std::process::exit(2);
        }
    };
    let (mut all, mut failed) = (Vec::new(), Vec::new());
    for shape in &arguments.shapes {
        let mut lab = Lab::open(shape, &arguments).await;
        println!("{}", lab.description);
        for rtt in &arguments.rtts {
            lab.move_apart(*rtt).await;
            let usable: Vec<_> = arguments.ways.iter().filter(|way| way.usable(*rtt)).collect();
            for round in 0..arguments.rounds {
                // Each is first, second … in turn, since the machine's speed drifts.
                for n in 0..usable.len() {
                    let way = usable[(n + round) % usable.len()];
                    match lab.measure(way).await {
                        Ok(took) => {
                            let measured = Measurement::new(&lab, *rtt, way, round + 1, took);
                            println!("{}", measured.line());
                            all.push(measured);
                        }
                        Err(why) => {
                            println!("{:<8} {:>3} ms  {:<20} FAILED: {why}", lab.shape, rtt.as_millis(), way.to_string());
                            failed.push(format!("{}, {} ms, {way}, round {}", lab.shape, rtt.as_millis(), round + 1));
                        }
                    }
                }
            }
        }
    }
    let tables = report::tables(&all);
    println!("\n{tables}");
    if let Some(file) = &arguments.write {
        // Cargo runs this in the package's folder; the user is in the workspace's.
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(file, page::page(&before, &tables, &failed, &lab::versions().await)).unwrap();
    }
}
