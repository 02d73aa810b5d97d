//! A line that can be held, cut, slowed and narrowed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How many chunks may be under way on a line with delay: 16 MiB, the bandwidth-delay product of 1 Gbit/s at 130 ms.
const IN_FLIGHT: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    #[default]
    Open,
    Hold,
    Refuse,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    mode: Mode,
    delay: Duration,
    bytes_per_second: Option<u64>,
    cuts: u64,
}

/// The switches of one proxy; all its connections obey them at once.
#[derive(Debug, Clone, Default)]
pub struct Link {
    state: Arc<watch::Sender<State>>,
    /// When the line is free again, for each direction.
    free: Arc<[Mutex<Option<Instant>>; 2]>,
}

impl Link {
    /// Back to normal after `hold` or `refuse`.
    pub fn open(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// Nothing moves any more, in old and new connections, and nobody is told.
    pub fn hold(&self) {
        self.state.send_modify(|state| state.mode = Mode::Hold);
    }

    /// New connections are closed at once; old ones go on.
    pub fn refuse(&self) {
        self.state.send_modify(|state| state.mode = Mode::Refuse);
    }

    /// Closes all connections of this moment.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// How long a byte takes in each direction, for connections made from now on.
    pub fn set_delay(&self, one_way: Duration) {
        self.state.send_modify(|state| state.delay = one_way);
    }

    /// The width of the line in each direction, shared by its connections; `None` is unlimited.
    pub fn set_bandwidth(&self, bytes_per_second: Option<u64>) {
        self.state.send_modify(|state| state.bytes_per_second = bytes_per_second);
    }

    /// Lets a new connection in: at once, when the line is no longer held, or never.
    pub(super) async fn admit(&self) -> bool {
        self.while_held().await;
        self.state.borrow().mode != Mode::Refuse
    }

    async fn while_held(&self) {
        if self.state.borrow().mode == Mode::Hold {
            // The sender is ours, so this can't fail.
            let _ = self.state.subscribe().wait_for(|state| state.mode != Mode::Hold).await;
        }
    }

    /// When a chunk of that size has gone through the width of the line.
    fn reserve(&self, direction: usize, bytes: usize) -> Option<Instant> {
        let rate = self.state.borrow().bytes_per_second.filter(|rate| *rate > 0)?;
        let mut free = self.free[direction].lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let start = free.map_or(now, |free| free.max(now));
        let end = start + Duration::from_secs_f64(bytes as f64 / rate as f64);
        *free = Some(end);
        Some(end)
    }

    /// Carries bytes both ways until both sides have finished, one breaks, or the line is cut.
    pub(super) async fn carry<A, B>(&self, here: A, there: B)
    where
        A: AsyncRead + AsyncWrite,
        B: AsyncRead + AsyncWrite,
    {
        let (here_read, here_write) = split(here);
        let (there_read, there_write) = split(there);
        let mut state = self.state.subscribe();
        let cuts = state.borrow_and_update().cuts;
        let both =
            async { futures::future::try_join(self.one_way(0, here_read, there_write), self.one_way(1, there_read, here_write)).await };
        tokio::select! {
            _ = both => {}
            _ = state.wait_for(|state| state.cuts != cuts) => {}
        }
    }

    async fn one_way<R, W>(&self, direction: usize, mut from: R, mut to: W) -> std::io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let delay = self.state.borrow().delay;
        let mut buffer = vec![0; CHUNK];
        if delay.is_zero() {
            loop {
                let read = from.read(&mut buffer).await?;
                if read == 0 {
                    return to.shutdown().await;
                }
                if let Some(through) = self.reserve(direction, read) {
                    sleep_until(through).await;
                }
                self.while_held().await;
                to.write_all(&buffer[..read]).await?;
            }
        }
        // A delay must not narrow the line: reading goes on while earlier chunks are still under way.
        let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
        let reading = async move {
            loop {
                let read = from.read(&mut buffer).await?;
                if read == 0 {
                    return std::io::Result::Ok(());
                }
                let through = self.reserve(direction, read).unwrap_or_else(Instant::now);
                if sender.send((through + delay, Bytes::copy_from_slice(&buffer[..read]))).await.is_err() {
                    return Ok(());
                }
            }
        };
        let writing = async {
            while let Some((due, chunk)) = receiver.recv().await {
                sleep_until(due).await;
                self.while_held().await;
                to.write_all(&chunk).await?;
            }
            to.shutdown().await
        };
        futures::future::try_join(reading, writing).await.map(drop)
    }
}
