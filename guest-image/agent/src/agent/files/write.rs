//! A file on its way from the host: a new one in place of another, or more at the end of one.

use crate::message::Failed;
use crate::tenant::files::{Appended, NewFile};
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::rc::Rc;

pub enum FileWriting {
    New(NewFile),
    Appended(Appended),
}

impl FileWriting {
    pub fn begin(tenant: &Rc<Tenant>, path: &str, mode: Option<u32>, append: bool, user: &User, label: u32) -> Result<FileWriting, Failed> {
        match append {
            true => Appended::open(tenant, path, mode, user).map(FileWriting::Appended),
            false => NewFile::replace(tenant, path, mode, user, label).map(FileWriting::New),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        match self {
            FileWriting::New(file) => file.write(bytes),
            FileWriting::Appended(file) => file.write(bytes),
        }
    }

    /// Returns how many bytes were written.
    pub fn finish(self) -> Result<u64, Failed> {
        match self {
            FileWriting::New(file) => file.commit(),
            FileWriting::Appended(file) => Ok(file.size_bytes()),
        }
    }
}
