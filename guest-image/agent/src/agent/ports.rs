//! Connections to what listens in the guest, and waiting until something does.

use super::streams::Role;
use super::Agent;
use crate::message::{unknown, Failed, AWAIT_PORT, CONNECT};

impl Agent {
    pub(super) fn connect(&mut self, _id: u32, _port: u16) -> Result<Role, Failed> {
        Err(unknown(CONNECT))
    }

    pub(super) fn await_port(&mut self, _id: u32, _port: u16) -> Result<Role, Failed> {
        Err(unknown(AWAIT_PORT))
    }
}
