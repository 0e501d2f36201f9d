//! A tree that the host sends, made a node at a time below a path.

use super::new_file::{cannot_write, temporary, NewFile};
use super::parents::{own, own_link, Parents};
use super::place::{split, Spot};
use crate::errno::{self, Errno};
use crate::message::{Facts, Failed, NodeKind};
use crate::sys::{self, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFDIR};
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::io::OwnedFd;
use std::rc::Rc;

/// What the kernel takes as a path, without its NUL.
const PATH_BYTES_MAX: usize = 4095;
/// Of a directory that the host sends nothing about.
const MODE: u32 = 0o755;

pub struct TreeWriter {
    tenant: Rc<Tenant>,
    user: Rc<User>,
    path: String,
    label: u32,
    /// From the top to where the last node was: what comes next is most often beside it.
    levels: Vec<Level>,
    /// From the top to the last level.
    current: String,
    /// And how much of it is to come.
    file: Option<(NewFile, u64)>,
    size_bytes: u64,
}

struct Level {
    directory: OwnedFd,
    /// Of one that was made. Set when all that is in it has come: until then, each of it modifies the directory.
    modified_ns: Option<u64>,
    path_bytes: usize,
}

impl TreeWriter {
    pub fn new(tenant: &Rc<Tenant>, user: Rc<User>, path: String, label: u32) -> TreeWriter {
        let (levels, current) = (Vec::new(), String::new());
        TreeWriter { tenant: Rc::clone(tenant), user, path, label, levels, current, file: None, size_bytes: 0 }
    }

    /// The next node: of a file, its bytes are to follow.
    pub fn begin(&mut self, node: &Facts<'_>) -> Result<(), Failed> {
        if !is_inside(node.path) {
            return Err(Failed::new(errno::EINVAL, "path", format!("'{}' is no path from the top of a tree", node.path)));
        }
        let shown = self.shown(node.path);
        match node.kind {
            NodeKind::Directory => self.directory(node).map_err(|error| cannot_write(error, "mkdir", &shown)),
            NodeKind::Symlink => self.link(node).map_err(|error| cannot_write(error, "link", &shown)),
            NodeKind::File => {
                let file = match node.path {
                    "" => NewFile::replace(&self.tenant, &self.path, Some(node.mode), &self.user, self.label)?,
                    path => {
                        let spot = self.spot(path).map_err(|error| cannot_write(error, "path", &shown))?;
                        NewFile::beside(&self.tenant, spot, &shown, node.mode, &self.user, self.label)?
                    }
                };
                self.file = Some((file.modified_at(node.modified_ns), node.size_bytes));
                self.write(&[]).map(drop)
            }
            NodeKind::Other => Err(cannot_write(errno::EINVAL, "path", &shown)),
        }
    }

    /// Whether a file's bytes are to come next, and not a node.
    pub fn wants_bytes(&self) -> bool {
        self.file.is_some()
    }

