//! Waiting, in one place: epoll, with names for what is watched.

use crate::sys::{self, Ready, Result, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a watched descriptor is. Processes go by the id of their control stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    Port,
    TenantInit,
    MemoryEvents,
    Exit(u32),
    Stdin(u32),
    Stdout(u32),
    Stderr(u32),
    Drain(u32),
    Flow(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    pub readable: bool,
    pub writable: bool,
    /// The other end is gone.
    pub closed: bool,
}

/// For who comes to what is to be watched only later.
#[derive(Clone)]
pub struct Watcher(Rc<OwnedFd>);

impl Watcher {
    /// Edge-triggered, and registered once for everything: whoever owns the descriptor remembers that it is ready until a call says
    /// otherwise. So a stream that waits for credit costs no call, and a port whose host has not come yet cannot spin.
    pub fn watch(&self, what: &impl AsRawFd, token: Token) -> Result<()> {
        let ready = Ready { events: EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token: encode(token) };
        sys::epoll_watch(&self.0, what, ready)
    }
}

pub struct Reactor {
    watcher: Watcher,
    ready: [Ready; 32],
}

impl Reactor {
    pub fn new() -> Result<Reactor> {
        Ok(Reactor { watcher: Watcher(Rc::new(sys::epoll()?)), ready: [Ready::default(); 32] })
    }

    pub fn watcher(&self) -> Watcher {
        self.watcher.clone()
    }

    pub fn watch(&self, what: &impl AsRawFd, token: Token) -> Result<()> {
        self.watcher.watch(what, token)
    }

    /// Watches a file that is always readable, and says when it reads otherwise than before.
    pub fn watch_changes(&self, what: &impl AsRawFd, token: Token) -> Result<()> {
        sys::epoll_watch(&self.watcher.0, what, Ready { events: EPOLLPRI | EPOLLET, token: encode(token) })
    }

    /// Sleeps until something is ready or the deadline is there. `None` sleeps as long as it takes: an idle guest does not tick.
    pub fn wait(&mut self, deadline: Option<Instant>) -> Result<impl Iterator<Item = (Token, Readiness)> + '_> {
        let timeout_ms = match deadline {
            None => -1,
            // Rounded up, so as not to wake just before and find nothing to do.
            Some(at) => {
                let left = at.saturating_duration_since(Instant::now()) + Duration::from_nanos(999_999);
                left.as_millis().min(i32::MAX as u128) as i32
            }
        };
        Ok(sys::epoll_wait(&self.watcher.0, &mut self.ready, timeout_ms)?.iter().map(|&ready| {
            let Ready { events, token } = ready;
            let closed = events & (EPOLLHUP | EPOLLERR) != 0;
            let readable = closed || events & (EPOLLIN | EPOLLRDHUP) != 0;
            (decode(token), Readiness { readable, writable: closed || events & EPOLLOUT != 0, closed })
        }))
    }
}

fn encode(token: Token) -> u64 {
    let (kind, id) = match token {
        Token::Port => (0, 0),
        Token::TenantInit => (1, 0),
        Token::MemoryEvents => (7, 0),
        Token::Exit(id) => (2, id),
        Token::Stdin(id) => (3, id),
        Token::Stdout(id) => (4, id),
        Token::Stderr(id) => (5, id),
        Token::Drain(id) => (6, id),
        Token::Flow(id) => (8, id),
    };
    kind << 32 | u64::from(id)
}

fn decode(token: u64) -> Token {
    let id = token as u32;
    match token >> 32 {
        0 => Token::Port,
        1 => Token::TenantInit,
        2 => Token::Exit(id),
        3 => Token::Stdin(id),
        4 => Token::Stdout(id),
        5 => Token::Stderr(id),
        7 => Token::MemoryEvents,
        8 => Token::Flow(id),
        _ => Token::Drain(id),
    }
}
