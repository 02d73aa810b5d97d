//! A name server for programs that can't be told addresses otherwise. It knows one table, and nothing else exists.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// A running name server; it ends with the value.
pub(super) struct Nameserver {
    address: Ipv4Addr,
    task: JoinHandle<()>,
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Nameserver {
    /// Serves this table of host names, or `*.suffix`.
    pub(super) async fn start(table: BTreeMap<String, IpAddr>) -> std::io::Result<Self> {
        // The resolvers of today's PgBouncers know port 53 only; an address that nobody else has is ours.
        let mut tries = 0;
        let (socket, address) = loop {
            let address = Ipv4Addr::new(127, fastrand::u8(1..255), fastrand::u8(1..255), fastrand::u8(1..255));
            match UdpSocket::bind((address, 53)).await {
                Ok(socket) => break (socket, address),
                Err(error) if error.kind() != std::io::ErrorKind::AddrInUse || tries > 50 => return Err(error),
                Err(_) => tries += 1,
            }
        };
        let task = tokio::spawn(async move {
            let mut packet = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                if let Some(answer) = answer(&packet[..length], &table) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, task })
    }

    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }
}

/// The answer to a question (RFC 1035, section 4): the address for a known name and type A, else none.
fn answer(question: &[u8], table: &BTreeMap<String, IpAddr>) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = question.get(at..at + 4)?;
    let name = labels.join(".");
    let known = table.iter().find(|(pattern, _)| pattern.strip_prefix('*').map_or(**pattern == name, |suffix| name.ends_with(suffix)));
    let mut answer = question.get(..2)?.to_vec();
    let address = match known {
        Some((_, IpAddr::V4(address))) if kind == [0, 1, 0, 1] => Some(address.octets()),
        _ => None,
    };
    // A response, recursion available; "no such name" only for names that are not known at all.
    answer.extend([0x81, if known.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    answer.extend(&question[HEADER..at + 4]);
    if let Some(address) = address {
        // The name as above, type A, class IN, for one second, four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address);
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_of_known_names_only() {
        let table = BTreeMap::from([("*.neon.tech".to_owned(), IpAddr::from([127, 1, 2, 3]))]);
        let ask = |kind: u8, name: &str| {
            let mut question = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            for label in name.split('.') {
                question.push(label.len() as u8);
                question.extend(label.bytes());
            }
            question.extend([0, 0, kind, 0, 1]);
            answer(&question, &table).unwrap()
        };
        let told = ask(1, "Ep-x.neon.tech");
        assert_eq!((&told[..2], told[3] & 15, told[7], &told[told.len() - 4..]), (&[7, 9][..], 0, 1, &[127, 1, 2, 3][..]));
        let six = ask(28, "ep-x.neon.tech");
        assert_eq!((six[3] & 15, six[7]), (0, 0));
        assert_eq!(ask(1, "example.org")[3] & 15, 3);
    }
}
