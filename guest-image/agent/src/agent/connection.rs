//! One connection to something that listens in the guest, and the stream that is its other end.

use super::flow::{Flow, Progress};
use super::port::Port;
use crate::errno::{self, Errno};
use crate::message::{self, Failed};
use crate::reactor::{Readiness, Token, Watcher};
use crate::sys::{self, Loopback};
use crate::yamux::{Session, DATA_BYTES_MAX};
use std::net::{Shutdown, TcpStream};

/// The kernel would let these grow to megabytes, and they count as the agent's, which has few. As much as a window, doubled.
const BUFFER_BYTES: i32 = 128 * 1024;

enum Stage {
    /// Nobody has taken it yet.
    Connecting(Loopback),
    Open,
    /// Closed in order, or by the peer.
    Ended,
}

pub(super) struct Connection {
    id: u32,
    port: u16,
    watcher: Watcher,
    socket: TcpStream,
    stage: Stage,
    readable: bool,
    writable: bool,
    /// Both directions are closed, by a reset if not by us.
    closed: bool,
    /// The peer has ended its direction, and so has the stream.
    received_all: bool,
    /// The host has ended its direction, and so has the socket.
    sent_all: bool,
    /// The peer takes no more. What it had sent by then is still passed on.
    refused: bool,
}

impl Connection {
    pub(super) fn begin(id: u32, port: u16, watcher: Watcher) -> Result<Connection, Failed> {
        let (family, socket) = match open(Loopback::Four, id, port, &watcher) {
            Ok(socket) => (Loopback::Four, socket),
            Err(errno::ECONNREFUSED) => (Loopback::Six, open(Loopback::Six, id, port, &watcher).map_err(|error| failed(error, port))?),
            Err(error) => return Err(failed(error, port)),
        };
        Ok(Connection {
            id,
            port,
            watcher,
            socket,
            stage: Stage::Connecting(family),
            readable: false,
            writable: false,
            closed: false,
            received_all: false,
            sent_all: false,
            refused: false,
        })
    }

    /// Once the socket has said that it is decided.
    fn settle(&mut self, family: Loopback, session: &mut Session) -> Progress {
        let outcome = match self.socket.take_error() {
            Ok(None) if self.is_its_own_peer() => Err(errno::ECONNREFUSED),
            Ok(None) => Ok(()),
            Ok(Some(error)) | Err(error) => Err(Errno::from(error)),
        };
        let outcome = match outcome {
            Err(errno::ECONNREFUSED) if family == Loopback::Four => {
                self.readable = false;
                self.writable = false;
                self.closed = false;
                match open(Loopback::Six, self.id, self.port, &self.watcher) {
                    Ok(socket) => {
                        let _ = sys::reset_on_close(&self.socket);
                        self.socket = socket;
                        self.stage = Stage::Connecting(Loopback::Six);
                        return Progress::Idle;
                    }
                    Err(error) => Err(error),
                }
            }
            outcome => outcome,
        };
        match outcome {
            Ok(()) => {
                session.send(self.id, &message::done());
                self.stage = Stage::Open;
                Progress::Moved
            }
            Err(error) => {
                session.send(self.id, &failed(error, self.port).encode());
                session.finish(self.id);
                Progress::Over
            }
        }
    }

    /// Where nobody listens, the kernel may choose the very port that is asked for as the near end, and connect the socket to itself.
    fn is_its_own_peer(&self) -> bool {
        self.socket.local_addr().map_or(false, |address| address.port() == self.port)
    }

    /// Writes what the socket takes, and grants that much credit.
    fn send(&mut self, session: &mut Session) -> bool {
        let waiting = session.incoming(self.id);
        let piece = &waiting[..waiting.len().min(DATA_BYTES_MAX)];
        let mut count = 0;
        if self.refused {
            count = piece.len();
        } else if self.writable && !piece.is_empty() {
            match sys::write(&self.socket, piece) {
                Ok(written) => {
                    self.writable = written == piece.len();
                    count = written;
                }
                Err(errno::EAGAIN) => self.writable = false,
                Err(_) => self.refused = true,
            }
        }
        session.consume(self.id, count);
        if !self.sent_all && session.has_ended(self.id) {
            self.sent_all = true;
            // Fails when the peer has reset it, which reading tells too.
            let _ = self.socket.shutdown(Shutdown::Write);
            return true;
        }
        count > 0
    }

    /// Reads one frame. An error is the peer's reset.
    fn receive(&mut self, session: &mut Session) -> Result<bool, Errno> {
        if self.received_all || !self.readable || session.credit(self.id) == 0 || session.out.is_full() {
            return Ok(false);
        }
        let socket = &self.socket;
        match session.send_from(self.id, DATA_BYTES_MAX, |buffer, limit| sys::read_onto(socket, buffer, limit)) {
            // After a reset that a write was told of, this is how it reads.
            Ok(0) if self.refused => Err(errno::ECONNRESET),
            Ok(0) => {
                self.received_all = true;
                session.finish(self.id);
                Ok(true)
            }
            // Read until there is nothing: an end that came with these bytes is not announced again.
            Ok(_) => Ok(true),
            Err(errno::EAGAIN) => {
                self.readable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl Flow for Connection {
    fn note(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.writable |= readiness.writable;
        self.closed |= readiness.closed;
    }

    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        match self.stage {
            Stage::Connecting(_) if !self.writable => return Progress::Idle,
            Stage::Connecting(family) => return self.settle(family, session),
            Stage::Open => {}
            Stage::Ended => return Progress::Over,
        }
        let received = self.receive(session);
        let sent = self.send(session);
        // With its own direction ended before, a peer that takes no more has nothing left to say.
        let reset = received.is_err() || self.received_all && !self.sent_all && (self.refused || self.closed);
        if reset {
            session.reset(id);
        }
        if reset || self.received_all && self.sent_all {
            self.stage = Stage::Ended;
            return Progress::Over;
        }
        match sent || received == Ok(true) {
            true => Progress::Moved,
            false => Progress::Idle,
        }
    }
}

impl Drop for Connection {
    /// What the host has given up ends for the peer as well, and not as if all had been said.
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Ended) {
            let _ = sys::reset_on_close(&self.socket);
        }
    }
}

/// An address that this machine does not have is one that nobody listens on.
fn open(to: Loopback, id: u32, port: u16, watcher: &Watcher) -> Result<TcpStream, Errno> {
    let opened = sys::begin_to_connect(to, port, BUFFER_BYTES).map_err(|error| match (to, error) {
        (Loopback::Six, errno::EAFNOSUPPORT | errno::EADDRNOTAVAIL | errno::ENETUNREACH) => errno::ECONNREFUSED,
        _ => error,
    });
    let socket = TcpStream::from(opened?);
    socket.set_nodelay(true)?;
    watcher.watch(&socket, Token::Flow(id))?;
    Ok(socket)
}

fn failed(error: Errno, port: u16) -> Failed {
    match error {
        errno::ECONNREFUSED => Failed::new(error, "connect", format!("nothing listens on port {} in this sandbox", port)),
        _ => Failed::because(error, "connect", format!("cannot connect to port {}", port)),
    }
}
