//! A file or directory with all that is in it, on its way to the host.

use super::outgoing::{Outgoing, Steps};
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, About, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, S_IFDIR, S_IFREG};
use crate::tenant::files::{self, Described, Displaced, Found, Owners, Walk};
use crate::tenant::Tenant;
use std::ffi::CStr;
use std::fs::File;
use std::os::unix::io::OwnedFd;

pub struct TreeReading {
    /// What is told first.
    top: Option<(OwnedFd, Described)>,
    /// Of a directory; `None` when all of it was told.
    walk: Option<Walk>,
    /// Whose bytes are next, and how many.
    file: Option<(File, u64)>,
    owners: Owners,
    path: String,
}

impl TreeReading {
    pub fn new(tenant: &Tenant, path: &str) -> Result<TreeReading, Failed> {
        let failed = |error: Errno| Failed::because(error, "open", format!("cannot read '{}'", path));
        // Looked at before it is opened: opening a device or a FIFO is an act in itself.
        let found = files::open(tenant, path, O_PATH).map_err(failed)?;
        let described = files::describe(&found).map_err(failed)?;
        if described.about.kind != S_IFDIR && described.about.kind != S_IFREG {
            return Err(Failed::new(errno::EINVAL, "open", format!("'{}' is neither a regular file nor a directory", path)));
        }
        if sys::is_made_up(&found).map_err(failed)? {
            return Err(Failed::new(errno::EINVAL, "open", format!("'{}' is made up by the kernel as it is read", path)));
        }
        let owners = Owners::of(tenant);
        Ok(TreeReading { top: Some((found, described)), walk: None, file: None, owners, path: path.to_string() })
    }

    fn begin(&mut self, found: OwnedFd, described: Described, outgoing: &mut Outgoing) -> sys::Result<()> {
        if described.about.kind == S_IFDIR {
            outgoing.push(&described.encode("", &self.owners));
            let name: &CStr = &sys::c_string(".")?;
            self.walk = Some(Walk::new(sys::open_beneath(&found, name, O_RDONLY | O_DIRECTORY)?));
            return Ok(());
        }
        self.file(found, "", outgoing)
    }

    fn tell(&mut self, found: &Found, outgoing: &mut Outgoing) -> sys::Result<()> {
        if Displaced::by(found.name.to_bytes()).is_some() {
            return Ok(());
        }
        let walk = self.walk.as_mut().ok_or(errno::ENOENT)?;
        let directory = walk.directory().ok_or(errno::ENOENT)?;
        let described = match files::describe_at(directory, &found.name) {
            // It has left the tree.
            Err(errno::ENOENT) => return Ok(()),
            described => described?,
        };
        let path = String::from_utf8(walk.path_to(&found.name)).map_err(|_| errno::EILSEQ)?;
        if described.target.as_ref().map_or(false, |target| std::str::from_utf8(target).is_err()) {
            return Err(errno::EILSEQ);
        }
        let opened = match described.about.kind {
            S_IFREG | S_IFDIR => match sys::open_beneath(directory, &found.name, O_PATH | O_NOFOLLOW) {
                Err(errno::ENOENT) => return Ok(()),
                opened => Some(opened?),
            },
            _ => None,
        };
        match opened {
            // What has no size before it is read is no file of a tree, and what the kernel tells of itself is nobody's work.
            Some(opened) if sys::is_made_up(&opened)? => {
                let about = About { kind: 0, ..described.about };
                outgoing.push(&Described { about, target: None }.encode(&path, &self.owners));
                Ok(())
            }
            Some(opened) if described.about.kind == S_IFREG => self.file(opened, &path, outgoing),
            Some(_) => {
                outgoing.push(&described.encode(&path, &self.owners));
                match walk.enter(&found.name) {
                    Err(errno::ENOENT) => Ok(()),
                    entered => entered,
                }
            }
            None => {
                outgoing.push(&described.encode(&path, &self.owners));
                Ok(())
            }
        }
    }

    /// Said and then read is the very same file, whatever its name means meanwhile.
    fn file(&mut self, found: OwnedFd, path: &str, outgoing: &mut Outgoing) -> sys::Result<()> {
        let file = files::read_on(&found)?;
        let about = sys::about(&file)?;
        if about.kind != S_IFREG {
            return Err(errno::EINVAL);
        }
        outgoing.push(&Described { about, target: None }.encode(path, &self.owners));
        self.file = Some((file, about.size_bytes)).filter(|(_, size_bytes)| *size_bytes > 0);
        Ok(())
    }
}

impl Steps for TreeReading {
    fn step(&mut self, outgoing: &mut Outgoing) -> sys::Result<bool> {
        if let Some((found, described)) = self.top.take() {
            self.begin(found, described, outgoing)?;
        } else if let Some((file, left)) = &mut self.file {
            let most = usize::try_from(*left).map_or(outgoing.room(), |left| left.min(outgoing.room()));
            match sys::read_onto(file, &mut outgoing.0, most)? {
                // Shorter than was said: what follows would be taken for its bytes.
                0 => return Err(errno::EIO),
                count => *left -= count as u64,
            }
            if *left == 0 {
                self.file = None;
            }
        } else {
            let walk = match &mut self.walk {
                Some(walk) => walk,
                None => return Ok(false),
            };
            match walk.next_entry()? {
                Some(found) => self.tell(&found, outgoing)?,
                None if walk.leave().is_none() => self.walk = None,
                None => {}
            }
        }
        Ok(true)
    }

    fn failed(&self, error: Errno) -> Failed {
        Failed::because(error, "read", format!("cannot read all of '{}'", self.path))
    }
}
