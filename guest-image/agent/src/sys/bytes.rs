//! Bytes through descriptors, and pipes.

use super::*;

/// Appends what one read brings, at most `max` bytes. Memory beyond what was read stays untouched, and so costs a clone nothing.
pub fn read_onto(from: &impl AsRawFd, buffer: &mut Vec<u8>, max: usize) -> Result<usize> {
    append(READ, from, buffer, max)
}

pub fn write(to: &impl AsRawFd, bytes: &[u8]) -> Result<usize> {
    uninterrupted(WRITE, &[fd(to), bytes.as_ptr() as usize, bytes.len()])
}

/// A buffer to its end, with what it held before.
pub fn wipe_all(buffer: &mut Vec<u8>) {
    buffer.resize(buffer.capacity(), 0);
    wipe(buffer);
    buffer.clear();
}

/// The reading and the writing end.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    call(PIPE2, &[ends.as_mut_ptr() as usize, O_CLOEXEC as usize])?;
    Ok((descriptor(Ok(ends[0] as usize))?, descriptor(Ok(ends[1] as usize))?))
}

pub fn set_nonblocking(of: &impl AsRawFd) -> Result<()> {
    const F_SETFL: usize = 4;
    // Of what may be set, nothing else is: a pipe is made with none of it.
    call(FCNTL, &[fd(of), F_SETFL, O_NONBLOCK as usize]).map(drop)
}

pub fn set_pipe_size(of: &impl AsRawFd, bytes: usize) -> Result<()> {
    const F_SETPIPE_SZ: usize = 1031;
    call(FCNTL, &[fd(of), F_SETPIPE_SZ, bytes]).map(drop)
}

/// How much the pipe holds.
pub fn bytes_waiting(of: &impl AsRawFd) -> Result<usize> {
    const FIONREAD: usize = 0x541b;
    let mut count: i32 = 0;
    call(IOCTL, &[fd(of), FIONREAD, &mut count as *mut i32 as usize])?;
    Ok(count as usize)
}
