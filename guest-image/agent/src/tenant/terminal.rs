//! Making a terminal: one of the tenant's own, which its programs find under `/dev/pts`.

use super::users::User;
use super::Tenant;
use crate::errno;
use crate::message::TerminalSize;
use crate::sys::{self, Result, O_NOCTTY, O_NONBLOCK, O_PATH};
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::io::{AsRawFd, OwnedFd};

/// Where a file system of terminals makes them.
const MAKER: &str = "/dev/pts/ptmx";
/// Character device 5, 2.
const MAKER_DEVICE: u64 = 5 << 8 | 2;
/// The group tty, everywhere: who is in it may write to other people's terminals.
const GROUP: u32 = 5;
const MODE: u32 = 0o620;

impl Tenant {
    /// The agent's end and the program's.
    pub(super) fn open_terminal(&self, size: TerminalSize, user: &User) -> Result<(OwnedFd, OwnedFd)> {
        let master = self.open_maker()?;
        let slave = File::from(sys::terminal_peer(&master)?);
        sys::set_window_size(&master, size.columns, size.rows)?;
        if self.enclosure.is_some() {
            sys::change_owner(&slave, user.uid, GROUP)?;
            slave.set_permissions(Permissions::from_mode(MODE))?;
        }
        Ok((master, slave.into()))
    }

    fn open_maker(&self) -> Result<OwnedFd> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(O_NOCTTY | O_NONBLOCK);
        if self.enclosure.is_none() {
            // The root is a directory without devices: the machine's own terminals.
            return Ok(options.open("/dev/ptmx")?.into());
        }
        // Looked at before it is opened: what a tenant has put there in its place may be a device that does something when it is.
        let found = File::from(sys::open_in_root(&self.root, &sys::c_string(MAKER)?, O_PATH, 0)?);
        let about = found.metadata()?;
        if !about.file_type().is_char_device() || about.rdev() != MAKER_DEVICE {
            return Err(errno::ENODEV);
        }
        Ok(options.open(format!("/proc/self/fd/{}", found.as_raw_fd()))?.into())
    }
}
