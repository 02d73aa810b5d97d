//! A long line: a process that forwards TCP and lets every byte take its time, at any rate. Its processor time is its own, and
//! counted apart. What it hides is TCP's slow start and losses on the real way, since each half of it is a short connection.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub const COMMAND: &str = "line";
const CHUNK: usize = 256 * 1024;
/// Chunks under way in one direction of a connection: more than 1 Gbit/s at 80 ms needs.
const IN_FLIGHT: usize = 1024;

/// What has gone over lines since they were laid.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    pub connections: u64,
    /// Times that the client spoke after the server had spoken, over all connections: round trips that were waited for.
    pub turns: u64,
    pub bytes: u64,
}

impl std::ops::Sub for Traffic {
    type Output = Traffic;

    fn sub(self, before: Traffic) -> Traffic {
        Traffic { connections: self.connections - before.connections, turns: self.turns - before.turns, bytes: self.bytes - before.bytes }
    }
}

impl std::ops::Add for Traffic {
    type Output = Traffic;

    fn add(self, other: Traffic) -> Traffic {
        Traffic { connections: self.connections + other.connections, turns: self.turns + other.turns, bytes: self.bytes + other.bytes }
    }
}

/// A line in front of a server.
pub struct Line {
    pub port: u16,
    child: Child,
    pipe: Mutex<BufReader<std::process::ChildStdout>>,
}

impl Line {
    pub fn lay(server_port: u16, rtt: Duration) -> Line {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([COMMAND, &server_port.to_string(), &(rtt.as_secs_f64() * 500.0).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        pipe.read_line(&mut port).unwrap();
        Line { port: port.trim().parse().unwrap(), child, pipe: Mutex::new(pipe) }
    }

    pub fn traffic(&self) -> Traffic {
        let mut pipe = self.pipe.lock().unwrap();
        self.child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        let mut answer = String::new();
        pipe.read_line(&mut answer).unwrap();
        let numbers: Vec<u64> = answer.split_whitespace().map(|word| word.parse().unwrap()).collect();
        Traffic { connections: numbers[0], turns: numbers[1], bytes: numbers[2] }
    }

    pub fn cpu_seconds(&self) -> f64 {
        crate::lab::cpu_seconds_of(self.child.id())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Counters {
    connections: AtomicU64,
    turns: AtomicU64,
    bytes: AtomicU64,
}

/// The process itself: prints its port, then for every line that it reads, what has gone through.
pub async fn serve(server_port: u16, one_way_millis: f64) {
    let one_way = Duration::from_secs_f64(one_way_millis / 1000.0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    let counters = Arc::new(Counters::default());
    let shown = Arc::clone(&counters);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lines() {
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            println!("{} {} {}", load(&shown.connections), load(&shown.turns), load(&shown.bytes));
        }
        std::process::exit(0);
    });
    let server = SocketAddr::from(([127, 0, 0, 1], server_port));
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let counters = Arc::clone(&counters);
        counters.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            // The kernel's own handshake would have taken a round trip, but here it is with this process.
            tokio::time::sleep(2 * one_way).await;
            let Ok(server) = TcpStream::connect(server).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let answered = AtomicBool::new(true);
            let there = carry(from_client, to_server, one_way, |bytes| {
                counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                if answered.swap(false, Ordering::Relaxed) {
                    counters.turns.fetch_add(1, Ordering::Relaxed);
                }
            });
            let back = carry(from_server, to_client, one_way, |bytes| {
                counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                answered.store(true, Ordering::Relaxed);
            });
            tokio::join!(there, back);
        });
    }
}

/// One direction: reading goes on while earlier chunks are still under way, since a delay must not narrow the line.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, one_way: Duration, count: impl Fn(usize)) {
    let (sender, mut receiver) = mpsc::channel(IN_FLIGHT);
    let reading = async move {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        while let Ok(1..) = from.read_buf(&mut buffer).await {
            let chunk = buffer.split().freeze();
            count(chunk.len());
            if sender.send((Instant::now() + one_way, chunk)).await.is_err() {
                return;
            }
            buffer.reserve(CHUNK);
        }
    };
    let writing = async {
        while let Some((due, chunk)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}
