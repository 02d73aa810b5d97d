//! The ways in to the Azure server: the operator's, and those of Neon's NAT gateways.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::packet::{Opening, read_opening, refuse};
use super::{Firewall, Link, wire};

/// A client that says nothing is dropped after this, as PostgreSQL does (authentication_timeout).
const PATIENCE: Duration = Duration::from_secs(60);

/// One way in; whoever comes through is judged by the firewall.
#[derive(Clone)]
pub(crate) struct AzureDoor {
    pub(crate) firewall: Arc<Firewall>,
    /// The server itself.
    pub(crate) server: SocketAddrV4,
    /// With the server's certificate: a refusal is told over TLS, as the server would.
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) link: Link,
    /// The address of this door, from which the server sees its sessions come.
    pub(crate) address: Ipv4Addr,
    /// The addresses of Neon's gateway, in turn; none for the operator, who comes from where the connection comes from.
    pub(crate) nat: Option<(&'static [Ipv4Addr], Arc<AtomicUsize>)>,
    /// Whether the server has no public network, so that no rule counts.
    pub(crate) private: bool,
}

impl AzureDoor {
    /// Serves connections for as long as the listener lives.
    pub(crate) async fn serve(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let door = self.clone();
                    tokio::spawn(async move {
                        if let Err(error) = door.connection(stream, peer.ip()).await {
                            tracing::debug!("a connection to the Azure server ended: {error}");
                        }
                    });
                }
                // Out of file descriptors, most likely; others will be closed meanwhile.
                Err(error) => {
                    tracing::warn!("the Azure server's address: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Whom the firewall sees, and whether it lets them in.
    fn judge(&self, peer: IpAddr) -> (IpAddr, bool) {
        let from = match &self.nat {
            Some((addresses, turn)) if !addresses.is_empty() => addresses[turn.fetch_add(1, Ordering::Relaxed) % addresses.len()].into(),
            _ => peer,
        };
        let allowed = match from {
            // The operator of a private server sits in its network; Neon never does.
            IpAddr::V4(_) if self.private => self.nat.is_none(),
            IpAddr::V4(from) => self.firewall.allows(from),
            IpAddr::V6(_) => false,
        };
        (from, allowed)
    }

    async fn connection(&self, client: TcpStream, peer: IpAddr) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        if !self.link.admit().await {
            return Ok(());
        }
        let (from, allowed) = self.judge(peer);
        if allowed {
            let server = wire::connect(self.address, self.server).await?;
            self.link.carry(client, server).await;
            return Ok(());
        }
        tokio::time::timeout(PATIENCE, self.turn_away(client, from)).await?
    }

    async fn turn_away(&self, mut client: TcpStream, from: IpAddr) -> std::io::Result<()> {
        loop {
            match read_opening(&mut client).await? {
                Opening::Tls => {
                    client.write_all(b"S").await?;
                    let mut client = TlsAcceptor::from(Arc::clone(&self.tls)).accept(client).await?;
                    if let Opening::Startup(parameters) = read_opening(&mut client).await? {
                        return tell(&mut client, from, &parameters, "SSL encryption").await;
                    }
                    return Ok(());
                }
                Opening::Gss => client.write_all(b"N").await?,
                Opening::Cancel => return Ok(()),
                Opening::Startup(parameters) => return tell(&mut client, from, &parameters, "no encryption").await,
            }
        }
    }
}

async fn tell(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    from: IpAddr,
    parameters: &std::collections::HashMap<String, String>,
    encryption: &str,
) -> std::io::Result<()> {
    let user = parameters.get("user").map_or("", String::as_str);
    let database = parameters.get("database").map_or(user, String::as_str);
    let message = format!("no pg_hba.conf entry for host \"{from}\", user \"{user}\", database \"{database}\", {encryption}");
    refuse(client, "28000", &message).await
}
