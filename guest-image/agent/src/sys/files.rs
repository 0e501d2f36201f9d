//! Files, and what is below the tenant's root.

use super::*;

/// Opens `path` as if `root` were `/`: no symbolic link and no `..` leads out of it. O_CLOEXEC is added.
pub fn open_in_root(root: &impl AsRawFd, path: &CStr, flags: i32, mode: u32) -> Result<OwnedFd> {
    const RESOLVE_IN_ROOT: u64 = 0x10;
    open_resolved(root, path, flags, mode, RESOLVE_IN_ROOT)
}

/// Opens what is at `path` below `directory`, through directories alone: a symbolic link anywhere on the way is ELOOP.
pub fn open_beneath(directory: &impl AsRawFd, path: &CStr, flags: i32) -> Result<OwnedFd> {
    const RESOLVE_NO_SYMLINKS: u64 = 0x04;
    const RESOLVE_BENEATH: u64 = 0x08;
    open_resolved(directory, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
}

fn open_resolved(from: &impl AsRawFd, path: &CStr, flags: i32, mode: u32, resolve: u64) -> Result<OwnedFd> {
    const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
    // struct open_how: flags, mode, resolve.
    let how: [u64; 3] = [(flags | O_CLOEXEC) as u64, mode.into(), resolve | RESOLVE_NO_MAGICLINKS];
    // The kernel gives up a `..` while something, somewhere, is being renamed: it cannot tell then that it stays inside.
    const TRIES: usize = 32;
    let mut opened = Err(errno::EAGAIN);
    for _ in 0..TRIES {
        opened = call(OPENAT2, &[fd(from), string(path), pointer(&how), std::mem::size_of_val(&how)]);
        if opened != Err(errno::EAGAIN) {
            break;
        }
    }
    descriptor(opened)
}

/// What is said of a file beside what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Of the mode: what kind of file it is, one of `S_IF…`.
    pub kind: u32,
    /// The other 12 bits.
    pub mode: u32,
    pub uid: u32,
    pub size_bytes: u64,
    /// Since 1970, which nothing was modified before.
    pub modified_ns: u64,
}

pub const S_IFDIR: u32 = 0o040000;
pub const S_IFREG: u32 = 0o100000;
pub const S_IFLNK: u32 = 0o120000;

pub fn about(file: &impl AsRawFd) -> Result<About> {
    const AT_EMPTY_PATH: usize = 0x1000;
    about_from(file, &c_string("")?, AT_EMPTY_PATH)
}

