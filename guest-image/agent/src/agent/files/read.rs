//! A file on its way to the host.

use crate::agent::flow::{Flow, Progress};
use crate::agent::port::Port;
use crate::message;
use crate::sys;
use crate::yamux::{Session, DATA_BYTES_MAX};
use std::fs::File;

/// Far more than the message before the bytes takes.
const MESSAGE_BYTES: usize = 64;

pub struct Reading {
    file: File,
    size_bytes: u64,
    begun: bool,
}

impl Reading {
    pub fn new(file: File, size_bytes: u64) -> Reading {
        Reading { file, size_bytes, begun: false }
    }
}

impl Flow for Reading {
    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        if session.credit(id) < MESSAGE_BYTES && !self.begun || session.credit(id) == 0 || session.out.is_full() {
            return Progress::Idle;
        }
        if !self.begun {
            self.begun = true;
            session.send(id, &message::reading(self.size_bytes));
            return Progress::Moved;
        }
        let file = &self.file;
        match session.send_from(id, DATA_BYTES_MAX, |buffer, limit| sys::read_onto(file, buffer, limit)) {
            // To its end, wherever that is by now: the kernel's own files say that their size is 0.
            Ok(0) => session.finish(id),
            Ok(_) => return Progress::Moved,
            Err(_) => session.reset(id),
        }
        Progress::Over
    }
}
