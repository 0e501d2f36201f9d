//! A file that appears in the tenant's root whole or not at all.

use super::parents::{own, Parents};
use super::place::{check_regular, split, spot_of_file, Spot};
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, About, Result, O_CREAT, O_EXCL, O_WRONLY, S_IFDIR};
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;

/// Of a file that the host gives none.
const MODE: u32 = 0o644;

/// A file being written beside its place. Dropped before `commit`, it leaves nothing, not even the parents it made.
pub struct NewFile {
    root: Rc<Tenant>,
    spot: Spot,
    temporary: CString,
    path: String,
    /// Closed before it is in its place: to who watches, that would be one more write.
    file: Option<File>,
    mode: u32,
    modified_ns: Option<u64>,
    size_bytes: u64,
    parents_made: Vec<String>,
    committed: bool,
}

impl NewFile {
    /// In place of whatever is at `path`, with missing parents. `label` makes the temporary name unlike any other's.
    pub fn create(tenant: &Rc<Tenant>, path: &str, mode: u32, user: &User, label: u32) -> std::result::Result<NewFile, Failed> {
        NewFile::below_parents(tenant, path, user, label, |parents| {
            let (parent, name) = split(path)?;
            let spot = Spot { directory: parents.open(parent)?, name: sys::c_string(name)? };
            let about = spot.about()?;
            Ok(Ok((spot, about, mode)))
        })
    }

    /// The same, of the file that `path` leads to, through links. Without a mode it gets that of the file that is there.
    pub fn replace(tenant: &Rc<Tenant>, path: &str, mode: Option<u32>, user: &User, label: u32) -> std::result::Result<NewFile, Failed> {
        NewFile::below_parents(tenant, path, user, label, |parents| {
            let (spot, about) = spot_of_file(path, |path| parents.open(path))?;
            if let Some(about) = &about {
                if let Err(failed) = check_regular(about, path) {
                    return Ok(Err(failed));
                }
            }
            let mode = mode.or_else(|| about.map(|about| about.mode)).unwrap_or(MODE);
            Ok(Ok((spot, about, mode)))
        })
    }

    /// In a directory that was found already.
    pub fn beside(tenant: &Rc<Tenant>, spot: Spot, path: &str, mode: u32, user: &User, label: u32) -> std::result::Result<NewFile, Failed> {
        let begun = spot.about().and_then(|about| NewFile::begin(tenant, spot, about, path, mode, label));
        begun.map_err(|error| cannot_write(error, "path", path))?.owned_by(user)
    }

    /// It will say that it was last modified then, whenever that is.
    pub fn modified_at(mut self, unix_ns: u64) -> NewFile {
        self.modified_ns = Some(unix_ns);
        self
    }

    fn below_parents(
        tenant: &Rc<Tenant>,
        path: &str,
        user: &User,
        label: u32,
        find: impl FnOnce(&mut Parents<'_>) -> Result<std::result::Result<(Spot, Option<About>, u32), Failed>>,
    ) -> std::result::Result<NewFile, Failed> {
        let mut parents = Parents { tenant, user, made: Vec::new() };
        let begun = find(&mut parents).map_err(|error| cannot_write(error, "path", path)).and_then(|found| found).and_then(
            |(spot, about, mode)| NewFile::begin(tenant, spot, about, path, mode, label).map_err(|error| cannot_write(error, "path", path)),
        );
        match begun {
            Ok(mut new) => {
                new.parents_made = parents.made;
                new.owned_by(user)
            }
            Err(failed) => {
                Parents::remove(tenant, &parents.made);
                Err(failed)
            }
        }
    }

    fn begin(tenant: &Rc<Tenant>, spot: Spot, about: Option<About>, path: &str, mode: u32, label: u32) -> Result<NewFile> {
        // A directory in the way is told now, not after the last byte has come.
        if about.map_or(false, |about| about.kind == S_IFDIR) {
            return Err(errno::EISDIR);
        }
        let temporary = temporary(label, about.is_some())?;
        let _ = sys::unlink(&spot.directory, &temporary);
        let file = File::from(sys::open_in_root(&spot.directory, &temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)?);
        let (root, path, file) = (Rc::clone(tenant), path.to_string(), Some(file));
        let (modified_ns, size_bytes, parents_made) = (None, 0, Vec::new());
        Ok(NewFile { root, spot, temporary, path, file, mode, modified_ns, size_bytes, parents_made, committed: false })
    }

    fn owned_by(self, user: &User) -> std::result::Result<NewFile, Failed> {
        let owned = self.file.as_ref().map_or(Ok(()), |file| own(&self.root, file, user));
        owned.map_err(|error| self.failed(error, "owner")).map(|()| self)
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::result::Result<(), Failed> {
        let written = self.file.as_ref().map_or(Ok(()), |mut file| file.write_all(bytes));
        written.map_err(|error| self.failed(error.into(), "write"))?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Puts the file into its place. Returns its size. The mode comes last: being given away and being written to both take
    /// the set-user-id bit from a file.
    pub fn commit(mut self) -> std::result::Result<u64, Failed> {
        if let Some(file) = self.file.take() {
            let dated = self.modified_ns.map_or(Ok(()), |modified_ns| sys::set_modified(&file, modified_ns));
            dated.map_err(|error| self.failed(error, "time"))?;
            file.set_permissions(Permissions::from_mode(self.mode & 0o7777)).map_err(|error| self.failed(error.into(), "owner"))?;
        }
        let Spot { directory, name } = &self.spot;
        sys::rename(directory, &self.temporary, directory, name).map_err(|error| self.failed(error, "rename"))?;
        self.committed = true;
        Ok(self.size_bytes)
    }

    fn failed(&self, error: Errno, step: &'static str) -> Failed {
        cannot_write(error, step, &self.path)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.committed {
            let _ = sys::unlink(&self.spot.directory, &self.temporary);
            Parents::remove(&self.root, &self.parents_made);
        }
    }
}

pub fn cannot_write(error: Errno, step: &'static str, path: &str) -> Failed {
    Failed::because(error, step, format!("cannot write '{}'", path))
}

const NEW: &str = ".warmcell-new-";
const OVER: &str = ".warmcell-over-";

/// What a temporary name says of what will be in its place, to whoever watches the directory. Until then it is not there: no list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Displaced {
    Nothing,
    Something,
}

impl Displaced {
    /// `None`: the name is none of the agent's.
    pub fn by(name: &[u8]) -> Option<Displaced> {
        match name {
            _ if name.starts_with(NEW.as_bytes()) => Some(Displaced::Nothing),
            _ if name.starts_with(OVER.as_bytes()) => Some(Displaced::Something),
            _ => None,
        }
    }
}

pub fn temporary(label: u32, over: bool) -> Result<CString> {
    sys::c_string(format!("{}{}-{}", if over { OVER } else { NEW }, label, std::process::id()))
}
