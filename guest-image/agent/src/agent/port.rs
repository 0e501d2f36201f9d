//! The agent's end of the pipe to the host.

use crate::errno;
use crate::reactor::Readiness;
use crate::sys;
use crate::yamux::Outbox;
use std::fs::File;

/// The port brings 4 KiB a read, so a turn takes up to 64 KiB: as much as a frame carries the other way.
pub const READS_PER_TURN: usize = 16;
const READ_BYTES: usize = 16 * 1024;

/// The host has closed its end.
pub struct Gone;

pub struct Port {
    file: File,
    readable: bool,
    writable: bool,
    /// Until the host has been seen there once, its absence means that it has yet to come.
    connected: bool,
    buffer: Vec<u8>,
}

impl Port {
    pub fn new(file: File) -> Port {
        Port { file, readable: true, writable: true, connected: false, buffer: Vec::new() }
    }

    pub fn note(&mut self, readiness: Readiness) -> Result<(), Gone> {
        if readiness.closed {
            return if self.connected { Err(Gone) } else { Ok(()) };
        }
        self.connected = true;
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        Ok(())
    }

    /// The next bytes from the host, if there are any now.
    pub fn read(&mut self) -> Result<Option<&mut [u8]>, Gone> {
        if !self.readable {
            return Ok(None);
        }
        self.buffer.clear();
        match sys::read_onto(&self.file, &mut self.buffer, READ_BYTES) {
            Ok(0) if self.connected => Err(Gone),
            Ok(0) | Err(errno::EAGAIN) => {
                self.readable = false;
                Ok(None)
            }
            Ok(_) => {
                self.connected = true;
                Ok(Some(&mut self.buffer))
            }
            Err(_) => Err(Gone),
        }
    }

    /// Writes as much as the host takes, each write as large as can be.
    pub fn flush(&mut self, out: &mut Outbox) -> Result<bool, Gone> {
        let mut moved = false;
        while self.writable && !out.pending().is_empty() {
            match sys::write(&self.file, out.pending()) {
                Ok(0) | Err(errno::EAGAIN) => self.writable = false,
                Ok(count) => {
                    out.sent(count);
                    moved = true;
                }
                Err(_) if self.connected => return Err(Gone),
                Err(_) => self.writable = false,
            }
        }
        Ok(moved)
    }

    /// Overwrites what was read last.
    pub fn wipe(&mut self) {
        sys::wipe_all(&mut self.buffer);
    }

    /// Room to read into what nobody wants.
    pub fn scratch(&mut self) -> &mut Vec<u8> {
        self.buffer.clear();
        &mut self.buffer
    }
}
