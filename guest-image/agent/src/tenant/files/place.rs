//! Where a path leads in the tenant's root.

use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, About, Result, O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_PATH, S_IFDIR, S_IFLNK, S_IFREG};
use crate::tenant::Tenant;
use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, OwnedFd};

/// As many as the kernel follows in one path.
const LINKS_MAX: usize = 40;

/// A name in a directory: where something is, or may be put.
pub struct Spot {
    pub directory: OwnedFd,
    pub name: CString,
}

/// What is at `path`, through links.
pub fn open(tenant: &Tenant, path: &str, flags: i32) -> Result<OwnedFd> {
    sys::open_in_root(&tenant.root, &sys::c_string(path)?, flags, 0)
}

/// "" is the root itself.
pub fn open_directory(tenant: &Tenant, path: &str) -> Result<OwnedFd> {
    open(tenant, &format!("{}/", path), O_PATH | O_DIRECTORY)
}

/// Where something of that name is or may be, the last name not followed: to be made, moved or removed.
pub fn spot(tenant: &Tenant, path: &str) -> Result<Spot> {
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        return Err(errno::EBUSY);
    }
    let (parent, name) = split(path)?;
    Ok(Spot { directory: open_directory(tenant, parent)?, name: sys::c_string(name)? })
}

/// Where the file is that `path` leads to, through links, with what is there now. `directory` opens the directory of a path.
pub fn spot_of_file(path: &str, mut directory: impl FnMut(&str) -> Result<OwnedFd>) -> Result<(Spot, Option<About>)> {
    let mut path = path.to_string();
    for _ in 0..LINKS_MAX {
        let (parent, name) = split(&path)?;
        let spot = Spot { directory: directory(parent)?, name: sys::c_string(name)? };
        let about = spot.about()?;
        if about.map_or(true, |about| about.kind != S_IFLNK) {
            return Ok((spot, about));
        }
        let target = String::from_utf8(sys::read_link(&spot.directory, &spot.name)?).map_err(|_| errno::EINVAL)?;
        // Before a relative target, links in the parent's path are still to be followed: the kernel does that on the way.
        path = if target.starts_with('/') { target } else { format!("{}/{}", parent, target) };
    }
    Err(errno::ELOOP)
}

impl Spot {
    /// What is there, if something is. A link is not followed.
    pub fn about(&self) -> Result<Option<About>> {
        match sys::about_at(&self.directory, &self.name) {
            Ok(about) => Ok(Some(about)),
            Err(errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The directory's path and the last name of an absolute path.
pub fn split(path: &str) -> Result<(&str, &str)> {
    match path.strip_prefix('/').map(|_| path.rsplit_once('/').unwrap_or(("", path))) {
        Some((_, "")) => Err(errno::EISDIR),
        Some((_, "." | "..")) | None => Err(errno::EINVAL),
        Some(parts) => Ok(parts),
    }
}

/// An absolute path without `.`, `..` and double slashes, taken away as text.
pub fn as_text(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// The regular file at `path`, to be read.
pub fn open_regular(tenant: &Tenant, path: &str) -> std::result::Result<(File, About), Failed> {
    let failed = |error: Errno| Failed::because(error, "open", format!("cannot open '{}'", path));
    // Looked at before it is opened: opening a device or a FIFO is an act in itself.
    let found = open(tenant, path, O_PATH).map_err(failed)?;
    let about = sys::about(&found).map_err(failed)?;
    check_regular(&about, path)?;
    Ok((read_on(&found).map_err(failed)?, about))
}

pub fn check_regular(about: &About, path: &str) -> std::result::Result<(), Failed> {
    match about.kind {
        S_IFREG => Ok(()),
        S_IFDIR => Err(Failed::because(errno::EISDIR, "open", format!("cannot open '{}'", path))),
        _ => Err(Failed::new(errno::EINVAL, "open", format!("'{}' is not a regular file", path))),
    }
}

/// The very thing that was opened with O_PATH, whatever its name means by now. Some of the kernel's own files would block.
pub fn read_on(found: &OwnedFd) -> Result<File> {
    Ok(OpenOptions::new().read(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path_of(found))?)
}

/// The same, to be written to at its end.
pub fn append_to(found: &OwnedFd) -> Result<File> {
    Ok(OpenOptions::new().append(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(path_of(found))?)
}

fn path_of(found: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", found.as_raw_fd())
}

/// rename(2).
pub fn rename(tenant: &Tenant, from: &str, to: &str) -> Result<()> {
    let (from, to) = (spot(tenant, from)?, spot(tenant, to)?);
    sys::rename(&from.directory, &from.name, &to.directory, &to.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_absolute_text() {
        for (path, text) in [("/a//b/./c", "/a/b/c"), ("/a/../../b/", "/b"), ("/", "/"), ("//..", "/"), ("/ä/..b", "/ä/..b")] {
            assert_eq!(as_text(path), text);
        }
    }

    #[test]
    fn only_a_name_can_be_put_somewhere() {
        assert_eq!(split("/a/b"), Ok(("/a", "b")));
        assert_eq!(split("/a"), Ok(("", "a")));
        assert_eq!(split("/a/"), Err(errno::EISDIR));
        assert_eq!(split("/a/.."), Err(errno::EINVAL));
        assert_eq!(split("a"), Err(errno::EINVAL));
    }
}
