//! The tenant's control group: what its processes may take together, so that the agent always has enough left.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::io::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// Kept from the tenant of what is free once the machine is up: for the agent (1 to 2 MiB), for what the kernel cannot charge to a
/// process, and for its free-page watermarks. With less, the machine would run out of memory before its tenant does.
pub const RESERVE_BYTES: u64 = 16 << 20;

pub struct Cgroup {
    path: String,
    directory: OwnedFd,
    /// Announces by EPOLLPRI that something in it has changed.
    pub events: File,
    known_kills: Cell<u64>,
}

impl Cgroup {
    /// Under the mounted hierarchy `root`.
    pub fn make(root: &str, memory_max_bytes: u64, pids_max: u64) -> Result<Cgroup, String> {
        let named = |path: &str, error: io::Error| format!("{}/{}: {}", root, path, error);
        let write = |path: &str, value: &str| fs::write(format!("{}/{}", root, path), value).map_err(|error| named(path, error));
        write("cgroup.subtree_control", "+memory +pids")?;
        // The agent is outside the group: with it, a fork bomb and the agent share the processor half and half.
        let _ = write("cgroup.subtree_control", "+cpu");
        fs::create_dir(format!("{}/tenant", root)).map_err(|error| named("tenant", error))?;
        write("tenant/memory.max", &memory_max_bytes.to_string())?;
        write("tenant/pids.max", &pids_max.to_string())?;
        // Absent from a kernel without swap.
        let _ = write("tenant/memory.swap.max", "0");
        let open = |path: &str| File::open(format!("{}/{}", root, path)).map_err(|error| named(path, error));
        let path = format!("{}/tenant", root);
        Ok(Cgroup { path, directory: open("tenant")?.into(), events: open("tenant/memory.events")?, known_kills: Cell::new(0) })
    }

    pub fn descriptor(&self) -> RawFd {
        self.directory.as_raw_fd()
    }

    /// What one of its files says.
    pub fn read(&self, file: &str) -> io::Result<String> {
        fs::read_to_string(format!("{}/{}", self.path, file)).map(|text| text.trim_end().to_string())
    }

    /// What one of its files says that has a single number, or of a file of several the one behind `name`.
    pub fn number(&self, file: &str, name: Option<&str>) -> io::Result<u64> {
        let text = self.read(file)?;
        let number = name.map_or_else(|| text.parse().ok(), |name| value_of(name, &text));
        number.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub fn write(&self, file: &str, value: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(format!("{}/{}", self.path, file))?.write_all(value.as_bytes())
    }

    /// Processes of the tenant that ran out of memory and were killed for it, since boot.
    pub fn out_of_memory_kills(&self) -> u64 {
        let mut text = [0; 512];
        let count = self.events.read_at(&mut text, 0).unwrap_or(0);
        let kills = value_of("oom_kill", &String::from_utf8_lossy(&text[..count])).unwrap_or(0);
        self.known_kills.set(kills);
        kills
    }

    /// The same, as of the last change that was announced (the kernel does within 10 ms).
    pub fn known_kills(&self) -> u64 {
        self.known_kills.get()
    }
}

/// What of the machine's memory the tenant may have.
pub fn memory_max_bytes(meminfo: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(meminfo).map_err(|error| format!("{}: {}", meminfo.display(), error))?;
    let free = value_of("MemAvailable:", &text).ok_or("no MemAvailable in meminfo")? * 1024;
    free.checked_sub(RESERVE_BYTES).filter(|&rest| rest > RESERVE_BYTES).ok_or(format!("{} bytes of free memory are too few", free))
}

/// From lines of `name value`.
fn value_of(name: &str, text: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == name).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let events = "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 0\n";
        assert_eq!(value_of("oom_kill", events), Some(3));
        assert_eq!(value_of("oom_killed", events), None);
        assert_eq!(value_of("MemTotal:", "MemTotal:  98304 kB\nMemFree: 1 kB\n"), Some(98304));
    }
}
