//! The pipe a process reads its stdin from, and the channel that fills it.

use crate::errno;
use crate::reactor::Readiness;
use crate::sys;
use crate::yamux::Session;
use std::os::unix::io::OwnedFd;

/// What the pipe is enlarged to when it was full once: one window, so that what has arrived can move on.
const PIPE_BYTES: usize = 256 * 1024;

pub struct Input {
    /// `None` when nobody reads: the process has no stdin, has closed it, or was told its end.
    pipe: Option<OwnedFd>,
    channel: Option<u32>,
    writable: bool,
    enlarged: bool,
}

impl Input {
    pub fn new(pipe: Option<OwnedFd>) -> Input {
        Input { pipe, channel: None, writable: true, enlarged: false }
    }

    pub fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }

    pub fn note(&mut self, readiness: Readiness) {
        self.writable |= readiness.writable;
    }

    pub fn attach(&mut self, channel: u32) {
        self.channel = Some(channel);
    }

    /// The process reads an end of file, and what still comes is thrown away.
    pub fn close(&mut self) {
        self.pipe = None;
    }

    /// Writes what the pipe takes, and grants that much credit. True if something moved.
    pub fn transfer(&mut self, session: &mut Session) -> bool {
        let id = match self.channel {
            Some(id) => id,
            None => return false,
        };
        let waiting = session.incoming(id);
        let count = match &self.pipe {
            // Nobody reads: it is taken all the same, so that the host is not held up by it.
            None => waiting.len(),
            Some(_) if waiting.is_empty() || !self.writable => 0,
            Some(pipe) => match sys::write(pipe, waiting) {
                Ok(count) => {
                    self.writable = count == waiting.len();
                    count
                }
                Err(errno::EAGAIN) => {
                    self.writable = false;
                    0
                }
                Err(_) => {
                    self.pipe = None;
                    waiting.len()
                }
            },
        };
        session.consume(id, count);
        if let (Some(pipe), false, false) = (&self.pipe, self.writable, self.enlarged) {
            self.enlarged = true;
            self.writable = sys::set_pipe_size(pipe, PIPE_BYTES).is_ok();
        }
        if session.has_ended(id) {
            self.pipe = None;
            self.channel = None;
        }
        count > 0
    }
}
