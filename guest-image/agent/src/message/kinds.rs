//! What each message says, in types.

use super::{Encoder, Message};
use crate::errno::{self, Errno};
use crate::yamux::Violation;

/// The contract both sides speak.
pub const GENERATION: u64 = 3;

pub const HELLO: u8 = 0x01;
pub const START: u8 = 0x02;
pub const ATTACH: u8 = 0x03;
pub const SIGNAL: u8 = 0x04;
pub const TERMINATE: u8 = 0x05;
pub const WRITE_FILE: u8 = 0x06;
pub const QUIESCE: u8 = 0x07;
pub const SET_CLOCK: u8 = 0x08;
pub const RESIZE: u8 = 0x09;
pub const READ_FILE: u8 = 0x0a;
pub const STAT: u8 = 0x0b;
pub const LIST: u8 = 0x0c;
pub const MAKE_DIRECTORY: u8 = 0x0d;
pub const RENAME: u8 = 0x0e;
pub const REMOVE: u8 = 0x0f;
pub const WATCH: u8 = 0x10;
pub const READ_TREE: u8 = 0x11;
pub const WRITE_TREE: u8 = 0x12;
pub const NODE: u8 = 0x13;
pub const CONNECT: u8 = 0x14;
pub const AWAIT_PORT: u8 = 0x15;
pub const MEASURE: u8 = 0x16;
pub const LIMIT: u8 = 0x17;
pub const WELCOME: u8 = 0x81;
pub const STARTED: u8 = 0x82;
pub const EXITED: u8 = 0x83;
pub const SIGNALLED: u8 = 0x84;
pub const WRITTEN: u8 = 0x86;
pub const QUIESCED: u8 = 0x87;
pub const CLOCK_SET: u8 = 0x88;
pub const READING: u8 = 0x8a;
pub const DONE: u8 = 0x8b;
pub const CHANGED: u8 = 0x91;
pub const ENTRY: u8 = 0x93;
pub const MEASURED: u8 = 0x96;
pub const FAILED: u8 = 0xff;

/// The longest text a `Failed` carries.
const FAILED_MESSAGE_BYTES_MAX: usize = 4096;
const ENTROPY_BYTES: std::ops::RangeInclusive<usize> = 32..=256;

/// Who this microVM is, told once in a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Hello<'a> {
    pub entropy: &'a [u8],
    pub wall_clock_ns: u64,
    pub hostname: &'a str,
    pub machine_id: &'a str,
    /// 0 for what was booted, otherwise no other clone's.
    pub generation_id: u64,
    /// It will be cloned: what the kernel makes up only once must not be made up here.
    pub template: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Start<'a> {
    pub arguments: Vec<&'a str>,
    pub environment: Vec<&'a str>,
    /// Empty: the user's home.
    pub cwd: &'a str,
    pub user: &'a str,
    /// A pipe, or `/dev/null`.
    pub stdin: bool,
    /// A terminal in place of pipes.
    pub terminal: Option<TerminalSize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: u16,
    pub rows: u16,
}

/// A path, and the user from whose home it goes if it is relative and who owns what is made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub path: &'a str,
    pub user: &'a str,
}

#[derive(Debug, PartialEq, Eq)]
pub struct WriteFile<'a> {
    pub place: Place<'a>,
    /// Absent: as it is.
    pub mode: Option<u32>,
    pub append: bool,
}

/// What is said of something in a file system, whichever way it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    pub path: &'a str,
    pub kind: NodeKind,
    pub size_bytes: u64,
    pub mode: u32,
    /// Since 1970.
    pub modified_ns: u64,
    /// Of a symbolic link.
    pub target: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    File = 1,
    Directory = 2,
    Symlink = 3,
    /// Never from the host.
    Other = 4,
}

