//! Messages on a stream, made as fast as the host takes them.

use crate::agent::flow::{Flow, Progress};
use crate::agent::port::Port;
use crate::errno::Errno;
use crate::message::Failed;
use crate::reactor::Readiness;
use crate::sys;
use crate::yamux::{Session, DATA_BYTES_MAX};
use std::time::Instant;

/// Enough for a frame that is worth its header. Whatever is added to less than this, at most half a frame, goes into one frame with it.
const FULL_BYTES: usize = DATA_BYTES_MAX / 2;
/// Entries of directories and the like that are looked at in one turn.
pub const STEPS_PER_TURN: usize = 64;

/// What is made and not sent yet.
#[derive(Default)]
pub struct Outgoing(pub Vec<u8>);

impl Outgoing {
    pub fn push(&mut self, message: &[u8]) {
        self.0.extend_from_slice(message);
    }

    pub fn is_full(&self) -> bool {
        self.0.len() >= FULL_BYTES
    }

    /// What still goes into one frame.
    pub fn room(&self) -> usize {
        DATA_BYTES_MAX.saturating_sub(self.0.len())
    }
}

pub enum Produced {
    /// Nothing until it is told that something is ready, or until its deadline.
    Nothing,
    /// Perhaps something; and there may be more at once.
    Some,
    /// That was all.
    Last,
    Failed(Failed),
}

/// Where messages come from.
pub trait Source {
    fn note(&mut self, _readiness: Readiness) {}

    /// Adds a bounded piece, having taken a bounded time.
    fn produce(&mut self, outgoing: &mut Outgoing) -> Produced;

    /// When it wants its turn though nothing has happened.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// A source that goes step by step to its end, each of them small.
pub trait Steps {
    /// False when there is nothing more.
    fn step(&mut self, outgoing: &mut Outgoing) -> sys::Result<bool>;

    fn failed(&self, error: Errno) -> Failed;
}

impl<S: Steps> Source for S {
    fn produce(&mut self, outgoing: &mut Outgoing) -> Produced {
        for _ in 0..STEPS_PER_TURN {
            match self.step(outgoing) {
                Ok(true) if outgoing.is_full() => break,
                Ok(true) => {}
                Ok(false) => return Produced::Last,
                Err(error) => return Produced::Failed(self.failed(error)),
            }
        }
        Produced::Some
    }
}

/// Sends what a source says, and asks it for more only when there is credit for it. A failure is told if nothing else was, and
/// resets the stream otherwise.
pub struct Telling<S> {
    source: S,
    outgoing: Outgoing,
    begun: bool,
    last: bool,
    /// Nothing can be sent: the source's deadline does not count.
    stalled: bool,
}

impl<S: Source> Telling<S> {
    pub fn new(source: S) -> Telling<S> {
        Telling { source, outgoing: Outgoing::default(), begun: false, last: false, stalled: false }
    }

    fn send(&mut self, id: u32, session: &mut Session) {
        let bytes = &mut self.outgoing.0;
        let count = bytes.len().min(session.credit(id)).min(DATA_BYTES_MAX);
        session.send(id, &bytes[..count]);
        self.begun = true;
        bytes.drain(..count);
        if bytes.is_empty() {
            // A watch may be silent for hours.
            *bytes = Vec::new();
        }
    }
}

impl<S: Source> Flow for Telling<S> {
    fn note(&mut self, readiness: Readiness) {
        self.source.note(readiness);
    }

    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        if self.last && self.outgoing.0.is_empty() {
            session.finish(id);
            return Progress::Over;
        }
        self.stalled = session.credit(id) == 0 || session.out.is_full();
        if self.stalled {
            return Progress::Idle;
        }
        if self.outgoing.0.is_empty() {
            match self.source.produce(&mut self.outgoing) {
                Produced::Nothing if self.outgoing.0.is_empty() => return Progress::Idle,
                Produced::Nothing | Produced::Some => {}
                Produced::Last => self.last = true,
                Produced::Failed(_) if self.begun => {
                    session.reset(id);
                    return Progress::Over;
                }
                Produced::Failed(failed) => {
                    self.last = true;
                    self.outgoing.0 = failed.encode();
                }
            }
        }
        if !self.outgoing.0.is_empty() {
            self.send(id, session);
        }
        Progress::Moved
    }

    fn deadline(&self) -> Option<Instant> {
        self.source.deadline().filter(|_| !self.stalled)
    }
}
