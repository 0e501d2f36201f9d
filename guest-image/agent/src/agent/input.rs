//! The pipe or the terminal a process reads its stdin from, and the channel that fills it.

use super::terminal::Retry;
use crate::errno;
use crate::reactor::Readiness;
use crate::sys;
use crate::yamux::Session;
use std::os::unix::io::OwnedFd;
use std::time::Instant;

/// What the pipe is enlarged to when it was full once: one window, so that what has arrived can move on.
const PIPE_BYTES: usize = 256 * 1024;

pub struct Input {
    /// `None` when nobody reads: the process has no stdin, has closed it, or was told its end.
    pipe: Option<OwnedFd>,
    channel: Option<u32>,
    writable: bool,
    enlarged: bool,
    /// Of a terminal.
    retry: Option<Retry>,
}

impl Input {
    pub fn new(pipe: Option<OwnedFd>) -> Input {
        Input { pipe, channel: None, writable: true, enlarged: false, retry: None }
    }

    /// Of another descriptor of the master, whose readiness is learned from the first.
    pub fn of_terminal(master: OwnedFd) -> Input {
        Input { pipe: Some(master), channel: None, writable: true, enlarged: true, retry: Some(Retry::new()) }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.retry.as_ref().and_then(Retry::at)
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

    /// The process reads an end of file (on a pipe; a terminal's is a character), and what still comes is thrown away.
    pub fn close(&mut self) {
        self.pipe = None;
        self.retry = None;
    }

    /// Writes what the pipe takes, and grants that much credit. True if something moved.
    pub fn transfer(&mut self, session: &mut Session) -> bool {
        let id = match self.channel {
            Some(id) => id,
            None => return false,
        };
        if self.retry.as_ref().map_or(false, Retry::is_due) {
            self.writable = true;
        }
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
                // Nobody has the terminal open: what is typed now is for nobody.
                Err(_) if self.retry.is_some() => waiting.len(),
                Err(_) => {
                    self.pipe = None;
                    waiting.len()
                }
            },
        };
        let left = waiting.len() - count;
        if let Some(retry) = &mut self.retry {
            match (left > 0, count > 0 || retry.is_due() || retry.at().is_none()) {
                (false, _) => retry.never(),
                (true, true) => retry.later(count > 0),
                (true, false) => {}
            }
        }
        session.consume(id, count);
        if let (Some(pipe), false, false) = (&self.pipe, self.writable, self.enlarged) {
            self.enlarged = true;
            self.writable = sys::set_pipe_size(pipe, PIPE_BYTES).is_ok();
        }
        if session.has_ended(id) {
            if self.retry.is_none() {
                self.pipe = None;
            }
            self.channel = None;
        }
        count > 0
    }
}
