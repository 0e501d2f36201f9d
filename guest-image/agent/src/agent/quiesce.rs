//! Being forgotten by one host and found by another: a template's agent ends its session, so that each clone begins one of its own.

use super::streams::Role;
use super::Agent;
use crate::errno;
use crate::message::{self, Failed};
use crate::sys;
use crate::yamux::Session;

impl Agent {
    /// The host has sent the last it will send. What runs goes on without anybody who hears of it.
    pub(super) fn quiesce(&mut self, id: u32) -> sys::Result<()> {
        let unfinished = |role: &Role| matches!(role, Role::Opening(_) | Role::File(_) | Role::Flow | Role::Quiesce);
        if self.roles.iter().any(|(&other, role)| other != id && self.session.is_alive(other) && unfinished(role)) {
            let why = "something else is under way: a file, a connection, or a stream just opened";
            self.answer(id, &Failed::new(errno::EBUSY, "quiesce", why).encode());
            return Ok(());
        }
        let running = self.processes.values().filter(|process| process.runs()).count();
        for (_, mut process) in std::mem::take(&mut self.processes) {
            // Even: what a host names is odd.
            self.last_orphan = self.last_orphan.wrapping_add(2);
            process.orphan(self.last_orphan);
            process.watch(&self.reactor)?;
            self.processes.insert(self.last_orphan, process);
        }
        self.quiesced = true;
        self.answer(id, &message::quiesced(running));
        Ok(())
    }

    /// Once the answer has left: nothing of the old session is kept, and the next byte is a new host's.
    pub(super) fn forget_if_quiesced(&mut self) {
        if self.quiesced && self.session.out.pending().is_empty() && self.session.is_between_frames() {
            self.session.wipe();
            self.port.wipe();
            self.session = Session::new();
            self.roles.clear();
            self.last_served = 0;
            self.greeted = false;
            self.quiesced = false;
        }
    }
}
