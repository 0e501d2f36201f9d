//! Removing a directory with all that is in it, a step at a time.

use super::place::{spot, Spot};
use super::walk::Walk;
use crate::errno;
use crate::sys::{self, Result, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFDIR};
use crate::tenant::Tenant;
use std::ffi::CStr;
use std::os::unix::io::OwnedFd;

/// How often a directory is gone through again that was not empty at the end: something is still being put into it.
const PASSES_MAX: usize = 32;

pub struct Removal {
    spot: Spot,
    walk: Walk,
    passes: usize,
}

impl Removal {
    /// `None`: it is done. Only a directory takes more steps than one.
    pub fn begin(tenant: &Tenant, path: &str, recursive: bool) -> Result<Option<Removal>> {
        let spot = spot(tenant, path)?;
        let is_directory = sys::about_at(&spot.directory, &spot.name)?.kind == S_IFDIR;
        match (is_directory, recursive) {
            (false, _) => sys::unlink(&spot.directory, &spot.name).map(|()| None),
            (true, false) => sys::remove_directory(&spot.directory, &spot.name).map(|()| None),
            (true, true) => {
                let walk = Walk::new(open(&spot)?);
                Ok(Some(Removal { spot, walk, passes: 0 }))
            }
        }
    }

    /// True when nothing is left.
    pub fn step(&mut self) -> Result<bool> {
        if let Some(found) = self.walk.next_entry()? {
            let is_directory = self.walk.is_directory(&found);
            self.take_away(&found.name, is_directory)?;
            return Ok(false);
        }
        let left = self.walk.leave();
        let (directory, name) = match (&left, self.walk.directory()) {
            (Some(name), Some(directory)) => (directory, &name[..]),
            _ => (&self.spot.directory, &self.spot.name[..]),
        };
        let removed = match sys::remove_directory(directory, name) {
            // Something else has taken its place.
            Err(errno::ENOTDIR) => sys::unlink(directory, name),
            removed => removed,
        };
        match removed {
            Ok(()) | Err(errno::ENOENT) => self.passes = 0,
            Err(errno::EISDIR) if left.is_some() => {}
            Err(errno::ENOTEMPTY | errno::EEXIST) if self.passes < PASSES_MAX => {
                self.passes += 1;
                match &left {
                    Some(name) => self.take_away(name, true)?,
                    None => self.walk = Walk::new(open(&self.spot)?),
                }
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(left.is_none())
    }

    fn take_away(&mut self, name: &CStr, is_directory: bool) -> Result<()> {
        let result = match self.walk.directory() {
            Some(directory) if !is_directory => sys::unlink(directory, name),
            _ => self.walk.enter(name),
        };
        match result {
            // Somebody else has, or has put something else there: the next pass finds it.
            Err(errno::ENOENT | errno::EISDIR | errno::ENOTDIR | errno::ELOOP) => Ok(()),
            other => other,
        }
    }
}

fn open(spot: &Spot) -> Result<OwnedFd> {
    sys::open_beneath(&spot.directory, &spot.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
}
