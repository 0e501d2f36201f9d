//! Many streams on one pipe: the yamux session as a state machine that does no input or output of its own.

mod frame;
mod outbox;
mod session;
mod stream;

pub use frame::{Header, Kind, ACK, FIN, HEADER_BYTES, RST, SYN};
pub use outbox::Outbox;
pub use session::{Event, Session, STREAMS_MAX};
pub use stream::{Stream, DATA_BYTES_MAX, WINDOW_BYTES};

/// The host broke the contract: the session is over. The text says which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub &'static str);
