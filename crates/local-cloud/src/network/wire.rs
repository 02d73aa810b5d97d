//! Connections to servers behind the proxies, and streams that give back what was read ahead.

use std::io::{Result, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// Connects from that address, so that the server can tell by `client_addr` which way a session came in.
pub(super) async fn connect(from: Ipv4Addr, to: SocketAddrV4) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddrV4::new(from, 0).into())?;
    let stream = socket.connect(to.into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A stream whose first bytes were read already.
pub(super) struct Replayed<S> {
    seen: std::io::Cursor<Vec<u8>>,
    stream: S,
}

impl<S> Replayed<S> {
    pub(super) fn new(seen: Vec<u8>, stream: S) -> Self {
        Self { seen: std::io::Cursor::new(seen), stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let position = usize::try_from(self.seen.position()).unwrap_or(usize::MAX);
        let Some(rest) = self.seen.get_ref().get(position..).filter(|rest| !rest.is_empty()) else {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        };
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.seen.set_position((position + count) as u64);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What was learned from a TLS ClientHello.
pub(super) struct Hello {
    /// The name that the client asks for.
    pub(super) server_name: Option<String>,
    /// The bytes read so far, to be replayed.
    pub(super) bytes: Vec<u8>,
}

/// Reads just as much as is needed to know the ClientHello.
pub(super) async fn read_hello(stream: &mut (impl AsyncRead + Unpin), mut bytes: Vec<u8>) -> Result<Hello> {
    use tokio::io::AsyncReadExt;
    let invalid = || std::io::Error::new(std::io::ErrorKind::InvalidData, "not a TLS client");
    let mut acceptor = rustls::server::Acceptor::default();
    feed(&mut acceptor, &bytes)?;
    loop {
        if let Some(accepted) = acceptor.accept().map_err(|_| invalid())? {
            let server_name = accepted.client_hello().server_name().map(str::to_lowercase);
            return Ok(Hello { server_name, bytes });
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await?;
        if read == 0 || bytes.len() > 64 * 1024 {
            return Err(invalid());
        }
        feed(&mut acceptor, &chunk[..read])?;
        bytes.write_all(&chunk[..read])?;
    }
}

fn feed(acceptor: &mut rustls::server::Acceptor, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes)?;
    }
    Ok(())
}
