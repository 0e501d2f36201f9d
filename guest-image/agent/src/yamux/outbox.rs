//! The bytes on their way to the port, frames back to back so that one write carries many.

use super::frame::{Header, HEADER_BYTES};

/// Above this, no more of what processes print is read into the outbox. Twice what the port takes in one write (32 KiB), so that
/// there is always a full write waiting.
const FULL_BYTES: usize = 64 * 1024;
/// Above this, nothing is taken from the host either: it asks and asks, and does not read the answers. Far above the other, because
/// a host that is only slow to read must not find us slow to read too, each waiting for the other.
const CHOKED_BYTES: usize = 1024 * 1024;

#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    pub fn frame(&mut self, header: Header, body: &[u8]) {
        self.bytes.extend_from_slice(&header.encode());
        self.bytes.extend_from_slice(body);
    }

    /// A frame whose body `read` appends (and says how long it is): no copy between a pipe and the port.
    /// The header is written when the length is known; where `read` brings nothing, nothing is sent.
    pub fn frame_from<E>(&mut self, header: Header, read: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>) -> Result<usize, E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        let result = read(&mut self.bytes);
        match result {
            Ok(length) if length > 0 => {
                let header = Header { length: length as u32, ..header };
                self.bytes[start..start + HEADER_BYTES].copy_from_slice(&header.encode());
            }
            _ => self.bytes.truncate(start),
        }
        result
    }

    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent > FULL_BYTES {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    pub fn wipe(&mut self) {
        crate::sys::wipe_all(&mut self.bytes);
        self.sent = 0;
    }

    pub fn is_full(&self) -> bool {
        self.pending().len() >= FULL_BYTES
    }

    pub fn is_choked(&self) -> bool {
        self.pending().len() >= CHOKED_BYTES
    }
}
