//! Neon's proxy: finds the compute by the name in the TLS greeting, and passes the encrypted bytes on.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::packet::{ASK_FOR_TLS, Opening, read_opening, refuse};
use super::{Link, wire};
use crate::tls::Authority;

/// As on the Azure side.
const PATIENCE: Duration = Duration::from_secs(60);

/// Knows the computes.
pub(crate) trait Computes: Send + Sync + 'static {
    /// Where the endpoint's compute listens, after waking it if it sleeps.
    fn wake<'a>(&'a self, endpoint: &'a str) -> BoxFuture<'a, Result<SocketAddrV4, NoCompute>>;
}

/// Why there is no compute behind an endpoint.
pub(crate) enum NoCompute {
    Unknown,
    Disabled,
    /// It could not be started.
    Broken,
}

/// The proxy.
#[derive(Clone)]
pub(crate) struct NeonDoor {
    pub(crate) computes: Arc<dyn Computes>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) link: Link,
    pub(crate) address: Ipv4Addr,
}

impl NeonDoor {
    /// Serves connections for as long as the listener lives.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let door = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = door.connection(stream).await {
                            tracing::debug!("a connection to Neon's proxy ended: {error}");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!("the address of Neon's proxy: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn connection(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        if !self.link.admit().await {
            return Ok(());
        }
        let Some(hello) = tokio::time::timeout(PATIENCE, greet(&mut client)).await?? else { return Ok(()) };
        let Some(name) = hello.server_name else {
            let advice = "Endpoint ID is not specified: the client sends no server name (SNI)";
            return self.turn_away(client, hello.bytes, "neon.tech", advice).await;
        };
        // ep-quiet-lake-12345678 or ep-quiet-lake-12345678-pooler
        let label = name.split('.').next().unwrap_or_default();
        match self.computes.wake(label.strip_suffix("-pooler").unwrap_or(label)).await {
            Ok(address) => {
                let mut server = wire::connect(self.address, address).await?;
                server.write_all(&ASK_FOR_TLS).await?;
                if server.read_u8().await? != b'S' {
                    return Err(std::io::Error::other("the compute speaks no TLS"));
                }
                server.write_all(&hello.bytes).await?;
                self.link.carry(client, server).await;
                Ok(())
            }
            Err(reason) => {
                let message = match reason {
                    NoCompute::Unknown => {
                        "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try again."
                    }
                    NoCompute::Disabled => "The endpoint has been disabled. Enable it using the API or the console and retry.",
                    NoCompute::Broken => "Couldn't connect to compute node",
                };
                self.turn_away(client, hello.bytes, &name, message).await
            }
        }
    }

    /// Completes TLS under the name that the client wants, since only then it listens.
    async fn turn_away(&self, client: TcpStream, seen: Vec<u8>, name: &str, message: &str) -> std::io::Result<()> {
        let tls = self.authority.issue(&[name], &[]).and_then(|certificate| certificate.server_config()).map_err(std::io::Error::other)?;
        let turned_away = async {
            let mut client = TlsAcceptor::from(tls).accept(wire::Replayed::new(seen, client)).await?;
            read_opening(&mut client).await?;
            refuse(&mut client, "XX000", message).await
        };
        tokio::time::timeout(PATIENCE, turned_away).await?
    }
}

/// Comes to the ClientHello; nothing if the client was sent away before.
async fn greet(client: &mut TcpStream) -> std::io::Result<Option<wire::Hello>> {
    loop {
        let mut first = [0];
        client.peek(&mut first).await?;
        // A client with sslnegotiation=direct starts with TLS itself.
        if first[0] == 0x16 {
            return wire::read_hello(client, Vec::new()).await.map(Some);
        }
        match read_opening(client).await? {
            Opening::Tls => {
                client.write_all(b"S").await?;
                return wire::read_hello(client, Vec::new()).await.map(Some);
            }
            Opening::Gss => client.write_all(b"N").await?,
            Opening::Cancel => return Ok(None),
            Opening::Startup(_) => {
                refuse(client, "XX000", "connection is insecure (try using `sslmode=require`)").await?;
                return Ok(None);
            }
        }
    }
}
