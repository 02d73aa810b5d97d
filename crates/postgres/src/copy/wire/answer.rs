//! What a server answers to one query.

use super::frames::{Inbox, misunderstood};
use crate::error::{Error, Result};
use tokio::io::AsyncRead;

/// What a server answered to one query, as far as it has.
#[derive(Default)]
pub(super) struct Answer {
    /// Rows of each COPY that is complete.
    pub(super) copied: Vec<u64>,
    /// A COPY has begun and is not complete.
    pub(super) copying: bool,
    /// Whether a transaction was committed.
    pub(super) committed: bool,
    /// The first value of the first row.
    pub(super) value: Option<String>,
    /// What the server refused, or how the connection was lost.
    pub(super) error: Option<Error>,
    /// The server is ready for the next query.
    pub(super) over: bool,
}

impl Answer {
    /// Takes one more message in.
    pub(super) fn hear(&mut self, tag: u8, body: &[u8]) -> Result<()> {
        match tag {
            b'G' | b'H' => self.copying = true,
            b'C' => self.complete(text(body)),
            b'D' if self.value.is_none() => self.value = first_value(body),
            b'E' => {
                self.error.get_or_insert(refusal(body));
            }
            b'N' => tracing::debug!("the server says: {}", refusal(body)),
            b'Z' => self.over = true,
            // The end of rows, columns' names, an empty query, settings, notifications.
            b'c' | b'D' | b'T' | b'I' | b'S' | b'A' => {}
            _ => return Err(misunderstood(&format!("a message {:?}", char::from(tag)))),
        }
        Ok(())
    }

    fn complete(&mut self, command: &str) {
        if let Some(rows) = command.strip_prefix("COPY ") {
            self.copying = false;
            self.copied.push(rows.parse().unwrap_or_default());
        }
        self.committed |= command == "COMMIT";
    }
}

/// Listens to the end of the answer, or of the connection.
pub(super) async fn listen(inbox: &mut Inbox, from: &mut (impl AsyncRead + Unpin)) -> Answer {
    let mut answer = Answer::default();
    while !answer.over {
        let heard = match inbox.message() {
            Ok(Some((tag, body))) => answer.hear(tag, &body),
            Ok(None) => inbox.fill(from).await,
            Err(error) => Err(error),
        };
        if let Err(error) = heard {
            // A server that ends says why before it closes the connection.
            answer.error.get_or_insert(error);
            break;
        }
    }
    answer
}

/// The text up to a zero byte.
fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or("?")
}

/// An error or a notice: fields of a letter and a text each.
fn refusal(body: &[u8]) -> Error {
    let field = |letter: u8| body.split(|byte| *byte == 0).find_map(|field| Some(text(field.strip_prefix(&[letter])?)));
    let or_unknown = |letter| field(letter).unwrap_or("?");
    Error::answered(or_unknown(b'C'), or_unknown(b'M'), field(b'D'), field(b'H'))
}

/// A row: how many values, then each with its length, which for null is -1.
fn first_value(body: &[u8]) -> Option<String> {
    let (length, rest) = body.get(2..)?.split_first_chunk::<4>()?;
    let value = rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_refusal_is_read_as_the_driver_reads_it() {
        let error = refusal(b"SERROR\0VERROR\0C42501\0Mpermission denied for table t\0DWhy\0HAsk\0\0");
        assert_eq!(error.kind(), ErrorKind::Permission);
        assert_eq!(error.to_string(), "permission denied for table t; Why; hint: Ask (SQLSTATE 42501)");
        assert_eq!(refusal(b"").to_string(), "? (SQLSTATE ?)");
    }

    #[test]
    fn an_answer_counts_the_rows_and_keeps_the_first_error() {
        let mut answer = Answer::default();
        let mut hear = |tag, body: &[u8]| answer.hear(tag, body).unwrap();
        hear(b'C', b"BEGIN\0");
        hear(b'G', b"\0\0\0");
        hear(b'C', b"COPY 12\0");
        hear(b'D', b"\0\x02\0\0\0\x01x\xff\xff\xff\xff");
        hear(b'C', b"INSERT 0 1\0");
        hear(b'G', b"\0\0\0");
        hear(b'E', b"C22000\0Mfirst\0\0");
        hear(b'E', b"C22000\0Msecond\0\0");
        hear(b'C', b"ROLLBACK\0");
        hear(b'Z', b"E");
        assert!(answer.copied == [12] && answer.copying && !answer.committed && answer.over);
        assert_eq!((answer.value.as_deref(), answer.error.as_ref().unwrap().message()), (Some("x"), "first"));
        assert!(answer.hear(b'R', b"").is_err());
        assert_eq!(first_value(b"\0\x01\xff\xff\xff\xff"), None);
        assert_eq!(first_value(b"\0\x01\0\0\0\x09x"), None);
    }
}
