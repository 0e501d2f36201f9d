//! The agent's own mounts, and the tenant's root file system: a read-only disk under a writable layer of limited size.

use super::command_line::CommandLine;
use super::wait_for;
use crate::sys::{self, Space, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT};
use std::fs;
use std::path::Path;

pub const TENANT_ROOT: &str = "/tenant";
pub const CGROUPS: &str = "/sys/fs/cgroup";
const LAYER: &str = "/layer";
const ROOT_DISK: &str = "/dev/vda";
const LAYER_FLAGS: usize = MS_NODEV;
const KERNEL_OWN: usize = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// What the agent itself needs, in the initramfs.
pub fn kernel_file_systems() -> Result<(), String> {
    mount("proc", "/proc", "proc", KERNEL_OWN, "")?;
    mount("sysfs", "/sys", "sysfs", KERNEL_OWN, "")?;
    mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")?;
    // Who sees a cgroup as the top may not write its limits.
    mount("cgroup2", CGROUPS, "cgroup2", KERNEL_OWN, "nsdelegate")
}

/// Puts the tenant's root together at `/tenant`. The writable layer is memory, so it is never larger than three quarters of what the
/// tenant may have: who fills the disk shall be told so by ENOSPC, and not be killed for want of memory.
pub fn tenant_root(asked: &CommandLine, memory_max_bytes: u64) -> Result<(), String> {
    wait_for(ROOT_DISK, || Path::new(ROOT_DISK).exists().then_some(()))?;
    mount(ROOT_DISK, "/disk", &asked.rootfs, MS_RDONLY | MS_NODEV, "")?;
    let bytes = (memory_max_bytes / 4 * 3).min(asked.disk_mib.saturating_mul(1 << 20));
    mount("layer", LAYER, "tmpfs", LAYER_FLAGS, &format!("mode=700,size={}", bytes))?;
    for directory in ["/layer/upper", "/layer/work"] {
        fs::create_dir(directory).map_err(|error| format!("{}: {}", directory, error))?;
    }
    let layers = "lowerdir=/disk,upperdir=/layer/upper,workdir=/layer/work";
    mount("root", TENANT_ROOT, "overlay", MS_NODEV, layers)
}

pub fn layer_space() -> sys::Result<Space> {
    sys::space_of(LAYER)
}

/// At least what is used: the kernel refuses less.
pub fn set_layer_size(bytes: u64) -> sys::Result<()> {
    sys::mount("layer", LAYER, "tmpfs", MS_REMOUNT | LAYER_FLAGS, &format!("size={}", bytes))
}

/// Mounts, and makes the directory to mount on.
pub fn mount(source: &str, target: &str, kind: &str, flags: usize, options: &str) -> Result<(), String> {
    fs::create_dir_all(target).map_err(|error| format!("{}: {}", target, error))?;
    sys::mount(source, target, kind, flags, options).map_err(|error| format!("{} on {}: {}", kind, target, error))
}
