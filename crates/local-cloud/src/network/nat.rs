//! Neon's NAT gateways in front of the Azure server, one for each region in use.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::{AzureDoor, POSTGRES, Subnet};
use crate::error::{Doing, Error, Result};
use crate::tasks::Tasks;

/// The gateways; each is opened when its region gets its first compute.
pub(crate) struct Nat {
    subnet: Subnet,
    /// A door as every gateway gets it, but for its address.
    pattern: AzureDoor,
    tasks: Arc<Tasks>,
    open: Mutex<HashMap<String, Ipv4Addr>>,
}

impl Nat {
    pub(crate) fn new(subnet: Subnet, pattern: AzureDoor, tasks: Arc<Tasks>) -> Self {
        Self { subnet, pattern, tasks, open: Mutex::default() }
    }

    /// Where that region's computes have to turn to, to reach the Azure server.
    pub(crate) async fn gateway(&self, region: &str, addresses: &'static [Ipv4Addr]) -> Result<Ipv4Addr> {
        let mut open = self.open.lock().await;
        if let Some(address) = open.get(region) {
            return Ok(*address);
        }
        let address = self.subnet.nat(open.len()).ok_or_else(|| Error::new("there are no addresses left for NAT gateways"))?;
        let listener = TcpListener::bind((address, POSTGRES)).await.doing(|| format!("opening the NAT gateway {address}"))?;
        let door = AzureDoor { address, nat: Some((addresses, Arc::new(AtomicUsize::new(0)))), ..self.pattern.clone() };
        self.tasks.spawn(door.serve(listener));
        open.insert(region.to_owned(), address);
        Ok(address)
    }
}
