//! The way down to where something is to be, made where it is missing.

use super::place::{open, open_directory};
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, Result, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY};
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::ffi::CStr;
use std::os::unix::io::{AsRawFd, OwnedFd};

pub struct Parents<'a> {
    pub tenant: &'a Tenant,
    pub user: &'a User,
    /// In the order in which they were made.
    pub made: Vec<String>,
}

impl Parents<'_> {
    pub fn open(&mut self, path: &str) -> Result<OwnedFd> {
        match open_directory(self.tenant, path) {
            Err(errno::ENOENT) => {}
            other => return other,
        }
        let mut reached = String::new();
        let mut directory = open_directory(self.tenant, "")?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            reached.push('/');
            reached.push_str(name);
            directory = match open_directory(self.tenant, &reached) {
                Err(errno::ENOENT) => self.make(&directory, name, &reached)?,
                other => other?,
            };
        }
        Ok(directory)
    }

    fn make(&mut self, parent: &OwnedFd, name: &str, reached: &str) -> Result<OwnedFd> {
        let name = sys::c_string(name)?;
        match sys::make_directory(parent, &name, 0o755) {
            // Somebody was quicker, or it is a link that leads nowhere.
            Err(errno::EEXIST) => return open_directory(self.tenant, reached).map_err(|_| errno::EEXIST),
            made => made?,
        }
        self.made.push(reached.to_string());
        // By its name in the directory just used, so that nobody can have put a link in between.
        let made = sys::open_beneath(parent, &name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)?;
        own(self.tenant, &made, self.user)?;
        Ok(made)
    }

    /// The deepest first; one that somebody has put something into stays.
    pub fn remove(tenant: &Tenant, made: &[String]) {
        let remove = |path: &str| -> Result<()> {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let name: &CStr = &sys::c_string(name)?;
            sys::remove_directory(&open_directory(tenant, parent)?, name)
        };
        for path in made.iter().rev() {
            let _ = remove(path);
        }
    }
}

/// With its parents. One that is there is as good.
pub fn make_directory(tenant: &Tenant, path: &str, user: &User) -> std::result::Result<(), Failed> {
    let mut parents = Parents { tenant, user, made: Vec::new() };
    let error = match parents.open(path) {
        Ok(_) => return Ok(()),
        // Of the name itself: what is there is something else.
        Err(errno::ENOTDIR) if open(tenant, path.trim_end_matches('/'), O_PATH).is_ok() => errno::EEXIST,
        Err(error) => error,
    };
    Parents::remove(tenant, &parents.made);
    Err(cannot_make(error, path))
}

fn cannot_make(error: Errno, path: &str) -> Failed {
    Failed::because(error, "mkdir", format!("cannot make the directory '{}'", path))
}

pub fn own(tenant: &Tenant, file: &impl AsRawFd, user: &User) -> Result<()> {
    match tenant.enclosure {
        Some(_) => sys::change_owner(file, user.uid, user.gid),
        None => Ok(()),
    }
}

pub fn own_link(tenant: &Tenant, directory: &OwnedFd, name: &CStr, user: &User) -> Result<()> {
    match tenant.enclosure {
        Some(_) => sys::change_link_owner(directory, name, user.uid, user.gid),
        None => Ok(()),
    }
}
