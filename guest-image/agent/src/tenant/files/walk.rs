//! A way through a directory and all that is below it, an entry at a time, in bounded memory.

use crate::errno;
use crate::sys::{self, Result, O_DIRECTORY, O_NOFOLLOW, O_RDONLY, S_IFDIR};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::io::OwnedFd;

/// As deep as a path can name, of names of one letter: each level is an open directory. Deeper is ENAMETOOLONG.
const DEPTH_MAX: usize = 2048;
/// Of the path below the top: two of them, and every byte replaced by three, still fit into a message.
const PATH_BYTES_MAX: usize = 8 * 1024;
/// Of a directory's entries, at a time.
const READ_BYTES: usize = 8 * 1024;
/// Entries read and not looked at yet, kept of all the directories above the current one. Beyond, they are read again later.
const KEPT_BYTES_MAX: usize = 32 * 1024;

/// In the current directory.
pub struct Found {
    pub name: CString,
    kind: u8,
}

pub struct Walk {
    /// From the top down to the current directory.
    levels: Vec<Level>,
    /// From the top to the current directory, without a slash at either end.
    path: Vec<u8>,
}

struct Level {
    directory: OwnedFd,
    /// As the kernel gave them.
    entries: Vec<u8>,
    taken: usize,
    /// Where in the directory the next entry is to be read, if those that were kept are not.
    offset: u64,
    dropped: bool,
    /// Of the path to here.
    path_bytes: usize,
}

impl Walk {
    /// The directory is open for reading.
    pub fn new(directory: OwnedFd) -> Walk {
        let mut walk = Walk { levels: Vec::new(), path: Vec::new() };
        walk.push(directory);
        walk
    }

    fn push(&mut self, directory: OwnedFd) {
        let path_bytes = self.path.len();
        self.levels.push(Level { directory, entries: Vec::new(), taken: 0, offset: 0, dropped: false, path_bytes });
    }

    /// The next entry of the current directory. One that was removed meanwhile has no more.
    pub fn next_entry(&mut self) -> Result<Option<Found>> {
        let level = match self.levels.last_mut() {
            Some(level) => level,
            None => return Ok(None),
        };
        loop {
            if level.taken == level.entries.len() {
                level.entries.clear();
                level.taken = 0;
                if std::mem::take(&mut level.dropped) {
                    File::from(level.directory.try_clone()?).seek(SeekFrom::Start(level.offset))?;
                }
                match sys::read_entries(&level.directory, &mut level.entries, READ_BYTES) {
                    Ok(0) | Err(errno::ENOENT) => return Ok(None),
                    read => drop(read?),
                }
            }
            // struct linux_dirent64: inode, offset of the next, length, kind, name with a NUL.
            let entry = &level.entries[level.taken..];
            let number = |at: usize| entry.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_ne_bytes);
            let length = (number(16) & 0xffff) as usize;
            let kind = entry.get(18).copied().unwrap_or(0);
            let name = entry.get(19..length).and_then(|name| name.split(|&byte| byte == 0).next()).ok_or(errno::EIO)?;
            let name = sys::c_string(name)?;
            level.offset = number(8);
            level.taken += length;
            if !matches!(name.to_bytes(), b"." | b"..") {
                return Ok(Some(Found { name, kind }));
            }
        }
    }

    /// Goes down into a directory of the current one; through no link.
    pub fn enter(&mut self, name: &CStr) -> Result<()> {
        let level = self.levels.last().ok_or(errno::ENOENT)?;
        if self.levels.len() > DEPTH_MAX || self.path.len() + name.to_bytes().len() > PATH_BYTES_MAX {
            return Err(errno::ENAMETOOLONG);
        }
        let directory = sys::open_beneath(&level.directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)?;
        self.park();
        self.path = self.path_to(name);
        self.push(directory);
        Ok(())
    }

    /// What was read of the current directory waits until the walk is back.
    fn park(&mut self) {
        let kept: usize = self.levels.iter().map(|level| level.entries.len() - level.taken).sum();
        if let Some(level) = self.levels.last_mut() {
            level.entries.drain(..level.taken);
            level.taken = 0;
            if kept > KEPT_BYTES_MAX {
                level.entries.clear();
                level.dropped = true;
            }
            level.entries.shrink_to_fit();
        }
    }

    /// Goes up, and says which name the directory has that was left. `None`: that was the top, and the walk is over.
    pub fn leave(&mut self) -> Option<CString> {
        self.levels.pop();
        let above = self.levels.last()?.path_bytes;
        let name = &self.path[above..];
        let name = sys::c_string(name.strip_prefix(b"/").unwrap_or(name)).ok();
        self.path.truncate(above);
        name
    }

    /// The current one; `None` when the walk is over.
    pub fn directory(&self) -> Option<&OwnedFd> {
        self.levels.last().map(|level| &level.directory)
    }

    pub fn path_to(&self, name: &CStr) -> Vec<u8> {
        let name = name.to_bytes();
        match self.path.is_empty() {
            true => name.to_vec(),
            false => [&self.path, &b"/"[..], name].concat(),
        }
    }

    /// How many directories below the top the current one is.
    pub fn depth(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    pub fn is_directory(&self, found: &Found) -> bool {
        const DT_UNKNOWN: u8 = 0;
        const DT_DIR: u8 = 4;
        match (found.kind, self.directory()) {
            // Not every file system says it.
            (DT_UNKNOWN, Some(directory)) => sys::about_at(directory, &found.name).map_or(false, |about| about.kind == S_IFDIR),
            (kind, _) => kind == DT_DIR,
        }
    }
}
