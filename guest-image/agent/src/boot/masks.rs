//! What of `/proc` and `/sys` a tenant does not see, or sees and cannot write to, be it root: what container engines mask, and a little more.

use crate::sys::{self, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY};
use std::fs;
use std::io::ErrorKind;

/// The kernel's memory and how it is laid out, its log, keys and timers, and the firmware's tables. Root could read them by their mode.
const HIDDEN: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/dynamic_debug",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/mtrr",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
    "/sys/firmware",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
    "/sys/kernel/vmcoreinfo",
];

/// What of `/proc` are switches of the machine. `/sys` is mounted read-only as a whole.
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// In the tenant's view, which has its devices already.
pub fn put_on() -> Result<(), String> {
    for path in HIDDEN {
        over(path, hide)?;
    }
    for path in READ_ONLY {
        over(path, |path, _| sys::bind_read_only(path, path))?;
    }
    Ok(())
}

/// Where the kernel has something there at all.
fn over(path: &str, act: impl FnOnce(&str, bool) -> sys::Result<()>) -> Result<(), String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {}", path, error)),
        Ok(about) => act(path, about.is_dir()).map_err(|error| format!("masking {}: {}", path, error)),
    }
}

fn hide(path: &str, is_directory: bool) -> sys::Result<()> {
    const EMPTY: usize = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
    match is_directory {
        true => sys::mount("tmpfs", path, "tmpfs", EMPTY, "mode=555,size=4k"),
        // Reads as empty, and takes whatever is written without a word.
        false => sys::bind("/dev/null", path),
    }
}
