//! The requests about what the tenant uses and may use.

use super::streams::Role;
use super::Agent;
use crate::errno;
use crate::message::{self, Failed, Limits};
use crate::tenant::Enclosure;

impl Agent {
    pub(super) fn measure(&mut self, id: u32) -> Result<Role, Failed> {
        let measured = self.enclosure("measure")?.measure()?;
        self.answer(id, &measured.encode());
        Ok(Role::Deaf)
    }

    pub(super) fn limit(&mut self, id: u32, limits: &Limits) -> Result<Role, Failed> {
        self.enclosure("limit")?.limit(limits)?;
        self.answer(id, &message::done());
        Ok(Role::Deaf)
    }

    fn enclosure(&self, step: &'static str) -> Result<&Enclosure, Failed> {
        // Without one this is not a microVM but a test.
        self.tenant.enclosure.as_ref().ok_or_else(|| Failed::new(errno::EOPNOTSUPP, step, "what runs here has no limits"))
    }
}