/// Of what has this name in the directory: of a link itself, and without mounting anything there.
pub fn about_at(directory: &impl AsRawFd, name: &CStr) -> Result<About> {
    const AT_SYMLINK_NOFOLLOW: usize = 0x100;
    const AT_NO_AUTOMOUNT: usize = 0x800;
    about_from(directory, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
}

fn about_from(from: &impl AsRawFd, path: &CStr, flags: usize) -> Result<About> {
    let about = statx(from, path, flags)?;
    let wide = |at: usize| u64::from(about[at]) | u64::from(about[at + 1]) << 32;
    let seconds = u64::try_from(wide(28) as i64).unwrap_or(0);
    let mode = about[7] & 0xffff;
    Ok(About {
        kind: mode & 0o170000,
        mode: mode & 0o7777,
        uid: about[5],
        size_bytes: wide(10),
        modified_ns: seconds.saturating_mul(1_000_000_000).saturating_add(u64::from(about[30] % 1_000_000_000)),
    })
}

/// struct statx, in words of 4 bytes: owner at 5, mode at 7 (16 bits), inode at 8, size at 10, change at 24, modification at 28, device at 34.
fn statx(from: &impl AsRawFd, path: &CStr, flags: usize) -> Result<[u32; 64]> {
    const BASIC_STATS: usize = 0x7ff;
    let mut about = [0u32; 64];
    call(STATX, &[fd(from), string(path), flags, BASIC_STATS, about.as_mut_ptr() as usize])?;
    Ok(about)
}

/// Where the link leads, which has this name in the directory. With an empty name: the one that was opened with O_PATH.
pub fn read_link(directory: &impl AsRawFd, name: &CStr) -> Result<Vec<u8>> {
    // No link is longer than a path may be.
    let mut target = vec![0; 4096];
    let count = call(READLINKAT, &[fd(directory), string(name), target.as_mut_ptr() as usize, target.len()])?;
    target.truncate(count);
    Ok(target)
}

pub fn make_link(target: &CStr, directory: &impl AsRawFd, name: &CStr) -> Result<()> {
    call(SYMLINKAT, &[string(target), fd(directory), string(name)]).map(drop)
}

/// Appends the next entries of a directory as the kernel has them, at most `max` bytes. 0 is the end.
pub fn read_entries(directory: &impl AsRawFd, buffer: &mut Vec<u8>, max: usize) -> Result<usize> {
    append(GETDENTS64, directory, buffer, max)
}

/// When a file was last modified, since 1970; when it was read stays as it is.
pub fn set_modified(file: &impl AsRawFd, unix_ns: u64) -> Result<()> {
    let times = modified(unix_ns);
    call(UTIMENSAT, &[fd(file), 0, pointer(&times), 0]).map(drop)
}

/// The same, of a link itself.
pub fn set_link_modified(directory: &impl AsRawFd, name: &CStr, unix_ns: u64) -> Result<()> {
    const AT_SYMLINK_NOFOLLOW: usize = 0x100;
    let times = modified(unix_ns);
    call(UTIMENSAT, &[fd(directory), string(name), pointer(&times), AT_SYMLINK_NOFOLLOW]).map(drop)
}

/// Two of struct timespec: read, modified.
fn modified(unix_ns: u64) -> [u64; 4] {
    const UTIME_OMIT: u64 = (1 << 30) - 2;
    [0, UTIME_OMIT, unix_ns / 1_000_000_000, unix_ns % 1_000_000_000]
}

pub fn change_link_owner(directory: &impl AsRawFd, name: &CStr, uid: u32, gid: u32) -> Result<()> {
    const AT_SYMLINK_NOFOLLOW: usize = 0x100;
    call(FCHOWNAT, &[fd(directory), string(name), uid as usize, gid as usize, AT_SYMLINK_NOFOLLOW]).map(drop)
}

/// Whether the kernel makes up what is there (proc, sysfs, control groups), without telling anybody when it changes.
pub fn is_made_up(file: &impl AsRawFd) -> Result<bool> {
    const MADE_UP: [u64; 3] = [0x9fa0, 0x6265_6572, 0x6367_7270];
    // struct statfs: the type is its first word.
    let mut about = [0u64; 15];
    call(FSTATFS, &[fd(file), about.as_mut_ptr() as usize])?;
    Ok(MADE_UP.contains(&about[0]))
}

/// Which file it is and when it was last written to: with the same stamp, it says the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    device: (u32, u32),
    inode: u64,
    size_bytes: u64,
    modified_at: Duration,
    pub changed_at: Duration,
    pub is_regular: bool,
}

pub fn stamp_of(file: &impl AsRawFd) -> Result<Stamp> {
    const AT_EMPTY_PATH: usize = 0x1000;
    stamp(file, &c_string("")?, AT_EMPTY_PATH)
}

/// Of what is at `path` below `root` if no link leads away from it. Links are followed by the agent's own root: to be compared, never believed.
pub fn stamp_at(root: &impl AsRawFd, path: &CStr) -> Result<Stamp> {
    const AT_SYMLINK_NOFOLLOW: usize = 0x100;
    stamp(root, path, AT_SYMLINK_NOFOLLOW)
}

fn stamp(from: &impl AsRawFd, path: &CStr, flags: usize) -> Result<Stamp> {
    let about = statx(from, path, flags)?;
    let wide = |at: usize| u64::from(about[at]) | u64::from(about[at + 1]) << 32;
    let time = |at: usize| Duration::new(wide(at), about[at + 2] % 1_000_000_000);
    const TYPE: u32 = 0o170000;
    Ok(Stamp {
        device: (about[34], about[35]),
        inode: wide(8),
        size_bytes: wide(10),
        modified_at: time(28),
        changed_at: time(24),
        is_regular: about[7] & TYPE == S_IFREG,
    })
}

pub fn make_directory(parent: &impl AsRawFd, name: &CStr, mode: u32) -> Result<()> {
    call(MKDIRAT, &[fd(parent), string(name), mode as usize]).map(drop)
}

pub fn unlink(parent: &impl AsRawFd, name: &CStr) -> Result<()> {
    call(UNLINKAT, &[fd(parent), string(name), 0]).map(drop)
}

pub fn remove_directory(parent: &impl AsRawFd, name: &CStr) -> Result<()> {
    const AT_REMOVEDIR: usize = 0x200;
    call(UNLINKAT, &[fd(parent), string(name), AT_REMOVEDIR]).map(drop)
}

/// What has the new name already is replaced.
pub fn rename(parent: &impl AsRawFd, from: &CStr, new_parent: &impl AsRawFd, to: &CStr) -> Result<()> {
    call(RENAMEAT2, &[fd(parent), string(from), fd(new_parent), string(to), 0]).map(drop)
}

pub fn change_owner(of: &impl AsRawFd, uid: u32, gid: u32) -> Result<()> {
    call(FCHOWN, &[fd(of), uid as usize, gid as usize]).map(drop)
}
