//! One stream: how much each side may still send, what waits to be read, and which directions have ended.

use super::Violation;

/// The credit each direction of a stream starts with.
pub const WINDOW_BYTES: u32 = 256 * 1024;
/// At most this much in one data frame, so that streams share the pipe.
pub const DATA_BYTES_MAX: usize = 64 * 1024;
/// Credit is given back in lumps, so that a fast stream does not cost a window update per frame.
const GRANT_BYTES_MIN: u32 = WINDOW_BYTES / 2;
const CREDIT_MAX: u32 = i32::MAX as u32;

pub struct Stream {
    /// Bytes we may still send.
    pub credit: u32,
    /// Bytes the host may still send.
    allowance: u32,
    /// Bytes our reader has consumed that have not been granted again.
    consumed: u32,
    incoming: Vec<u8>,
    incoming_start: usize,
    /// The first frame back carries the ACK.
    pub acknowledged: bool,
    pub local_finished: bool,
    pub remote_finished: bool,
}

impl Stream {
    pub fn new() -> Stream {
        Stream {
            credit: WINDOW_BYTES,
            allowance: WINDOW_BYTES,
            consumed: 0,
            incoming: Vec::new(),
            incoming_start: 0,
            acknowledged: false,
            local_finished: false,
            remote_finished: false,
        }
    }

    pub fn raise_credit(&mut self, by: u32) -> Result<(), Violation> {
        self.credit = self.credit.checked_add(by).filter(|&credit| credit <= CREDIT_MAX).ok_or(Violation("a window above 2^31 - 1"))?;
        Ok(())
    }

    /// Decided from the header, before a byte is kept.
    pub fn expect(&mut self, length: u32) -> Result<(), Violation> {
        self.allowance = self.allowance.checked_sub(length).ok_or(Violation("data beyond the credit"))?;
        Ok(())
    }

    pub fn arrived(&mut self, bytes: &[u8]) {
        // Moved down only when more than half is spent, so that each byte is moved once at most.
        if self.incoming_start * 2 > self.incoming.len() {
            self.incoming.drain(..self.incoming_start);
            self.incoming_start = 0;
        }
        self.incoming.extend_from_slice(bytes);
    }

    pub fn incoming(&self) -> &[u8] {
        &self.incoming[self.incoming_start..]
    }

    pub fn incoming_mut(&mut self) -> &mut [u8] {
        &mut self.incoming[self.incoming_start..]
    }

    /// The reader is done with `count` bytes. Returns the credit to grant, where it is time to.
    pub fn consume(&mut self, count: usize) -> Option<u32> {
        self.incoming_start += count;
        if self.incoming_start == self.incoming.len() {
            // An idle stream keeps no buffer: there may be 256 of them.
            self.incoming = Vec::new();
            self.incoming_start = 0;
        }
        self.consumed += count as u32;
        if self.remote_finished || self.consumed < GRANT_BYTES_MIN {
            return None;
        }
        let grant = std::mem::take(&mut self.consumed);
        self.allowance += grant;
        Some(grant)
    }

    /// Both directions have ended, and nothing is left to read.
    pub fn is_over(&self) -> bool {
        self.local_finished && self.remote_finished && self.incoming().is_empty()
    }
}

impl Default for Stream {
    fn default() -> Self {
        Stream::new()
    }
}
