//! A replication connection: the only one on which a server makes a slot together with the snapshot that it begins at.
//!
//! The driver knows no `replication` parameter, so the first message of a connection is completed on its way out. All else, from TLS
//! with its channel binding to the errors, is the driver's own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::connect::{Endpoint, Running};
use crate::error::{Doing, Error, ErrorKind, Result};
use crate::ident::Ident;
use crate::lsn::Lsn;
use crate::replication::{drop_slot, waited_for};

/// A new slot with the snapshot that it begins at. The snapshot can be imported for as long as this value lives.
pub struct ExportedSlot {
    /// Changes from here on come through the slot; what was committed before is in the snapshot.
    pub consistent_point: Lsn,
    /// The snapshot's name, for `set transaction snapshot`.
    pub snapshot: String,
    /// Nothing else may be said on it: the next command would end the snapshot.
    _client: Client,
    _running: Running,
}

/// Creates a pgoutput slot and exports its snapshot. Waits for every transaction that runs now, at most until `deadline`.
///
/// # Errors
/// [`ErrorKind::Timeout`] names the transactions that it waited for, and no slot is left; a slot of that name.
pub async fn create_exported_slot(endpoint: &Endpoint, name: &str, deadline: Duration) -> Result<ExportedSlot> {
    let what = || format!("create the replication slot {name} with a snapshot");
    // This one says what is waited for, and ends the wait.
    let session = endpoint.connect().await?;
    let (client, running) = endpoint.open(Replicating(endpoint.connector())).await.doing(what)?;
    // The grammar of 15 and later has a word for the old form, but only in brackets.
    let export = if session.major() >= 15 { "(SNAPSHOT 'export')" } else { "EXPORT_SNAPSHOT" };
    let command = format!("CREATE_REPLICATION_SLOT {} LOGICAL pgoutput {export}", Ident::new(name));
    let Ok(answer) = tokio::time::timeout(deadline, client.simple_query(&command)).await else {
        let blockers = waited_for(&session, deadline).await.doing(what)?;
        drop_slot(&session, name).await?;
        return Err(blockers.doing(what()));
    };
    let answer = answer.doing(what)?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = |column: &str| row.and_then(|row| row.try_get(column).ok().flatten());
    let (Some(point), Some(snapshot)) = (text("consistent_point"), text("snapshot_name")) else {
        return Err(Error::new(ErrorKind::Other, what(), "the server named no snapshot"));
    };
    Ok(ExportedSlot { consistent_point: point.parse()?, snapshot: snapshot.to_owned(), _client: client, _running: running })
}

/// What the start-up message gets in addition.
const PARAMETER: &[u8] = b"replication\0database\0";

/// A connector whose connections are replication connections.
struct Replicating<T>(T);

impl<S, T: MakeTlsConnect<S, TlsConnect: TlsConnect<S, Future: Send + 'static>>> MakeTlsConnect<S> for Replicating<T> {
    type Stream = Completing<T::Stream>;
    type TlsConnect = Replicating<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Self::TlsConnect, Self::Error> {
        self.0.make_tls_connect(host).map(Replicating)
    }
}

impl<S, T: TlsConnect<S, Future: Send + 'static>> TlsConnect<S> for Replicating<T> {
    type Stream = Completing<T::Stream>;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<Self::Stream, Self::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        self.0.connect(stream).map_ok(|stream| Completing { stream, start_up: StartUp::Awaited }).boxed()
    }
}

/// A stream that completes the first message.
struct Completing<S> {
    stream: S,
    start_up: StartUp,
}

/// Where the first message is.
enum StartUp {
    /// It has not been written yet.
    Awaited,
    /// So much of the completed message is written; the driver's own was so long.
    Going { message: Vec<u8>, written: usize, length: usize },
    /// It is out; the rest passes as it is.
    Gone,
}

/// The start-up message with our parameter: its length, the protocol's version, and pairs of which the last is followed by a zero.
fn completed(message: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = message.split_first_chunk::<4>()?;
    let [pairs @ .., 0] = rest else { return None };
    if u32::from_be_bytes(*length) as usize != message.len() || !pairs.starts_with(&[0, 3]) {
        return None;
    }
    let length = u32::try_from(message.len() + PARAMETER.len()).ok()?;
    Some([&length.to_be_bytes()[..], pairs, PARAMETER, &[0]].concat())
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Completing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        loop {
            match &mut this.start_up {
                StartUp::Gone => return Pin::new(&mut this.stream).poll_write(cx, bytes),
                StartUp::Awaited => {
                    let message = completed(bytes).ok_or_else(|| io::Error::other("the first message is no start-up message"))?;
                    this.start_up = StartUp::Going { message, written: 0, length: bytes.len() };
                }
                StartUp::Going { message, written, length } if *written == message.len() => {
                    let length = *length;
                    this.start_up = StartUp::Gone;
                    return Poll::Ready(Ok(length));
                }
                StartUp::Going { message, written, .. } => match ready!(Pin::new(&mut this.stream).poll_write(cx, &message[*written..]))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    n => *written += n,
                },
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Completing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: TlsStream + Unpin> TlsStream for Completing<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_start_up_message_is_completed() {
        let message = b"\0\0\0\x11\0\x03\0\0user\0ab\0\0";
        let expected = b"\0\0\0\x26\0\x03\0\0user\0ab\0replication\0database\0\0";
        assert_eq!(completed(message).unwrap(), expected);
        assert_eq!(expected.len(), 0x26);
        assert!(completed(&message[..16]).is_none(), "cut off");
        assert!(completed(b"\0\0\0\x08\x04\xd2\x16\x2f").is_none(), "another request");
    }
}
