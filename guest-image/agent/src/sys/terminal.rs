//! Terminals, from their master.

use super::*;

pub(super) const TIOCSCTTY: usize = 0x540e;

/// As many characters as there are to be seen. Whoever is in the foreground gets SIGWINCH, where it is another size than before.
pub fn set_window_size(terminal: &impl AsRawFd, columns: u16, rows: u16) -> Result<()> {
    const TIOCSWINSZ: usize = 0x5414;
    // struct winsize: rows and columns, and both again in pixels, which nobody knows.
    let size = [rows, columns, 0, 0];
    call(IOCTL, &[fd(terminal), TIOCSWINSZ, pointer(&size)]).map(drop)
}

/// The other end of a new terminal, by its master alone: no name is looked up that somebody may have put there.
pub fn terminal_peer(master: &impl AsRawFd) -> Result<OwnedFd> {
    const TIOCSPTLCK: usize = 0x4004_5431;
    const TIOCGPTPEER: usize = 0x5441;
    let locked: i32 = 0;
    call(IOCTL, &[fd(master), TIOCSPTLCK, pointer(&locked)])?;
    descriptor(call(IOCTL, &[fd(master), TIOCGPTPEER, (O_RDWR | O_NOCTTY | O_CLOEXEC) as usize]))
}

/// The process group that reads the terminal now, while the session that it controls has its leader.
pub fn foreground_group(master: &impl AsRawFd) -> Option<i32> {
    const TIOCGPGRP: usize = 0x540f;
    let mut group: i32 = 0;
    call(IOCTL, &[fd(master), TIOCGPGRP, &mut group as *mut i32 as usize]).ok()?;
    // 0 is nobody, and to kill(2) it would be the agent's own group; 1 would be everybody.
    Some(group).filter(|&group| group > 1)
}
