//! The requests about files: from an opening message to its answer, or to the flow that gives it.

use super::streams::Role;
use super::Agent;
use crate::message::{unknown, Failed, Opening, READ_FILE};

impl Agent {
    pub(super) fn open_files(&mut self, _id: u32, _opening: &Opening<'_>) -> Result<Role, Failed> {
        Err(unknown(READ_FILE))
    }
}