impl<'a> Facts<'a> {
    /// A `Node`, which the host sends in a tree.
    pub fn decode(message: &Message<'a>) -> Result<Facts<'a>, Violation> {
        if message.kind != NODE {
            return Err(Violation("something other than a node in a tree"));
        }
        let kind = match message.number(2)? {
            1 => NodeKind::File,
            2 => NodeKind::Directory,
            3 => NodeKind::Symlink,
            _ => return Err(Violation("a node that is no file, directory or symlink")),
        };
        Ok(Facts {
            path: message.text(1)?,
            kind,
            size_bytes: message.number(3)?,
            mode: file_mode(message.number(4)?)?,
            modified_ns: message.number(5)?,
            target: message.optional_text(6)?,
        })
    }

    /// An `Entry`, which the guest sends.
    pub fn encode(&self, owner: &str) -> Vec<u8> {
        let encoder = Encoder::new(ENTRY).text(1, self.path).number(2, self.kind as u64).number(3, self.size_bytes);
        let encoder = encoder.number(4, self.mode.into()).number(5, self.modified_ns);
        match self.target {
            Some(target) => encoder.text(6, target),
            None => encoder,
        }
        .text(7, owner)
        .finish()
    }
}

/// What a tenant may have of the machine. Absent: as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: Option<u64>,
    pub disk_bytes: Option<u64>,
    pub processes: Option<u64>,
    /// 100 is one processor.
    pub cpu_percent: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Stdio,
    Stderr,
}

