//! What the guest answers, as bytes.

use super::numbers::*;
use super::Encoder;
use crate::errno::{self, Errno};

/// The longest text a `Failed` carries.
const FAILED_MESSAGE_BYTES_MAX: usize = 4096;

#[derive(Debug, PartialEq, Eq)]
pub struct Exited {
    pub exit_code: u64,
    /// 0 for none.
    pub signal: u64,
    pub oom_killed: bool,
}

impl Exited {
    pub fn encode(&self) -> Vec<u8> {
        Encoder::new(EXITED).number(1, self.exit_code).number(2, self.signal).number(3, self.oom_killed.into()).finish()
    }
}

/// What a tenant has used of the machine, and may.
#[derive(Debug, PartialEq, Eq)]
pub struct Measured {
    pub cpu_us: u64,
    pub memory_bytes: u64,
    pub memory_max_bytes: u64,
    pub disk_bytes: u64,
    pub disk_max_bytes: u64,
    pub processes: u64,
    pub oom_kills: u64,
}

impl Measured {
    pub fn encode(&self) -> Vec<u8> {
        let encoder = Encoder::new(MEASURED).number(1, self.cpu_us).number(2, self.memory_bytes).number(3, self.memory_max_bytes);
        let encoder = encoder.number(4, self.disk_bytes).number(5, self.disk_max_bytes);
        encoder.number(6, self.processes).number(7, self.oom_kills).finish()
    }
}

/// A request that could not be met, and why, in words for the host's user.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed {
    pub errno: Errno,
    /// One word: what was being done.
    pub step: &'static str,
    pub message: String,
}

impl Failed {
    pub fn new(errno: Errno, step: &'static str, what: impl std::fmt::Display) -> Failed {
        Failed { errno, step, message: what.to_string() }
    }

    /// With the system's words for the error behind ours.
    pub fn because(errno: Errno, step: &'static str, what: impl std::fmt::Display) -> Failed {
        Failed { errno, step, message: format!("{}: {}", what, errno.describe()) }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut end = self.message.len().min(FAILED_MESSAGE_BYTES_MAX);
        while !self.message.is_char_boundary(end) {
            end -= 1;
        }
        Encoder::new(FAILED).text(1, &self.errno.name()).text(2, self.step).text(3, &self.message[..end]).finish()
    }
}

pub fn welcome(kernel_release: &str, boot_id: &str) -> Vec<u8> {
    let version = env!("CARGO_PKG_VERSION");
    Encoder::new(WELCOME).number(1, GENERATION).text(2, version).text(3, kernel_release).text(4, boot_id).finish()
}

pub fn started(pid: i32) -> Vec<u8> {
    Encoder::new(STARTED).number(1, pid as u64).finish()
}

pub fn signalled(delivered: bool) -> Vec<u8> {
    Encoder::new(SIGNALLED).number(1, delivered.into()).finish()
}

pub fn written(size_bytes: u64) -> Vec<u8> {
    Encoder::new(WRITTEN).number(1, size_bytes).finish()
}

pub fn quiesced(processes: usize) -> Vec<u8> {
    Encoder::new(QUIESCED).number(1, processes as u64).finish()
}

pub fn clock_set() -> Vec<u8> {
    Encoder::new(CLOCK_SET).finish()
}

pub fn reading(size_bytes: u64) -> Vec<u8> {
    Encoder::new(READING).number(1, size_bytes).finish()
}

pub fn done() -> Vec<u8> {
    Encoder::new(DONE).finish()
}

/// What happened to something that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Create = 1,
    Write = 2,
    Remove = 3,
    Rename = 4,
    /// More than could be told.
    Overflow = 5,
}

/// `from` is where it was before a rename.
pub fn changed(change: Change, path: &str, from: Option<&str>) -> Vec<u8> {
    let encoder = Encoder::new(CHANGED).number(1, change as u64).text(2, path);
    match from {
        Some(from) => encoder.text(3, from),
        None => encoder,
    }
    .finish()
}

/// A request the guest does not know: of a later generation, or in the wrong place.
pub fn unknown(kind: u8) -> Failed {
    Failed::new(errno::EOPNOTSUPP, "message", format!("a message of type {:#04x} means nothing here", kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn a_long_failure_is_cut_between_characters() {
        let failed = Failed::new(errno::ENOENT, "exec", "é".repeat(4000));
        let bytes = failed.encode();
        let message = Message::decode(&bytes[4..]).unwrap();
        assert_eq!(message.text(3).unwrap().len(), 4096);
        let failed = Failed::new(errno::ENOENT, "exec", format!("x{}", "é".repeat(4000)));
        assert_eq!(Message::decode(&failed.encode()[4..]).unwrap().text(3).unwrap().len(), 4095);
    }
}
