//! The few PostgreSQL messages that the proxies read and write themselves.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The request for TLS, as a client sends it first.
pub(super) const ASK_FOR_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// PostgreSQL's own limit for what a client says before it is authenticated.
const LONGEST_STARTUP: usize = 10_000;

/// What a client says first.
pub(super) enum Opening {
    Tls,
    Gss,
    Cancel,
    /// The connection's parameters: user, database, options, …
    Startup(HashMap<String, String>),
}

/// Reads one opening message.
pub(super) async fn read_opening(stream: &mut (impl AsyncRead + Unpin)) -> Result<Opening> {
    let length = stream.read_u32().await? as usize;
    if !(8..=LONGEST_STARTUP).contains(&length) {
        return Err(Error::new(ErrorKind::InvalidData, "not a PostgreSQL client"));
    }
    let code = stream.read_u32().await?;
    let mut body = vec![0; length - 8];
    stream.read_exact(&mut body).await?;
    Ok(match code {
        SSL_REQUEST => Opening::Tls,
        GSS_REQUEST => Opening::Gss,
        CANCEL_REQUEST => Opening::Cancel,
        _ => {
            let mut words = body.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
            let mut parameters = HashMap::new();
            while let (Some(name), Some(value)) = (words.next(), words.next()) {
                if !name.is_empty() {
                    parameters.insert(name, value);
                }
            }
            Opening::Startup(parameters)
        }
    })
}

/// Sends a fatal error and closes.
pub(super) async fn refuse(stream: &mut (impl AsyncWrite + Unpin), code: &str, message: &str) -> Result<()> {
    let mut fields = Vec::new();
    for (kind, text) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code), (b'M', message)] {
        fields.push(kind);
        fields.extend_from_slice(text.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    stream.write_u8(b'E').await?;
    stream.write_u32(u32::try_from(fields.len() + 4).unwrap_or(u32::MAX)).await?;
    stream.write_all(&fields).await?;
    stream.flush().await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::{ASK_FOR_TLS, Opening, read_opening};

    #[tokio::test]
    async fn the_request_for_tls_is_recognised() {
        assert!(matches!(read_opening(&mut &ASK_FOR_TLS[..]).await, Ok(Opening::Tls)));
    }

    #[tokio::test]
    async fn parameters_are_read_in_pairs() {
        let body = b"\0\x03\0\0user\0ada\0database\0shop\0\0";
        let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
        message.extend_from_slice(body);
        let Ok(Opening::Startup(parameters)) = read_opening(&mut &message[..]).await else { panic!("no startup message") };
        assert_eq!(parameters.len(), 2);
        assert_eq!(parameters["database"], "shop");
    }
}
