//! The words in which changes are told.

use crate::agent::files::outgoing::Outgoing;
use crate::message::{self, Change};

/// Two such paths, with every byte replaced by three, still fit into a message.
const PATH_BYTES_MAX: usize = 9 * 1024;

pub struct Changes {
    /// What was asked for, absolute.
    pub path: String,
    /// It was said that there is more than can be watched: that is said once.
    limited: bool,
}

impl Changes {
    pub fn new(path: String) -> Changes {
        Changes { path, limited: false }
    }

    /// Of something below the path, or, with an empty name, of what is at the path itself.
    pub fn tell(&self, change: Change, below: &[u8], outgoing: &mut Outgoing) {
        match below.len() {
            0..=PATH_BYTES_MAX => outgoing.push(&message::changed(change, &self.absolute(below), None)),
            _ => self.lost(outgoing),
        }
    }

    pub fn renamed(&self, from: &[u8], to: &[u8], outgoing: &mut Outgoing) {
        match from.len().max(to.len()) {
            0..=PATH_BYTES_MAX => outgoing.push(&message::changed(Change::Rename, &self.absolute(to), Some(&self.absolute(from)))),
            _ => self.lost(outgoing),
        }
    }

    /// Something happened that cannot be told.
    pub fn lost(&self, outgoing: &mut Outgoing) {
        outgoing.push(&message::changed(Change::Overflow, &self.path, None));
    }

    /// From now on, things happen that are not noticed.
    pub fn limit(&mut self, outgoing: &mut Outgoing) {
        if !std::mem::replace(&mut self.limited, true) {
            self.lost(outgoing);
        }
    }

    fn absolute(&self, below: &[u8]) -> String {
        match below.is_empty() {
            true => self.path.clone(),
            false => format!("{}/{}", self.path.trim_end_matches('/'), String::from_utf8_lossy(below)),
        }
    }
}
