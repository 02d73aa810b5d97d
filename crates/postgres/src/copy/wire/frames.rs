//! Messages as they lie in the two buffers of a connection. A row's length means nothing to either of them.

use bytes::{Buf, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::{Error, ErrorKind, Result};

/// Rows are sent in messages of this size, in bytes: one a row costs the target several times the work, and larger ones save nothing.
const PIECE: usize = 64 * 1024;
/// What is read at once, in bytes.
const READ: usize = 64 * 1024;
/// A message other than rows is held whole; a server that announces a longer one is not understood.
const LONGEST: usize = 4 << 20;
/// A message's tag and length.
const HEADER: usize = 5;

/// What a server sent and nobody has looked at yet.
pub(super) struct Inbox {
    bytes: BytesMut,
    /// So much of a message of rows is still to come.
    left: usize,
}

/// Why no more rows were moved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// The next byte isn't there yet.
    Hungry,
    /// The outbox has no room.
    Full,
    /// Another message, by its tag.
    Message(u8, Vec<u8>),
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::with_capacity(READ), left: 0 }
    }

    /// Waits for more bytes. Nothing is lost if it is dropped.
    pub(super) async fn fill(&mut self, from: &mut (impl AsyncRead + Unpin)) -> Result<()> {
        if self.bytes.capacity() - self.bytes.len() < READ / 2 {
            self.bytes.reserve(READ);
        }
        match from.read_buf(&mut self.bytes).await? {
            0 => Err(Error::new(ErrorKind::Unreachable, "", "the server closed the connection")),
            _ => Ok(()),
        }
    }

    /// Moves rows into `outbox`, in pieces as they come. Returns their bytes, and why it ended.
    pub(super) fn walk(&mut self, outbox: &mut Outbox) -> Result<(usize, Walked)> {
        let (mut at, mut moved) = (0, 0);
        let other = loop {
            let rest = &self.bytes[at..];
            if self.left > 0 {
                let room = outbox.room();
                let part = self.left.min(rest.len()).min(room);
                outbox.rows(&rest[..part]);
                (at, moved, self.left) = (at + part, moved + part, self.left - part);
                if self.left > 0 {
                    break Some(if part == room { Walked::Full } else { Walked::Hungry });
                }
                continue;
            }
            match header(rest)? {
                None => break Some(Walked::Hungry),
                Some((b'd', length)) => (at, self.left) = (at + HEADER, length),
                Some(_) => break None,
            }
        };
        self.bytes.advance(at);
        let walked = match other {
            Some(walked) => walked,
            None => self.message()?.map_or(Walked::Hungry, |(tag, body)| Walked::Message(tag, body)),
        };
        Ok((moved, walked))
    }

    /// The next message, by its tag; none if it isn't there in full.
    pub(super) fn message(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        let Some((tag, length)) = header(&self.bytes)? else { return Ok(None) };
        if length > LONGEST {
            return Err(misunderstood(&format!("a message {:?} of {length} bytes", char::from(tag))));
        }
        let Some(body) = self.bytes.get(HEADER..HEADER + length) else { return Ok(None) };
        let body = body.to_vec();
        self.bytes.advance(HEADER + length);
        Ok(Some((tag, body)))
    }
}

/// The tag of the message that `bytes` begin with, and how many bytes follow it.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize)>> {
    let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]);
    match length.checked_sub(4) {
        Some(length) if length < 1 << 31 => Ok(Some((tag, length as usize))),
        _ => Err(misunderstood(&format!("a message {:?} of length {length}", char::from(tag)))),
    }
}

/// The server said what no server says here.
pub(super) fn misunderstood(what: &str) -> Error {
    Error::new(ErrorKind::Other, "", format!("the server sent {what}, which is not expected here"))
}

