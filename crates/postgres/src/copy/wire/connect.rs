//! A connection that the driver opens and we go on with.
//!
//! Addresses, keepalives, TLS, the password's proof with its channel binding, and every error of these are the driver's own. It is
//! lent the stream until the server is ready for a query, and told to read no byte beyond.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connect::Endpoint;
use crate::error::{Error, ErrorKind, Result};

/// So much of what comes in is taken from the kernel at once; TLS alone would ask for 4 KiB each time.
const READ: usize = 64 * 1024;

/// A connection through TLS.
pub(super) type Stream = <MakeRustlsConnect as MakeTlsConnect<BufReader<Socket>>>::Stream;

/// A connection on which the server waits for the first query. One try.
pub(super) async fn open(endpoint: &Endpoint) -> Result<Stream> {
    let lent = Lent::default();
    let driver = endpoint.dial(Lending { tls: endpoint.connector(), lent: lent.clone() }).await?;
    let stream = lent.get().take();
    // Nothing is said on the way out: the driver does so only when it is asked to run.
    drop(driver);
    stream.ok_or_else(|| Error::new(ErrorKind::Other, "", "the driver opened no connection"))
}

/// A connector that keeps hold of the stream that it makes.
struct Lending {
    tls: MakeRustlsConnect,
    lent: Lent,
}

/// The same for one connection.
struct LendingOne {
    tls: <MakeRustlsConnect as MakeTlsConnect<BufReader<Socket>>>::TlsConnect,
    lent: Lent,
}

/// The stream, as the driver sees it.
#[derive(Clone, Default)]
struct Lent(Arc<Mutex<Option<Stream>>>);

impl MakeTlsConnect<Socket> for Lending {
    type Stream = Lent;
    type TlsConnect = LendingOne;
    type Error = Infallible;

    fn make_tls_connect(&mut self, host: &str) -> std::result::Result<LendingOne, Infallible> {
        let tls = MakeTlsConnect::<BufReader<Socket>>::make_tls_connect(&mut self.tls, host)?;
        Ok(LendingOne { tls, lent: self.lent.clone() })
    }
}

impl TlsConnect<Socket> for LendingOne {
    type Stream = Lent;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Lent>>;

    fn connect(self, socket: Socket) -> Self::Future {
        let Self { tls, lent } = self;
        tls.connect(BufReader::with_capacity(READ, socket))
            .map_ok(|stream| {
                *lent.get() = Some(stream);
                lent
            })
            .boxed()
    }
}

impl Lent {
    fn get(&self) -> MutexGuard<'_, Option<Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, act: impl FnOnce(Pin<&mut Stream>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match self.get().as_mut() {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.with(|stream| {
            // Byte by byte: what it read too much would be lost when we take over.
            let mut one = [0];
            let mut byte = ReadBuf::new(&mut one);
            let read = stream.poll_read(cx, &mut byte);
            buffer.put_slice(byte.filled());
            read
        })
    }
}

impl AsyncWrite for Lent {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}

impl TlsStream for Lent {
    fn channel_binding(&self) -> ChannelBinding {
        self.get().as_ref().map_or_else(ChannelBinding::none, TlsStream::channel_binding)
    }
}