/// The message that opens a stream and says what it is.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening<'a> {
    Hello(Hello<'a>),
    /// A `Hello` of another generation: what else it says may mean anything.
    OtherGeneration(u64),
    Start(Start<'a>),
    Attach {
        process: u64,
        channel: Channel,
    },
    WriteFile(WriteFile<'a>),
    Quiesce,
    SetClock {
        wall_clock_ns: u64,
    },
    ReadFile(Place<'a>),
    Stat(Place<'a>),
    List {
        place: Place<'a>,
        depth: u64,
    },
    MakeDirectory(Place<'a>),
    Rename {
        from: Place<'a>,
        to: &'a str,
    },
    Remove {
        place: Place<'a>,
        recursive: bool,
    },
    Watch {
        place: Place<'a>,
        recursive: bool,
    },
    ReadTree(Place<'a>),
    WriteTree(Place<'a>),
    Connect {
        port: u16,
    },
    AwaitPort {
        port: u16,
    },
    Measure,
    Limit(Limits),
    Unknown,
}

impl<'a> Opening<'a> {
    pub fn decode(message: &Message<'a>) -> Result<Opening<'a>, Violation> {
        Ok(match message.kind {
            HELLO if message.number(1)? != GENERATION => Opening::OtherGeneration(message.number(1)?),
            HELLO => Opening::Hello(Hello {
                entropy: require(message.bytes(2)?, |bytes| ENTROPY_BYTES.contains(&bytes.len()), "entropy that is not 32 to 256 bytes")?,
                wall_clock_ns: message.number(3)?,
                hostname: message.text(4)?,
                machine_id: require(message.text(5)?, is_machine_id, "a machine id that is not 32 hex digits")?,
                generation_id: message.number(6)?,
                template: flag(message, 7)?,
            }),
            START => Opening::Start(Start {
                arguments: message.texts(1)?,
                environment: require(message.texts(2)?, |entries| entries.iter().all(has_name), "a variable without a name or =")?,
                cwd: message.text(3)?,
                user: message.text(4)?,
                stdin: flag(message, 5)?,
                terminal: match (message.optional_number(6)?, message.optional_number(7)?) {
                    (Some(columns), Some(rows)) => Some(TerminalSize::checked(columns, rows)?),
                    (None, None) => None,
                    _ => return Err(Violation("columns without rows, or rows without columns")),
                },
            }),
            ATTACH => {
                let channel = match message.number(2)? {
                    1 => Channel::Stdio,
                    2 => Channel::Stderr,
                    _ => return Err(Violation("a channel that is neither 1 nor 2")),
                };
                Opening::Attach { process: message.number(1)?, channel }
            }
            WRITE_FILE => Opening::WriteFile(WriteFile {
                place: Place { path: require(message.text(1)?, |path| !path.is_empty(), "an empty path")?, user: message.text(3)? },
                mode: message.optional_number(2)?.map(file_mode).transpose()?,
                append: flag(message, 4)?,
            }),
            QUIESCE => Opening::Quiesce,
            SET_CLOCK => Opening::SetClock { wall_clock_ns: message.number(1)? },
            READ_FILE => Opening::ReadFile(place(message)?),
            STAT => Opening::Stat(place(message)?),
            LIST => {
                let depth = require(message.number(3)?, |&number| number > 0, "a list to no depth")?;
                Opening::List { place: place(message)?, depth }
            }
            MAKE_DIRECTORY => Opening::MakeDirectory(place(message)?),
            RENAME => Opening::Rename { from: Place { path: message.text(1)?, user: message.text(3)? }, to: message.text(2)? },
            REMOVE => Opening::Remove { place: place(message)?, recursive: flag(message, 3)? },
            WATCH => Opening::Watch { place: place(message)?, recursive: flag(message, 3)? },
            READ_TREE => Opening::ReadTree(place(message)?),
            WRITE_TREE => Opening::WriteTree(place(message)?),
            CONNECT => Opening::Connect { port: port(message)? },
            AWAIT_PORT => Opening::AwaitPort { port: port(message)? },
            MEASURE => Opening::Measure,
            LIMIT => {
                let cpu_percent = require(message.optional_number(4)?, |&percent| percent != Some(0), "no processor at all")?;
                Opening::Limit(Limits {
                    memory_bytes: message.optional_number(1)?,
                    disk_bytes: message.optional_number(2)?,
                    processes: message.optional_number(3)?,
                    cpu_percent,
                })
            }
            _ => Opening::Unknown,
        })
    }
}

impl TerminalSize {
    fn checked(columns: u64, rows: u64) -> Result<TerminalSize, Violation> {
        match (u16::try_from(columns), u16::try_from(rows)) {
            (Ok(columns), Ok(rows)) if columns > 0 && rows > 0 => Ok(TerminalSize { columns, rows }),
            _ => Err(Violation("a terminal of a size that is none")),
        }
    }
}

fn place<'a>(message: &Message<'a>) -> Result<Place<'a>, Violation> {
    Ok(Place { path: message.text(1)?, user: message.text(2)? })
}

fn port(message: &Message<'_>) -> Result<u16, Violation> {
    let number = require(message.number(1)?, |number| (1..=65_535).contains(number), "a port that is not 1 to 65,535")?;
    Ok(number as u16)
}

fn flag(message: &Message<'_>, tag: u8) -> Result<bool, Violation> {
    Ok(require(message.number(tag)?, |&number| number <= 1, "a flag that is neither 0 nor 1")? == 1)
}

fn file_mode(number: u64) -> Result<u32, Violation> {
    Ok(require(number, |&mode| mode <= 0o7777, "a mode of more than 12 bits")? as u32)
}

fn require<T>(value: T, holds: impl FnOnce(&T) -> bool, otherwise: &'static str) -> Result<T, Violation> {
    if holds(&value) {
        Ok(value)
    } else {
        Err(Violation(otherwise))
    }
}

fn is_machine_id(text: &&str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn has_name(entry: &&str) -> bool {
    entry.find('=').map_or(false, |at| at > 0)
}

/// What the host may ask of a process that runs.
#[derive(Debug, PartialEq, Eq)]
pub enum ProcessRequest {
    Signal { signal: i32 },
    Terminate { grace_ms: u64 },
    Resize(TerminalSize),
    Unknown,
}

impl ProcessRequest {
    pub fn decode(message: &Message<'_>) -> Result<ProcessRequest, Violation> {
        Ok(match message.kind {
            SIGNAL => {
                let signal = require(message.number(1)?, |number| (1..=64).contains(number), "a signal that is not 1 to 64")?;
                ProcessRequest::Signal { signal: signal as i32 }
            }
            TERMINATE => ProcessRequest::Terminate { grace_ms: message.number(1)? },
            RESIZE => ProcessRequest::Resize(TerminalSize::checked(message.number(1)?, message.number(2)?)?),
            _ => ProcessRequest::Unknown,
        })
    }
}

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

    #[test]
    fn a_start_keeps_the_order_of_its_arguments() {
        let bytes = Encoder::new(START)
            .text(1, "printf")
            .text(1, "%s")
            .text(1, "")
            .text(2, "A=1")
            .text(3, "")
            .text(4, "root")
            .number(5, 1)
            .finish();
        let message = Message::decode(&bytes[4..]).unwrap();
        let start =
            Start { arguments: vec!["printf", "%s", ""], environment: vec!["A=1"], cwd: "", user: "root", stdin: true, terminal: None };
        assert_eq!(Opening::decode(&message), Ok(Opening::Start(start)));
    }

    #[test]
    fn a_missing_field_is_a_violation_and_an_unknown_type_is_not() {
        let attach = Encoder::new(ATTACH).number(1, 5).finish();
        assert!(Opening::decode(&Message::decode(&attach[4..]).unwrap()).is_err());
        let other = Encoder::new(0x7f).finish();
        assert_eq!(Opening::decode(&Message::decode(&other[4..]).unwrap()), Ok(Opening::Unknown));
    }

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