/// What a server is to be sent next: whole messages, of which the last one of rows may still grow.
pub(super) struct Outbox {
    bytes: BytesMut,
    /// Where the growing one begins.
    open: Option<usize>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::with_capacity(PIECE + 4 * HEADER), open: None }
    }

    fn room(&self) -> usize {
        PIECE.saturating_sub(self.bytes.len())
    }

    fn rows(&mut self, rows: &[u8]) {
        if self.open.is_none() && !rows.is_empty() {
            self.open = Some(self.bytes.len());
            self.bytes.extend_from_slice(&[b'd', 0, 0, 0, 0]);
        }
        self.bytes.extend_from_slice(rows);
    }

    fn close(&mut self) {
        if let Some(at) = self.open.take() {
            // It is not much longer than a piece.
            let length = u32::try_from(self.bytes.len() - at - 1).unwrap_or(u32::MAX);
            self.bytes[at + 1..at + HEADER].copy_from_slice(&length.to_be_bytes());
        }
    }

    /// One or several statements.
    pub(super) fn query(&mut self, sql: &str) -> Result<()> {
        self.close();
        Ok(frontend::query(sql, &mut self.bytes)?)
    }

    /// The end of a table's rows.
    pub(super) fn done(&mut self) {
        self.close();
        frontend::copy_done(&mut self.bytes);
    }

    /// The end of a COPY whose rows are not all there, instead of everything that has not been sent.
    pub(super) fn fail(&mut self, why: &str) -> Result<()> {
        self.clear();
        Ok(frontend::copy_fail(why, &mut self.bytes)?)
    }

    /// All of it, ready to be sent.
    pub(super) fn sealed(&mut self) -> &[u8] {
        self.close();
        &self.bytes
    }

    /// Nothing is left to be sent.
    pub(super) fn clear(&mut self) {
        self.open = None;
        if self.bytes.capacity() > 4 * PIECE {
            // A long query was in it.
            *self = Self::new();
        }
        self.bytes.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag][..], &u32::try_from(body.len() + 4).unwrap().to_be_bytes(), body].concat()
    }

    /// Everything that `sent` says, read in pieces of `size`: the frames that go on, and the other messages.
    fn carried(sent: &[u8], size: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        let (mut frames, mut tags) = (Vec::new(), Vec::new());
        let mut pieces = sent.chunks(size);
        loop {
            match inbox.walk(&mut outbox).unwrap().1 {
                Walked::Hungry => match pieces.next() {
                    Some(piece) => inbox.bytes.extend_from_slice(piece),
                    None => break,
                },
                Walked::Full => {
                    frames.push(outbox.sealed().to_vec());
                    outbox.clear();
                }
                Walked::Message(tag, body) => {
                    assert_eq!(body, b"body");
                    tags.push(tag);
                }
            }
        }
        frames.push(outbox.sealed().to_vec());
        (frames, tags)
    }

    #[test]
    fn rows_are_joined_and_split_whatever_the_reads_are() {
        let mut sent = framed(b'H', b"body");
        let mut rows = Vec::new();
        for n in 0..3_u8 {
            for length in [1, 0, 7, PIECE - 5, PIECE, 3 * PIECE + 1] {
                let row = vec![n * 16 + u8::try_from(length % 16).unwrap(); length];
                sent.extend(framed(b'd', &row));
                rows.extend(row);
            }
            sent.extend(framed(b'N', b"body"));
        }
        sent.extend(framed(b'c', b"body"));
        for size in [7, 64, 4096, PIECE + 1, sent.len()] {
            let (frames, tags) = carried(&sent, size);
            assert_eq!(tags, b"HNNNc", "{size}");
            let mut payload = Vec::new();
            for frame in &frames {
                let (tag, length) = header(frame).unwrap().unwrap();
                assert!(tag == b'd' && frame.len() == HEADER + length && frame.len() <= PIECE + HEADER, "{size}");
                payload.extend_from_slice(&frame[HEADER..]);
            }
            assert!(payload == rows, "{size}");
            assert!(frames.len() <= rows.len() / (PIECE - HEADER) + 1, "{} frames of {} bytes", frames.len(), rows.len());
        }
    }

    #[test]
    fn tables_follow_each_other_in_one_piece() {
        let mut outbox = Outbox::new();
        outbox.rows(b"one");
        outbox.done();
        outbox.done();
        outbox.rows(b"");
        outbox.rows(b"th");
        outbox.rows(b"ree");
        outbox.done();
        let expected = [framed(b'd', b"one"), framed(b'c', b""), framed(b'c', b""), framed(b'd', b"three"), framed(b'c', b"")].concat();
        assert_eq!(outbox.sealed(), expected);
        outbox.rows(b"unsent");
        outbox.fail("why").unwrap();
        assert_eq!(outbox.sealed(), framed(b'f', b"why\0"));
    }

    #[test]
    fn lengths_that_no_server_sends_are_refused() {
        for length in [0, 3, u32::MAX] {
            assert!(header(&[&b"d"[..], &length.to_be_bytes()].concat()).is_err(), "{length}");
        }
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        inbox.bytes.extend_from_slice(b"E\x7f\xff\xff\xff");
        assert!(inbox.walk(&mut outbox).unwrap_err().to_string().contains("'E'"));
        inbox = Inbox::new();
        inbox.bytes.extend_from_slice(b"d\x7f\xff\xff\xff");
        assert_eq!(inbox.walk(&mut outbox).unwrap(), (0, Walked::Hungry), "a row may be as long as it likes");
    }
}
