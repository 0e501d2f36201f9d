//! What goes on on a stream of its own once it has been opened, other than a process: a file being read, a connection, a watch.

use super::port::Port;
use crate::reactor::Readiness;
use crate::yamux::{Session, Violation};
use std::time::Instant;

pub(super) enum Progress {
    /// Nothing can be moved until something becomes ready, credit comes, or the deadline is there.
    Idle,
    /// There may be more to move at once.
    Moved,
    /// It has given its last answer. What the host still sends on the stream is thrown away.
    Over,
    /// The host has said what the contract does not allow: the session ends.
    Broken(Violation),
}

/// Dropped when it is over or the host has reset its stream: whatever is not complete is undone then.
pub(super) trait Flow {
    /// The descriptor that it has had watched as `Token::Flow` of its stream has become ready.
    fn note(&mut self, _readiness: Readiness) {}

    /// Moves a bounded piece: a frame each way at most, so that streams share the pipe and the agent's time.
    fn transfer(&mut self, id: u32, session: &mut Session, port: &mut Port) -> Progress;

    /// When it wants its turn though nothing has happened.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}
