//! What the host is told of something in the tenant's root.

use crate::errno;
use crate::message::{Facts, NodeKind};
use crate::sys::{self, About, Result, S_IFDIR, S_IFLNK, S_IFREG};
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::unix::io::OwnedFd;

/// What the names of owners may cost while something is listed. Owners beyond have numbers.
const NAMES_BYTES_MAX: usize = 16 * 1024;
const NAME_BYTES_MAX: usize = 256;

/// The names of users by their numbers.
pub struct Owners(BTreeMap<u32, String>);

impl Owners {
    pub fn of(tenant: &Tenant) -> Owners {
        let mut room = NAMES_BYTES_MAX;
        let mut names = BTreeMap::new();
        tenant.for_each_user(|uid, name| {
            // As in every other program: the first entry of a number counts.
            if name.len() <= NAME_BYTES_MAX && name.len() <= room && !names.contains_key(&uid) {
                room -= name.len();
                names.insert(uid, name.to_string());
            }
        });
        Owners(names)
    }

    fn name(&self, uid: u32) -> String {
        self.0.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

pub struct Described {
    pub about: About,
    /// Of a symbolic link.
    pub target: Option<Vec<u8>>,
}

/// What was opened with O_PATH.
pub fn describe(file: &OwnedFd) -> Result<Described> {
    with_target(sys::about(file)?, file, Default::default())
}

/// What has this name in the directory.
pub fn describe_at(directory: &OwnedFd, name: &CStr) -> Result<Described> {
    with_target(sys::about_at(directory, name)?, directory, name)
}

fn with_target(about: About, directory: &OwnedFd, name: &CStr) -> Result<Described> {
    let target = match about.kind {
        S_IFLNK => match sys::read_link(directory, name) {
            // It was one a moment ago.
            Err(errno::EINVAL) => return Err(errno::ENOENT),
            target => Some(target?),
        },
        _ => None,
    };
    Ok(Described { about, target })
}

impl Described {
    /// The message about it. In names that are no UTF-8, what is none is replaced.
    pub fn encode(&self, path: &str, owners: &Owners) -> Vec<u8> {
        let target = self.target.as_ref().map(|target| String::from_utf8_lossy(target));
        let kind = match self.about.kind {
            S_IFREG => NodeKind::File,
            S_IFDIR => NodeKind::Directory,
            S_IFLNK => NodeKind::Symlink,
            _ => NodeKind::Other,
        };
        let About { mode, uid, size_bytes, modified_ns, .. } = self.about;
        Facts { path, kind, size_bytes, mode, modified_ns, target: target.as_deref() }.encode(&owners.name(uid))
    }
}
