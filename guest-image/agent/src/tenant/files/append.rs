//! A file that is written to at its end, as the bytes come.

use super::new_file::cannot_write;
use super::parents::{own, Parents};
use super::place::{append_to, check_regular, spot_of_file};
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_WRONLY};
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

const MODE: u32 = 0o644;
/// How often somebody else may make or remove it between two looks.
const TRIES: usize = 4;

pub struct Appended {
    file: File,
    path: String,
    size_bytes: u64,
}

impl Appended {
    /// The file that `path` leads to, through links, made with its parents if it is missing. `mode` is for one that is made.
    pub fn open(tenant: &Tenant, path: &str, mode: Option<u32>, user: &User) -> Result<Appended, Failed> {
        let failed = |error: Errno| cannot_write(error, "path", path);
        let mut parents = Parents { tenant, user, made: Vec::new() };
        let mut result = Err(failed(errno::EBUSY));
        for _ in 0..TRIES {
            result = match attempt(&mut parents, path, mode) {
                Ok(Err(errno::EEXIST | errno::ENOENT)) => continue,
                Ok(opened) => opened.map_err(failed),
                Err(failed) => Err(failed),
            };
            break;
        }
        if result.is_err() {
            Parents::remove(tenant, &parents.made);
        }
        Ok(Appended { file: result?, path: path.to_string(), size_bytes: 0 })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.file.write_all(bytes).map_err(|error| cannot_write(error.into(), "write", &self.path))?;
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

fn attempt(parents: &mut Parents<'_>, path: &str, mode: Option<u32>) -> Result<sys::Result<File>, Failed> {
    let (spot, about) = match spot_of_file(path, |path| parents.open(path)) {
        Ok(found) => found,
        // Not to be tried again: a missing parent was made, or cannot be.
        Err(error) => return Err(cannot_write(error, "path", path)),
    };
    if about.is_none() {
        let made = sys::open_in_root(&spot.directory, &spot.name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
        return Ok(made.and_then(|made| {
            own(parents.tenant, &made, parents.user)?;
            let file = File::from(made);
            file.set_permissions(Permissions::from_mode(mode.unwrap_or(MODE)))?;
            Ok(file)
        }));
    }
    let found = match sys::open_beneath(&spot.directory, &spot.name, O_PATH | O_NOFOLLOW) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    match sys::about(&found) {
        Ok(about) => check_regular(&about, path)?,
        Err(error) => return Ok(Err(error)),
    }
    Ok(append_to(&found))
}
