//! What a terminal does otherwise than a pipe, seen from its master.

use crate::sys;
use std::os::unix::io::OwnedFd;
use std::time::{Duration, Instant};

/// More than the kernel keeps of what was printed (8 KiB on the way to the master, 4 KiB to be read there), so that as much, read after the
/// end of a process, has all of its output; who prints on behind it does not hold its end up for longer than that.
pub const HELD_BYTES_MAX: usize = 32 * 1024;

/// Reads all there is, up to `max` bytes: the kernel gives 4 KiB at a time, and first fetches what is still on its way. Less than asked for
/// means that it had no more to give: there is nothing now, or nobody has the terminal open, which somebody may yet do again.
pub fn read_onto(master: &OwnedFd, buffer: &mut Vec<u8>, max: usize) -> sys::Result<usize> {
    let mut have = 0;
    while have < max {
        match sys::read_onto(master, buffer, max - have) {
            Ok(count) if count > 0 => have += count,
            other if have == 0 => return other,
            _ => break,
        }
    }
    Ok(have)
}

/// When to try again to type: a terminal whose program drops a line that is too long, or flushes it, has room again and does not say so.
pub struct Retry {
    at: Option<Instant>,
    pause: Duration,
}

impl Retry {
    const PAUSE_MIN: Duration = Duration::from_millis(10);
    const PAUSE_MAX: Duration = Duration::from_secs(1);

    pub fn new() -> Retry {
        Retry { at: None, pause: Retry::PAUSE_MIN }
    }

    pub fn at(&self) -> Option<Instant> {
        self.at
    }

    pub fn is_due(&self) -> bool {
        self.at.map_or(false, |at| at <= Instant::now())
    }

    /// It took nothing, or not all.
    pub fn later(&mut self, took_some: bool) {
        if took_some {
            self.pause = Retry::PAUSE_MIN;
        }
        self.at = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(Retry::PAUSE_MAX);
    }

    pub fn never(&mut self) {
        *self = Retry::new();
    }
}
