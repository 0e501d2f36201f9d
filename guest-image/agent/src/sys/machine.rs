//! What the agent does to the machine as a whole: mounts, clocks, limits, its end.

use super::*;

pub const MS_RDONLY: usize = 1;
pub const MS_NOSUID: usize = 2;
pub const MS_NODEV: usize = 4;
pub const MS_NOEXEC: usize = 8;
pub const MS_REMOUNT: usize = 0x20;
const MS_BIND: usize = 0x1000;
pub const MS_MOVE: usize = 0x2000;
pub const MS_REC: usize = 0x4000;
pub const MS_PRIVATE: usize = 0x4_0000;

pub fn mount(source: &str, target: &str, kind: &str, flags: usize, options: &str) -> Result<()> {
    let (source, target, kind, options) = (c_string(source)?, c_string(target)?, c_string(kind)?, c_string(options)?);
    call(MOUNT, &[string(&source), string(&target), string(&kind), flags, string(&options)]).map(drop)
}

/// What a file system has used, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub used_bytes: u64,
    pub size_bytes: u64,
}

pub fn space_of(path: &str) -> Result<Space> {
    let path = c_string(path)?;
    // struct statfs: type, size of a block, blocks, free blocks, and what is not asked for.
    let mut about = [0u64; 32];
    call(STATFS, &[string(&path), about.as_mut_ptr() as usize])?;
    let bytes = |blocks: u64| blocks.saturating_mul(about[1]);
    Ok(Space { used_bytes: bytes(about[2].saturating_sub(about[3])), size_bytes: bytes(about[2]) })
}

/// Takes a mount out of this namespace, whoever uses it still.
pub fn detach(target: &str) -> Result<()> {
    const MNT_DETACH: usize = 2;
    call(UMOUNT2, &[string(&c_string(target)?), MNT_DETACH]).map(drop)
}

/// Shows what is at `source` where `target` is.
pub fn bind(source: &str, target: &str) -> Result<()> {
    mount(source, target, "", MS_BIND, "")
}

pub fn bind_read_only(source: &str, target: &str) -> Result<()> {
    bind(source, target)?;
    let result = mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
    if result.is_err() {
        let _ = detach(target);
    }
    result
}

/// Does something among the mounts of another process, whose root is `/` meanwhile, and comes back to `own`. Only for the agent
/// while it has a single thread, which is always; `act` is to do nothing but system calls on paths.
pub fn among_mounts_of<T>(process: &OwnedFd, own: &impl AsRawFd, act: impl FnOnce() -> T) -> Result<T> {
    // The kernel starts its first process with the root and working directory of its own threads, which must stay where they are.
    const CLONE_FS: usize = 0x200;
    unshare(CLONE_FS)?;
    call(SETNS, &[fd(process), CLONE_NEWNS])?;
    let result = act();
    if let Err(error) = call(SETNS, &[fd(own), CLONE_NEWNS]) {
        // An agent that goes on among the tenant's mounts would do there what it means to do in its own.
        panic!("cannot leave the tenant's view: {}", error);
    }
    Ok(result)
}

/// A character device, with exactly this mode: the caller has cleared the umask.
pub fn make_device(path: &str, mode: u32, major: u32, minor: u32) -> Result<()> {
    const S_IFCHR: u32 = 0o020000;
    const AT_FDCWD: isize = -100;
    let path = c_string(path)?;
    call(MKNODAT, &[AT_FDCWD as usize, string(&path), (S_IFCHR | mode) as usize, (major << 8 | minor) as usize]).map(drop)
}

pub fn set_umask(mask: u32) {
    let _ = call(UMASK, &[mask as usize]);
}

pub fn load_module(file: &impl AsRawFd) -> Result<()> {
    call(FINIT_MODULE, &[fd(file), string(&c_string("")?), 0]).map(drop)
}

/// Restart, which is how a guest ends where power-off would need ACPI: the hypervisor is told not to start it again.
pub fn restart() -> ! {
    loop {
        let _ = call(REBOOT, &[0xfee1_dead, 672_274_793, 0x0123_4567, 0]);
    }
}

/// Of the machine as another process sees it; the agent goes there and back to `own`.
pub fn set_hostname_of(process: &OwnedFd, own: &impl AsRawFd, name: &str) -> Result<()> {
    call(SETNS, &[fd(process), CLONE_NEWUTS])?;
    let result = call(SETHOSTNAME, &[name.as_ptr() as usize, name.len()]).map(drop);
    call(SETNS, &[fd(own), CLONE_NEWUTS])?;
    result
}

pub fn set_wall_clock(unix_ns: u64) -> Result<()> {
    const CLOCK_REALTIME: usize = 0;
    let time: [u64; 2] = [unix_ns / 1_000_000_000, unix_ns % 1_000_000_000];
    call(CLOCK_SETTIME, &[CLOCK_REALTIME, pointer(&time)]).map(drop)
}

/// Mixes `entropy` into the kernel's pool, credits it, and has every generator start again from the pool. The first alone does not
/// part two clones: each would go on with the generator it was cloned with.
pub fn seed_random(device: &impl AsRawFd, entropy: &[u8]) -> Result<()> {
    const RNDADDENTROPY: usize = 0x4008_5203;
    const RNDRESEEDCRNG: usize = 0x5207;
    // struct rand_pool_info: bits, bytes, then the bytes.
    let mut pool = Vec::with_capacity(8 + entropy.len());
    pool.extend_from_slice(&(entropy.len() as u32 * 8).to_ne_bytes());
    pool.extend_from_slice(&(entropy.len() as u32).to_ne_bytes());
    pool.extend_from_slice(entropy);
    let added = call(IOCTL, &[fd(device), RNDADDENTROPY, pool.as_ptr() as usize]);
    wipe(&mut pool);
    added?;
    call(IOCTL, &[fd(device), RNDRESEEDCRNG]).map(drop)
}

pub fn loopback_up() -> Result<()> {
    const AF_INET: usize = 2;
    const SOCK_DGRAM: usize = 2;
    const SIOCSIFFLAGS: usize = 0x8914;
    const IFF_UP: u8 = 1;
    let socket = descriptor(call(SOCKET, &[AF_INET, SOCK_DGRAM | O_CLOEXEC as usize, 0]))?;
    // struct ifreq: 16 bytes of name, then the flags.
    let mut request = [0u8; 40];
    request[..2].copy_from_slice(b"lo");
    request[16] = IFF_UP;
    call(IOCTL, &[fd(&socket), SIOCSIFFLAGS, request.as_ptr() as usize]).map(drop)
}

pub const RLIMIT_CORE: usize = 4;
pub const RLIMIT_NPROC: usize = 6;
pub const RLIMIT_NOFILE: usize = 7;
pub const UNLIMITED: u64 = u64::MAX;

pub fn set_limit(which: usize, soft: u64, hard: u64) -> Result<()> {
    let limit = [soft, hard];
    call(PRLIMIT64, &[0, which, pointer(&limit), 0]).map(drop)
}

/// Nobody without every capability may look into this process, or into a child before it is its program.
pub fn forbid_inspection() -> Result<()> {
    const PR_SET_DUMPABLE: usize = 4;
    call(PRCTL, &[PR_SET_DUMPABLE, 0]).map(drop)
}
