//! One pipe a process prints to, or its terminal, from there to its channel.

use super::port::Port;
use super::terminal::{self, HELD_BYTES_MAX};
use crate::errno;
use crate::reactor::{Reactor, Readiness, Token};
use crate::sys;
use crate::yamux::{Session, DATA_BYTES_MAX};
use std::os::unix::io::OwnedFd;

/// What a pipe is enlarged to once a process has filled a whole frame: it can then print on while the agent sends.
const PIPE_BYTES: usize = 256 * 1024;
/// At a time, of what nobody reads.
const DISCARD_BYTES: usize = 16 * 1024;

/// Who gets what is printed.
enum Reader {
    /// The channel is yet to be attached: it waits in the pipe.
    Awaited,
    Channel(u32),
    /// Read and dropped: the channel has ended, or was reset.
    Nobody,
}

pub struct Output {
    /// `None` once every writer has closed it.
    pipe: Option<OwnedFd>,
    reader: Reader,
    readable: bool,
    hung_up: bool,
    /// Once the process has ended: how much of what is in the pipe was there by then.
    left: Option<usize>,
    enlarged: bool,
    is_terminal: bool,
}

impl Output {
    /// Watched from the first, it is told when there is something to read.
    pub fn new(pipe: OwnedFd) -> Output {
        Output {
            pipe: Some(pipe),
            reader: Reader::Awaited,
            readable: false,
            hung_up: false,
            left: None,
            enlarged: false,
            is_terminal: false,
        }
    }

    pub fn of_terminal(master: OwnedFd) -> Output {
        Output { enlarged: true, is_terminal: true, ..Output::new(master) }
    }

    /// The terminal's master, until it is hung up.
    pub fn terminal(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref().filter(|_| self.is_terminal)
    }

    pub fn watch(&self, reactor: &Reactor, token: Token) -> sys::Result<()> {
        self.pipe.as_ref().map_or(Ok(()), |pipe| reactor.watch(pipe, token))
    }

    pub fn note(&mut self, readiness: Readiness) {
        self.readable |= readiness.readable;
        self.hung_up |= readiness.closed;
    }

    /// False when there is a channel already.
    pub fn attach(&mut self, channel: u32) -> bool {
        let awaited = matches!(self.reader, Reader::Awaited);
        if awaited {
            self.reader = Reader::Channel(channel);
        }
        awaited
    }

    pub fn drop_reader(&mut self) {
        self.reader = Reader::Nobody;
    }

    pub fn drop_awaited_reader(&mut self) {
        if let Reader::Awaited = self.reader {
            self.reader = Reader::Nobody;
        }
    }

    /// The process has ended: what a child of it prints from now on is not its output.
    pub fn process_ended(&mut self) {
        if self.is_terminal {
            // How much it holds cannot be asked, and what is on its way has not been announced: both are found by reading.
            self.left = Some(HELD_BYTES_MAX);
            self.readable = true;
            return;
        }
        self.left = Some(self.pipe.as_ref().map_or(0, |pipe| sys::bytes_waiting(pipe).unwrap_or(0)));
    }

    /// Everything that somebody wants has been sent.
    pub fn is_handed_over(&self) -> bool {
        matches!(self.reader, Reader::Nobody)
    }

    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Somebody may print to it still, and shall not notice that nobody reads. From a terminal whose process has ended he shall.
    pub fn outlives_its_process(&self) -> bool {
        self.is_open() && !self.is_terminal
    }

    /// Moves at most one frame. True if there may be more to move.
    pub fn transfer(&mut self, session: &mut Session, port: &mut Port) -> bool {
        match self.reader {
            Reader::Awaited => false,
            Reader::Channel(id) => self.send(id, session),
            Reader::Nobody => self.discard(port.scratch()),
        }
    }

    fn send(&mut self, id: u32, session: &mut Session) -> bool {
        let pipe = match &self.pipe {
            Some(pipe) if self.left != Some(0) => pipe,
            _ => {
                session.finish(id);
                self.reader = Reader::Nobody;
                return true;
            }
        };
        if !self.readable || session.credit(id) == 0 || session.out.is_full() {
            return false;
        }
        let mut asked = 0;
        let result = session.send_from(id, self.left.unwrap_or(DATA_BYTES_MAX), |buffer, limit| {
            asked = limit;
            match self.is_terminal {
                true => terminal::read_onto(pipe, buffer, limit),
                false => sys::read_onto(pipe, buffer, limit),
            }
        });
        if let (Ok(count), Some(left)) = (result, &mut self.left) {
            *left -= count;
        }
        if result == Ok(DATA_BYTES_MAX) && !self.enlarged {
            self.enlarged = true;
            // Where the tenant has used up what it may have in pipes, it stays as it is.
            let _ = sys::set_pipe_size(pipe, PIPE_BYTES);
        }
        self.learn(result, asked);
        true
    }

    fn discard(&mut self, scratch: &mut Vec<u8>) -> bool {
        match &self.pipe {
            Some(pipe) if self.readable => {
                let result = match self.is_terminal {
                    true => terminal::read_onto(pipe, scratch, DISCARD_BYTES),
                    false => sys::read_onto(pipe, scratch, DISCARD_BYTES),
                };
                self.learn(result, DISCARD_BYTES);
                true
            }
            _ => false,
        }
    }

    /// What a read says about the next one.
    fn learn(&mut self, result: sys::Result<usize>, asked: usize) {
        match result {
            Ok(count) if self.is_terminal && count == asked => {}
            _ if self.is_terminal => {
                self.readable = false;
                self.left = self.left.map(|_| 0);
            }
            Ok(0) => self.pipe = None,
            // Less than asked for was all there was, and the next byte announces itself; except an end that was announced before.
            Ok(count) => self.readable = count == asked || self.hung_up,
            Err(errno::EAGAIN) => {
                self.readable = false;
                self.left = self.left.map(|_| 0);
            }
            Err(_) => self.pipe = None,
        }
    }
}
