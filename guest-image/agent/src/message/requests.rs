//! What a host says, in types: decoded, and refused where it breaks the contract.

use super::numbers::*;
use super::Message;
use crate::yamux::Violation;

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

pub(super) fn file_mode(number: u64) -> Result<u32, Violation> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Encoder;

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
}
