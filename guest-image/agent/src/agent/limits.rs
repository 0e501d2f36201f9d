//! What the tenant uses, and what it may use.

use super::streams::Role;
use super::Agent;
use crate::message::{unknown, Failed, Limits, LIMIT, MEASURE};

impl Agent {
    pub(super) fn measure(&mut self, _id: u32) -> Result<Role, Failed> {
        Err(unknown(MEASURE))
    }

    pub(super) fn limit(&mut self, _id: u32, _limits: &Limits) -> Result<Role, Failed> {
        Err(unknown(LIMIT))
    }
}
