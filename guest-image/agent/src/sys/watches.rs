//! Being told what changes in directories: inotify.

use super::*;

pub const IN_MODIFY: u32 = 0x2;
pub const IN_CLOSE_WRITE: u32 = 0x8;
pub const IN_MOVED_FROM: u32 = 0x40;
pub const IN_MOVED_TO: u32 = 0x80;
pub const IN_CREATE: u32 = 0x100;
pub const IN_DELETE: u32 = 0x200;
pub const IN_DELETE_SELF: u32 = 0x400;
pub const IN_MOVE_SELF: u32 = 0x800;
pub const IN_UNMOUNT: u32 = 0x2000;
pub const IN_Q_OVERFLOW: u32 = 0x4000;
pub const IN_IGNORED: u32 = 0x8000;
pub const IN_ISDIR: u32 = 0x4000_0000;

pub fn inotify() -> Result<OwnedFd> {
    descriptor(call(INOTIFY_INIT1, &[(O_NONBLOCK | O_CLOEXEC) as usize]))
}

/// Watches the directory that was opened. Returns the watch's number: the same one for a directory that is watched already.
pub fn add_watch(inotify: &impl AsRawFd, directory: &impl AsRawFd, events: u32) -> Result<i32> {
    const IN_ONLYDIR: u32 = 0x0100_0000;
    // A watch is put on a path; this one leads to what was opened, whatever has become of its name.
    let path = c_string(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    call(INOTIFY_ADD_WATCH, &[fd(inotify), string(&path), (events | IN_ONLYDIR) as usize]).map(|watch| watch as i32)
}

pub fn remove_watch(inotify: &impl AsRawFd, watch: i32) -> Result<()> {
    call(INOTIFY_RM_WATCH, &[fd(inotify), watch as usize]).map(drop)
}
