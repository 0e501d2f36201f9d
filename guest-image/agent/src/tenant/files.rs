//! A file that appears in the tenant's root whole or not at all.

use super::users::User;
use super::Tenant;
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, Result, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY};
use std::ffi::{CStr, CString};
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::io::OwnedFd;
use std::rc::Rc;

/// A file being written beside its place. Dropped before `commit`, it leaves nothing, not even the parents it made.
pub struct NewFile {
    root: Rc<Tenant>,
    directory: OwnedFd,
    temporary: CString,
    name: CString,
    path: String,
    file: File,
    mode: u32,
    size_bytes: u64,
    parents_made: Vec<String>,
    committed: bool,
}

impl NewFile {
    /// `label` makes the temporary name unlike any other's.
    pub fn create(tenant: &Rc<Tenant>, path: &str, mode: u32, user: &User, label: u32) -> std::result::Result<NewFile, Failed> {
        let failed = |error: Errno| Failed::because(error, "path", format!("cannot write '{}'", path));
        let (parent, name) = match path.strip_prefix('/').map(|_| path.rsplit_once('/').unwrap_or(("", path))) {
            Some((_, "")) => return Err(failed(errno::EISDIR)),
            Some((_, "." | "..")) | None => return Err(failed(errno::EINVAL)),
            Some(split) => split,
        };
        let mut parents = Parents { tenant, user, made: Vec::new() };
        let opened = parents.open(parent).and_then(|directory| {
            let temporary = sys::c_string(format!(".warmcell-{}-{}", label, std::process::id()))?;
            let name = sys::c_string(name)?;
            // A directory in the way is told now, not after the last byte has come.
            if sys::open_in_root(&directory, &name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0).is_ok() {
                return Err(errno::EISDIR);
            }
            let _ = sys::unlink(&directory, &temporary);
            let file = File::from(sys::open_in_root(&directory, &temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)?);
            Ok((directory, temporary, name, file))
        });
        let parents_made = parents.made;
        let (directory, temporary, name, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                remove_parents(tenant, &parents_made);
                return Err(failed(error));
            }
        };
        let (root, path) = (Rc::clone(tenant), path.to_string());
        let new = NewFile { root, directory, temporary, name, path, file, mode, size_bytes: 0, parents_made, committed: false };
        own(tenant, &new.file, user).map_err(|error| new.failed(error, "owner"))?;
        Ok(new)
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Failed> {
        self.file.write_all(bytes).map_err(|error| self.failed(error.into(), "write"))?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts the file into its place. Returns its size. The mode comes last: being given away and being written to both take
    /// the set-user-id bit from a file.
    pub fn commit(mut self) -> std::result::Result<u64, Failed> {
        self.file.set_permissions(Permissions::from_mode(self.mode & 0o7777)).map_err(|error| self.failed(error.into(), "owner"))?;
        sys::rename(&self.directory, &self.temporary, &self.name).map_err(|error| self.failed(error, "rename"))?;
        self.committed = true;
        Ok(self.size_bytes)
    }

    fn failed(&self, error: Errno, step: &'static str) -> Failed {
        Failed::because(error, step, format!("cannot write '{}'", self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = sys::unlink(&self.directory, &self.temporary);
            remove_parents(&self.root, &self.parents_made);
        }
    }
}

/// The way down to a file, made where it is missing.
struct Parents<'a> {
    tenant: &'a Tenant,
    user: &'a User,
    made: Vec<String>,
}

impl Parents<'_> {
    fn open(&mut self, path: &str) -> Result<OwnedFd> {
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
        sys::make_directory(parent, &name, 0o755)?;
        self.made.push(reached.to_string());
        // By its name in the directory just used, so that nobody can have put a link in between.
        let made = sys::open_in_root(parent, &name, O_DIRECTORY | O_NOFOLLOW, 0)?;
        own(self.tenant, &made, self.user)?;
        Ok(made)
    }
}

/// "" is the root itself.
fn open_directory(tenant: &Tenant, path: &str) -> Result<OwnedFd> {
    sys::open_in_root(&tenant.root, &sys::c_string(format!("{}/", path))?, O_PATH | O_DIRECTORY, 0)
}

fn own(tenant: &Tenant, file: &impl std::os::unix::io::AsRawFd, user: &User) -> Result<()> {
    match tenant.enclosure {
        Some(_) => sys::change_owner(file, user.uid, user.gid),
        None => Ok(()),
    }
}

/// The deepest first; one that somebody has put something into stays.
fn remove_parents(tenant: &Tenant, made: &[String]) {
    let remove = |path: &str| -> Result<()> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let name: &CStr = &sys::c_string(name)?;
        sys::remove_directory(&open_directory(tenant, parent)?, name)
    };
    for path in made.iter().rev() {
        let _ = remove(path);
    }
}