    /// How many of the bytes it took.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, Failed> {
        let (mut file, left) = match self.file.take() {
            Some(file) => file,
            None => return Ok(0),
        };
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        file.write(&bytes[..count])?;
        match left - count as u64 {
            0 => self.size_bytes += file.commit()?,
            left => self.file = Some((file, left)),
        }
        Ok(count)
    }

    /// Returns the bytes of all files.
    pub fn finish(&mut self) -> Result<u64, Failed> {
        self.leave_all(0).map_err(|error| cannot_write(error, "time", &self.path))?;
        Ok(self.size_bytes)
    }

    fn shown(&self, path: &str) -> String {
        format!("{}{}{}", self.path.trim_end_matches('/'), if path.is_empty() { "" } else { "/" }, path)
    }

    fn directory(&mut self, node: &Facts<'_>) -> sys::Result<()> {
        match node.path.rsplit_once('/') {
            None if node.path.is_empty() => return self.top(Some(node)),
            None => self.reach("")?,
            Some((parent, _)) => self.reach(parent)?,
        }
        let name = node.path.rsplit('/').next().unwrap_or_default();
        self.descend(name, Some(node))
    }

    fn link(&mut self, node: &Facts<'_>) -> sys::Result<()> {
        let target = sys::c_string(node.target.ok_or(errno::EINVAL)?)?;
        let spot = match node.path {
            "" => {
                let (parent, name) = split(&self.path)?;
                Spot { directory: self.parents().open(parent)?, name: sys::c_string(name)? }
            }
            path => self.spot(path)?,
        };
        let about = spot.about()?;
        if about.map_or(false, |about| about.kind == S_IFDIR) {
            return Err(errno::EISDIR);
        }
        let Spot { directory, name } = &spot;
        let temporary = temporary(self.label, about.is_some())?;
        let _ = sys::unlink(directory, &temporary);
        sys::make_link(&target, directory, &temporary)?;
        let placed = own_link(&self.tenant, directory, &temporary, &self.user)
            .and_then(|()| sys::set_link_modified(directory, &temporary, node.modified_ns))
            .and_then(|()| sys::rename(directory, &temporary, directory, name));
        if placed.is_err() {
            let _ = sys::unlink(directory, &temporary);
        }
        placed
    }

    /// Where a node other than the top goes, in a directory that is there by then.
    fn spot(&mut self, path: &str) -> sys::Result<Spot> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.reach(parent)?;
        let level = self.levels.last().ok_or(errno::ENOENT)?;
        Ok(Spot { directory: level.directory.try_clone()?, name: sys::c_string(name)? })
    }

    fn parents(&self) -> Parents<'_> {
        Parents { tenant: &self.tenant, user: &self.user, made: Vec::new() }
    }

    /// Opens the top as a directory. A `node` about it counts if there was none.
    fn top(&mut self, node: Option<&Facts<'_>>) -> sys::Result<()> {
        if !self.levels.is_empty() {
            return self.leave_all(1);
        }
        let mut parents = self.parents();
        let directory = parents.open(&self.path)?;
        let node = node.filter(|_| !parents.made.is_empty());
        if let Some(node) = node {
            set_mode(&directory, node.mode)?;
        }
        self.levels.push(Level { directory, modified_ns: node.map(|node| node.modified_ns), path_bytes: 0 });
        Ok(())
    }

    /// Goes to the directory at `path` from the top, up and down from the last one.
    fn reach(&mut self, path: &str) -> sys::Result<()> {
        if self.levels.is_empty() {
            self.top(None)?;
        }
        let leads_here =
            |current: &str| current.is_empty() || path == current || path.strip_prefix(current).map_or(false, |rest| rest.starts_with('/'));
        while !leads_here(&self.current) {
            self.leave_all(self.levels.len() - 1)?;
        }
        let rest = path[self.current.len()..].trim_start_matches('/');
        for name in rest.split('/').filter(|name| !name.is_empty()) {
            self.descend(name, None)?;
        }
        Ok(())
    }

    /// Into a directory of the last one, made if it is missing; through no link.
    fn descend(&mut self, name: &str, node: Option<&Facts<'_>>) -> sys::Result<()> {
        let parent = &self.levels.last().ok_or(errno::ENOENT)?.directory;
        let c_name = sys::c_string(name)?;
        let open = || match sys::open_beneath(parent, &c_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
            Err(errno::ELOOP) => Err(errno::ENOTDIR),
            opened => opened,
        };
        let (directory, made) = match open() {
            Err(errno::ENOENT) => {
                sys::make_directory(parent, &c_name, 0o700)?;
                (open()?, true)
            }
            opened => (opened?, false),
        };
        if made {
            own(&self.tenant, &directory, &self.user)?;
            set_mode(&directory, node.map_or(MODE, |node| node.mode))?;
        }
        let modified_ns = node.filter(|_| made).map(|node| node.modified_ns);
        if !self.current.is_empty() {
            self.current.push('/');
        }
        self.current.push_str(name);
        self.levels.push(Level { directory, modified_ns, path_bytes: self.current.len() });
        Ok(())
    }

    /// Up, until so many levels are left.
    fn leave_all(&mut self, left: usize) -> sys::Result<()> {
        while self.levels.len() > left {
            if let Some(Level { directory, modified_ns: Some(modified_ns), .. }) = self.levels.pop() {
                sys::set_modified(&directory, modified_ns)?;
            }
            self.current.truncate(self.levels.last().map_or(0, |level| level.path_bytes));
        }
        Ok(())
    }
}

fn set_mode(directory: &OwnedFd, mode: u32) -> sys::Result<()> {
    File::from(directory.try_clone()?).set_permissions(Permissions::from_mode(mode)).map_err(Errno::from)
}

/// Names that stay below the top, or nothing: the top itself.
fn is_inside(path: &str) -> bool {
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
    path.is_empty() || path.len() <= PATH_BYTES_MAX && path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for path in ["", "a", "a/b", "..a/.b", "ä/…"] {
            assert!(is_inside(path), "{}", path);
        }
        for path in ["/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\0b"] {
            assert!(!is_inside(path), "{}", path);
        }
    }
}
