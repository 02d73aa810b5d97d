//! The wires between operator, Azure and Neon: TCP proxies on addresses of a random loopback network.

mod azure;
mod firewall;
mod link;
mod nat;
mod neon;
mod packet;
mod wire;

use std::net::Ipv4Addr;

use tokio::net::TcpListener;

pub(crate) use azure::AzureDoor;
pub(crate) use firewall::{Firewall, Rule};
pub use link::Link;
pub(crate) use nat::Nat;
pub(crate) use neon::{Computes, NeonDoor, NoCompute};

use crate::error::{Error, Result};

/// Ports of the HTTP APIs on the first address.
pub(crate) const ARM_HTTP: u16 = 8080;
pub(crate) const ARM_HTTPS: u16 = 8443;
pub(crate) const NEON_HTTP: u16 = 9080;
pub(crate) const NEON_HTTPS: u16 = 9443;
pub(crate) const CONTROL: u16 = 7070;
pub(crate) const VAULT_HTTP: u16 = 8180;

/// PostgreSQL's port, on every address that stands for a PostgreSQL server.
pub(crate) const POSTGRES: u16 = 5432;

/// A /24 in 127.0.0.0/8 that is ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subnet(u8, u8);

/// What is listened on from the start.
pub(crate) struct Listeners {
    pub(crate) arm_http: TcpListener,
    pub(crate) arm_https: TcpListener,
    pub(crate) neon_http: TcpListener,
    pub(crate) neon_https: TcpListener,
    pub(crate) control: TcpListener,
    pub(crate) vault_http: TcpListener,
    pub(crate) azure: TcpListener,
    pub(crate) neon_proxy: TcpListener,
    pub(crate) neon_from_azure: TcpListener,
}

impl Subnet {
    fn host(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, self.1, last)
    }

    /// Both HTTP APIs.
    pub(crate) fn api(self) -> Ipv4Addr {
        self.host(1)
    }

    /// The Azure server as the world sees it.
    pub(crate) fn azure(self) -> Ipv4Addr {
        self.host(2)
    }

    /// Neon's proxy.
    pub(crate) fn neon_proxy(self) -> Ipv4Addr {
        self.host(3)
    }

    /// Neon's proxy as the Azure server reaches it.
    pub(crate) fn neon_from_azure(self) -> Ipv4Addr {
        self.host(251)
    }

    /// The NAT gateway of the n-th Neon region in use.
    pub(crate) fn nat(self, region: usize) -> Option<Ipv4Addr> {
        // .4 to .19: there are fewer regions than that.
        u8::try_from(region).ok().filter(|region| *region < 16).map(|region| self.host(4 + region))
    }

    /// The Azure server itself, behind the firewall.
    pub(crate) fn source(self) -> Ipv4Addr {
        self.host(20)
    }

    /// The n-th Neon compute, behind the proxy.
    pub(crate) fn compute(self, number: usize) -> Option<Ipv4Addr> {
        u8::try_from(number).ok().filter(|number| *number < 230).map(|number| self.host(21 + number))
    }

    /// Takes a network that nobody on this machine uses: owning its ports is the proof.
    pub(crate) async fn take() -> Result<(Self, Listeners)> {
        let mut last = None;
        for _ in 0..50 {
            // Not 127.0 and 127.255: the first is everybody's, Debian's host name lives in 127.0.1.
            let subnet = Self(fastrand::u8(1..255), fastrand::u8(1..255));
            match subnet.listen().await {
                Ok(listeners) => return Ok((subnet, listeners)),
                Err(error) => last = Some(error),
            }
        }
        Err(Error::new(format!(
            "no loopback network 127.x.y.0/24 is free{}: a PostgreSQL that listens on 0.0.0.0:5432 takes them all, let it listen on 127.0.0.1",
            last.map(|error| format!(" ({error})")).unwrap_or_default()
        )))
    }

    async fn listen(self) -> std::io::Result<Listeners> {
        // The source's own address is tried too: its server comes later, and then it is too late to move.
        drop(TcpListener::bind((self.source(), POSTGRES)).await?);
        Ok(Listeners {
            azure: TcpListener::bind((self.azure(), POSTGRES)).await?,
            neon_proxy: TcpListener::bind((self.neon_proxy(), POSTGRES)).await?,
            neon_from_azure: TcpListener::bind((self.neon_from_azure(), POSTGRES)).await?,
            arm_http: TcpListener::bind((self.api(), ARM_HTTP)).await?,
            arm_https: TcpListener::bind((self.api(), ARM_HTTPS)).await?,
            neon_http: TcpListener::bind((self.api(), NEON_HTTP)).await?,
            neon_https: TcpListener::bind((self.api(), NEON_HTTPS)).await?,
            control: TcpListener::bind((self.api(), CONTROL)).await?,
            vault_http: TcpListener::bind((self.api(), VAULT_HTTP)).await?,
        })
    }
}
