//! Waiting for many things at once: epoll.

use super::*;

pub const EPOLLIN: u32 = 0x1;
pub const EPOLLPRI: u32 = 0x2;
pub const EPOLLOUT: u32 = 0x4;
pub const EPOLLERR: u32 = 0x8;
pub const EPOLLHUP: u32 = 0x10;
pub const EPOLLRDHUP: u32 = 0x2000;
pub const EPOLLET: u32 = 1 << 31;

#[derive(Clone, Copy, Default)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct Ready {
    pub events: u32,
    pub token: u64,
}

pub fn epoll() -> Result<OwnedFd> {
    descriptor(call(EPOLL_CREATE1, &[O_CLOEXEC as usize]))
}

/// Watches a descriptor; one that is watched already gets a new token.
pub fn epoll_watch(epoll: &OwnedFd, what: &impl AsRawFd, ready: Ready) -> Result<()> {
    const ADD: usize = 1;
    const MODIFY: usize = 3;
    match call(EPOLL_CTL, &[fd(epoll), ADD, fd(what), pointer(&ready)]) {
        Err(errno::EEXIST) => call(EPOLL_CTL, &[fd(epoll), MODIFY, fd(what), pointer(&ready)]).map(drop),
        other => other.map(drop),
    }
}

/// A negative timeout waits for ever.
pub fn epoll_wait<'a>(epoll: &OwnedFd, into: &'a mut [Ready], timeout_ms: i32) -> Result<&'a [Ready]> {
    let arguments = [fd(epoll), into.as_mut_ptr() as usize, into.len(), timeout_ms as isize as usize, 0];
    match call(EPOLL_PWAIT, &arguments) {
        Ok(count) => Ok(&into[..count]),
        Err(errno::EINTR) => Ok(&into[..0]),
        Err(error) => Err(error),
    }
}
