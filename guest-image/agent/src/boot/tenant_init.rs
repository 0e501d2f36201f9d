//! The tenant's view of the machine: its own processes, its own mounts and a handful of devices, held open by an init of its own.

use super::masks;
use super::mounts::{mount, CGROUPS, TENANT_ROOT};
use crate::sys::{self, MS_MOVE, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC};
use std::env::set_current_dir;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{chroot, symlink, PermissionsExt};
use std::os::unix::io::OwnedFd;

/// What the agent keeps of the view. Both stay true whatever the tenant does to its mounts.
pub struct TenantView {
    /// The init: its namespaces are what each process of the tenant enters, and its end is the tenant's end.
    pub init: OwnedFd,
    pub root: OwnedFd,
}

/// From here on every child of the agent is born into the tenant's pid namespace, while the agent stays outside. The first is the
/// namespace's init.
pub fn start() -> Result<TenantView, String> {
    let outcome = sys::pipe().map_err(|error| format!("pipe: {}", error))?;
    sys::unshare(sys::CLONE_NEWPID).map_err(|error| format!("pid namespace: {}", error))?;
    let pid = sys::fork().map_err(|error| format!("fork: {}", error))?;
    let (reader, writer) = (File::from(outcome.0), File::from(outcome.1));
    if pid == 0 {
        drop(reader);
        be_init(writer)
    }
    drop(writer);
    let mut failure = String::new();
    let _ = (&reader).read_to_string(&mut failure);
    if failure != READY {
        return Err(if failure.is_empty() { "the tenant's init died".to_string() } else { failure });
    }
    let init = sys::pidfd_open(pid).map_err(|error| format!("pidfd: {}", error))?;
    let root = File::open(format!("/proc/{}/root", pid)).map_err(|error| format!("the tenant's root: {}", error))?;
    Ok(TenantView { init, root: root.into() })
}

const READY: &str = "ready";

fn be_init(mut outcome: File) -> ! {
    // The agent is safe from the out-of-memory killer as the machine's init; this one has to ask.
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    let _ = sys::set_scheduling(0, sys::Policy::Ordinary, 0);
    let result = enter_view();
    let _ = outcome.write_all(result.as_ref().map_or_else(|error| error.as_bytes(), |_| READY.as_bytes()));
    drop(outcome);
    if result.is_err() {
        sys::exit(1);
    }
    sys::reap_for_ever()
}

fn enter_view() -> Result<(), String> {
    unshare_from_agent().map_err(|error| format!("namespaces: {}", error))?;
    let moved = |what: &str, error: &dyn std::fmt::Display| format!("{}: {}", what, error);
    sys::mount("", "/", "", MS_REC | MS_PRIVATE, "").map_err(|error| moved("private mounts", &error))?;
    // Should a tenant ever be able to lift its root off the initramfs, there shall be nothing below. The overlay holds its layers itself.
    for hidden in ["/proc", "/sys/fs/cgroup", "/sys", "/dev", "/disk", "/layer"] {
        sys::detach(hidden).map_err(|error| moved(hidden, &error))?;
    }
    // The initramfs cannot be pivoted away from: the root is moved over it, as switch_root does.
    set_current_dir(TENANT_ROOT).map_err(|error| moved(TENANT_ROOT, &error))?;
    sys::mount(".", "/", "", MS_MOVE, "").map_err(|error| moved("moving the root", &error))?;
    chroot(".").map_err(|error| moved("chroot", &error))?;
    set_current_dir("/").map_err(|error| moved("/", &error))?;

    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "")?;
    mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "")?;
    devices()?;
    masks::put_on()?;
    if fs::create_dir("/tmp").is_ok() {
        fs::set_permissions("/tmp", Permissions::from_mode(0o1777)).map_err(|error| moved("/tmp", &error))?;
    }
    Ok(())
}

/// The tenant's cgroup is the top of all that its view of cgroups has, and its limits are not the tenant's to lift (see `nsdelegate`). The top
/// is where its maker is at that moment; the init itself lives outside, where no limit of the tenant's reaches it.
fn unshare_from_agent() -> sys::Result<()> {
    let outside = fs::OpenOptions::new().write(true).open(format!("{}/cgroup.procs", CGROUPS))?;
    fs::write(format!("{}/tenant/cgroup.procs", CGROUPS), "0")?;
    sys::unshare(sys::VIEW)?;
    sys::write(&outside, b"0").map(drop)
}

/// Made one by one: a devtmpfs would show even the root disk and the agent's port.
fn devices() -> Result<(), String> {
    const NODES: [(&str, u32, u32); 6] =
        [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
    const LINKS: [(&str, &str); 5] = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    mount("dev", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")?;
    sys::set_umask(0);
    for (name, major, minor) in NODES {
        sys::make_device(&format!("/dev/{}", name), 0o666, major, minor).map_err(|error| format!("/dev/{}: {}", name, error))?;
    }
    sys::set_umask(0o022);
    for (name, target) in LINKS {
        symlink(target, format!("/dev/{}", name)).map_err(|error| format!("/dev/{}: {}", name, error))?;
    }
    // 5 is the group tty everywhere.
    mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,gid=5,mode=620,ptmxmode=666")?;
    mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
}
