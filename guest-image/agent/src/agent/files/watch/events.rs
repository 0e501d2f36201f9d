//! What the kernel says of the directories it watches.

use crate::errno;
use crate::sys::{self, Result};
use crate::tenant::files::WatchedPlace;
use std::os::unix::io::OwnedFd;
use std::rc::Rc;

/// Some hundred events. The others wait with the kernel, which says so when it has dropped some.
const READ_BYTES: usize = 16 * 1024;
const HEADER_BYTES: usize = 16;

pub struct Event {
    /// The watched directory and a name in it; the name is empty where it is about the directory itself.
    pub place: WatchedPlace,
    pub mask: u32,
    /// The same one for both halves of a rename.
    pub cookie: u32,
}

impl Event {
    pub fn is(&self, any_of: u32) -> bool {
        self.mask & any_of != 0
    }
}

pub struct Events {
    bytes: Vec<u8>,
    taken: usize,
    pub readable: bool,
}

impl Events {
    pub fn new() -> Events {
        Events { bytes: Vec::new(), taken: 0, readable: true }
    }

    /// `None`: there is none now.
    pub fn next(&mut self, inotify: &OwnedFd) -> Result<Option<Event>> {
        if self.taken == self.bytes.len() {
            self.bytes = Vec::new();
            self.taken = 0;
            if !self.readable {
                return Ok(None);
            }
            match sys::read_onto(inotify, &mut self.bytes, READ_BYTES) {
                Ok(0) | Err(errno::EAGAIN) => {
                    self.readable = false;
                    self.bytes = Vec::new();
                    return Ok(None);
                }
                read => drop(read?),
            }
        }
        // struct inotify_event: watch, mask, cookie, length of the name, the name with NULs to its end.
        let event = &self.bytes[self.taken..];
        let word = |at: usize| event.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let end = HEADER_BYTES + word(12) as usize;
        let name = event.get(HEADER_BYTES..end).ok_or(errno::EIO)?;
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let event = Event { place: (word(0) as i32, Rc::from(name)), mask: word(4), cookie: word(8) };
        self.taken += end;
        Ok(Some(event))
    }
}
