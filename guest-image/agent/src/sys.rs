//! Every system call of the agent, and with them all of its unsafe code.
//!
//! The calls are made directly, not through the C library: the child of `spawn` shares the agent's memory and so must not touch
//! `errno` or anything else the library keeps, and one path for all is easier to check than two.

use crate::errno::{self, Errno};
use std::arch::asm;
use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, Errno>;

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
mod number {
    pub const READ: usize = 0; pub const WRITE: usize = 1; pub const RT_SIGACTION: usize = 13; pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16; pub const GETPID: usize = 39; pub const SOCKET: usize = 41; pub const CLONE: usize = 56;
    pub const EXECVE: usize = 59; pub const KILL: usize = 62; pub const FCNTL: usize = 72; pub const CHDIR: usize = 80;
    pub const FCHOWN: usize = 93; pub const UMASK: usize = 95; pub const GETEUID: usize = 107; pub const SETSID: usize = 112;
    pub const SETGROUPS: usize = 116; pub const SETRESUID: usize = 117; pub const SETRESGID: usize = 119;
    pub const CONNECT: usize = 42; pub const SETSOCKOPT: usize = 54;
    pub const STATFS: usize = 137;
    pub const RT_SIGTIMEDWAIT: usize = 128; pub const PRCTL: usize = 157; pub const MOUNT: usize = 165; pub const UMOUNT2: usize = 166; pub const REBOOT: usize = 169;
    pub const SETHOSTNAME: usize = 170; pub const CLOCK_SETTIME: usize = 227; pub const EXIT_GROUP: usize = 231;
    pub const EPOLL_CTL: usize = 233; pub const WAITID: usize = 247; pub const MKDIRAT: usize = 258; pub const MKNODAT: usize = 259;
    pub const UNLINKAT: usize = 263; pub const UNSHARE: usize = 272; pub const EPOLL_PWAIT: usize = 281;
    pub const EPOLL_CREATE1: usize = 291; pub const DUP3: usize = 292; pub const PIPE2: usize = 293; pub const PRLIMIT64: usize = 302;
    pub const FACCESSAT: usize = 269; pub const SCHED_SETATTR: usize = 314; pub const SETNS: usize = 308; pub const FINIT_MODULE: usize = 313; pub const RENAMEAT2: usize = 316; pub const STATX: usize = 332;
    pub const FSTATFS: usize = 138; pub const GETDENTS64: usize = 217; pub const INOTIFY_ADD_WATCH: usize = 254;
    pub const INOTIFY_RM_WATCH: usize = 255; pub const FCHOWNAT: usize = 260; pub const SYMLINKAT: usize = 266;
    pub const READLINKAT: usize = 267; pub const UTIMENSAT: usize = 280; pub const INOTIFY_INIT1: usize = 294;
}

#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
mod number {
    pub const READ: usize = 63; pub const WRITE: usize = 64; pub const RT_SIGACTION: usize = 134; pub const RT_SIGPROCMASK: usize = 135;
    pub const IOCTL: usize = 29; pub const GETPID: usize = 172; pub const SOCKET: usize = 198; pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221; pub const KILL: usize = 129; pub const FCNTL: usize = 25; pub const CHDIR: usize = 49;
    pub const FCHOWN: usize = 55; pub const UMASK: usize = 166; pub const GETEUID: usize = 175; pub const SETSID: usize = 157;
    pub const SETGROUPS: usize = 159; pub const SETRESUID: usize = 147; pub const SETRESGID: usize = 149;
    pub const CONNECT: usize = 203; pub const SETSOCKOPT: usize = 208;
    pub const STATFS: usize = 43;
    pub const RT_SIGTIMEDWAIT: usize = 137; pub const PRCTL: usize = 167; pub const MOUNT: usize = 40; pub const UMOUNT2: usize = 39; pub const REBOOT: usize = 142;
    pub const SETHOSTNAME: usize = 161; pub const CLOCK_SETTIME: usize = 112; pub const EXIT_GROUP: usize = 94;
    pub const EPOLL_CTL: usize = 21; pub const WAITID: usize = 95; pub const MKDIRAT: usize = 34; pub const MKNODAT: usize = 33;
    pub const UNLINKAT: usize = 35; pub const UNSHARE: usize = 97; pub const EPOLL_PWAIT: usize = 22;
    pub const EPOLL_CREATE1: usize = 20; pub const DUP3: usize = 24; pub const PIPE2: usize = 59; pub const PRLIMIT64: usize = 261;
    pub const FACCESSAT: usize = 48; pub const SCHED_SETATTR: usize = 274; pub const SETNS: usize = 268; pub const FINIT_MODULE: usize = 273; pub const RENAMEAT2: usize = 276; pub const STATX: usize = 291;
    pub const FSTATFS: usize = 44; pub const GETDENTS64: usize = 61; pub const INOTIFY_ADD_WATCH: usize = 27;
    pub const INOTIFY_RM_WATCH: usize = 28; pub const FCHOWNAT: usize = 54; pub const SYMLINKAT: usize = 36;
    pub const READLINKAT: usize = 78; pub const UTIMENSAT: usize = 88; pub const INOTIFY_INIT1: usize = 26;
}

use number::*;
// One number everywhere: calls younger than the common table.
const PIDFD_OPEN: usize = 434;
const CLONE3: usize = 435;
const CLOSE_RANGE: usize = 436;
const OPENAT2: usize = 437;

pub const O_DIRECTORY: i32 = if cfg!(target_arch = "aarch64") { 0o40000 } else { 0o200000 };
pub const O_NOFOLLOW: i32 = if cfg!(target_arch = "aarch64") { 0o100000 } else { 0o400000 };
pub const O_RDONLY: i32 = 0;
pub const O_WRONLY: i32 = 1;
pub const O_RDWR: i32 = 2;
pub const O_CREAT: i32 = 0o100;
pub const O_EXCL: i32 = 0o200;
pub const O_NOCTTY: i32 = 0o400;
pub const O_APPEND: i32 = 0o2000;
pub const O_NONBLOCK: i32 = 0o4000;
pub const O_CLOEXEC: i32 = 0o2000000;
pub const O_PATH: i32 = 0o10000000;

pub const SIGKILL: i32 = 9;
pub const SIGPIPE: i32 = 13;
pub const SIGTERM: i32 = 15;
pub const SIGCHLD: i32 = 17;

type Arguments = [usize; 6];

/// The system call itself. Returns the kernel's word: a value, or a negated error.
///
/// # Safety
/// As the named call: pointers among the arguments must be valid for what it does with them.
#[inline(always)]
unsafe fn raw(number: usize, a: Arguments) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3],
        in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    #[cfg(target_arch = "aarch64")]
    asm!("svc 0", in("x8") number, inlateout("x0") a[0] as isize => result, in("x1") a[1], in("x2") a[2], in("x3") a[3],
        in("x4") a[4], in("x5") a[5], options(nostack));
    result
}

fn check(result: isize) -> Result<usize> {
    if result < 0 {
        Err(Errno(-result as i32))
    } else {
        Ok(result as usize)
    }
}

/// For calls whose arguments are plain numbers.
fn call(number: usize, arguments: &[usize]) -> Result<usize> {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    // Safety: the callers in this file pass pointers only to memory that they hold for the length of the call.
    check(unsafe { raw(number, all) })
}

/// Again, where a stop and a continue came between.
fn uninterrupted(number: usize, arguments: &[usize]) -> Result<usize> {
    loop {
        match call(number, arguments) {
            Err(errno::EINTR) => {}
            result => return result,
        }
    }
}

fn descriptor(result: Result<usize>) -> Result<OwnedFd> {
    // Safety: the kernel has just made this descriptor for us; nobody else knows it.
    result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn fd(of: &impl AsRawFd) -> usize {
    of.as_raw_fd() as usize
}

fn pointer<T>(to: &T) -> usize {
    to as *const T as usize
}

fn string(text: &CStr) -> usize {
    text.as_ptr() as usize
}

pub fn c_string(bytes: impl Into<Vec<u8>>) -> Result<CString> {
    CString::new(bytes).map_err(|_| errno::EINVAL)
}

// Bytes

/// Appends what one read brings, at most `max` bytes. Memory beyond what was read stays untouched, and so costs a clone nothing.
pub fn read_onto(from: &impl AsRawFd, buffer: &mut Vec<u8>, max: usize) -> Result<usize> {
    buffer.reserve(max);
    let end = buffer.spare_capacity_mut().as_mut_ptr();
    let count = uninterrupted(READ, &[fd(from), end as usize, max])?;
    // Safety: `max` bytes were reserved behind the length, and the kernel has written the first `count` of them.
    unsafe { buffer.set_len(buffer.len() + count) };
    Ok(count)
}

pub fn write(to: &impl AsRawFd, bytes: &[u8]) -> Result<usize> {
    uninterrupted(WRITE, &[fd(to), bytes.as_ptr() as usize, bytes.len()])
}

/// Overwrites a secret in a way the compiler cannot leave out.
pub fn wipe(bytes: &mut [u8]) {
    for byte in bytes {
        // Safety: a write through a reference that we hold alone.
        unsafe { ptr::write_volatile(byte, 0) };
    }
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

// Waiting

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

// Processes

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Exit(i32),
    Signal(i32),
}

/// How the process ended, if it has; it stays a zombie, and so keeps its number, unless `reap`.
pub fn wait(pidfd: &OwnedFd, reap: bool) -> Result<Option<Ended>> {
    const P_PIDFD: usize = 3;
    const WNOHANG: usize = 1;
    const WEXITED: usize = 4;
    const WNOWAIT: usize = 0x0100_0000;
    const CLD_EXITED: i32 = 1;
    // siginfo_t: signal, error, code, (padding), pid, uid, status.
    let mut info = [0i32; 32];
    let options = WNOHANG | WEXITED | if reap { 0 } else { WNOWAIT };
    call(WAITID, &[P_PIDFD, fd(pidfd), info.as_mut_ptr() as usize, options, 0])?;
    Ok(match (info[4], info[2]) {
        (0, _) => None,
        (_, CLD_EXITED) => Some(Ended::Exit(info[6])),
        _ => Some(Ended::Signal(info[6])),
    })
}

/// Waits for the end of a process that is sure to come, and forgets it.
pub fn bury(pidfd: &OwnedFd) -> Result<()> {
    const P_PIDFD: usize = 3;
    const WEXITED: usize = 4;
    uninterrupted(WAITID, &[P_PIDFD, fd(pidfd), 0, WEXITED, 0]).map(drop)
}

pub fn kill_group(leader: i32, signal: i32) -> Result<()> {
    call(KILL, &[-(leader as isize) as usize, signal as usize]).map(drop)
}

pub fn pidfd_open(pid: i32) -> Result<OwnedFd> {
    descriptor(call(PIDFD_OPEN, &[pid as usize, 0]))
}

/// What a process may take from another when it wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The processor, if its niceness is the better.
    Ordinary = 0,
    /// Nothing: it waits until the other sleeps, ends, or has had its time (SCHED_BATCH).
    Patient = 3,
}

/// The niceness is from -20, the first to be served, to 19. A `pid` of 0 is the caller.
pub fn set_scheduling(pid: i32, policy: Policy, niceness: i32) -> Result<()> {
    // struct sched_attr: size and policy, flags, niceness and priority, three times of policies that are not these.
    let attributes: [u64; 6] = [48 | (policy as u64) << 32, 0, u64::from(niceness as u32), 0, 0, 0];
    call(SCHED_SETATTR, &[pid as usize, pointer(&attributes), 0]).map(drop)
}

/// The life of the tenant's init: sleep until a child dies, bury every dead child, and again. It never returns.
pub fn reap_for_ever() -> ! {
    const P_ALL: usize = 0;
    const WNOHANG_WEXITED: usize = 1 | 4;
    const SIG_BLOCK: usize = 0;
    let child_died: u64 = 1 << (SIGCHLD - 1);
    // Blocked, so that it waits for us instead of being thrown away.
    let _ = call(RT_SIGPROCMASK, &[SIG_BLOCK, pointer(&child_died), 0, 8]);
    loop {
        let mut info = [0i32; 32];
        while call(WAITID, &[P_ALL, 0, info.as_mut_ptr() as usize, WNOHANG_WEXITED, 0]).is_ok() && info[4] != 0 {
            info[4] = 0;
        }
        let _ = call(RT_SIGTIMEDWAIT, &[pointer(&child_died), 0, 0, 8]);
    }
}

/// An ordinary fork: 0 in the child. Only for the agent while it has a single thread, which is always.
pub fn fork() -> Result<i32> {
    call(CLONE, &[SIGCHLD as usize, 0, 0, 0, 0]).map(|pid| pid as i32)
}

pub fn exit(code: i32) -> ! {
    loop {
        let _ = call(EXIT_GROUP, &[code as usize]);
    }
}

pub const CLONE_NEWNS: usize = 0x0002_0000;
pub const CLONE_NEWCGROUP: usize = 0x0200_0000;
pub const CLONE_NEWIPC: usize = 0x0800_0000;
pub const CLONE_NEWPID: usize = 0x2000_0000;

pub fn unshare(what: usize) -> Result<()> {
    call(UNSHARE, &[what]).map(drop)
}

pub fn is_root() -> bool {
    call(GETEUID, &[]) == Ok(0)
}

/// What a child is to become, all of it prepared while allocating is still allowed.
#[derive(Default)]
pub struct Plan<'a> {
    /// Tried in order, as the entries of PATH are.
    pub programs: &'a [CString],
    pub arguments: &'a [CString],
    pub environment: &'a [CString],
    /// Tried in order: the user's home, then `/`.
    pub directories: &'a [CString],
    pub stdio: [RawFd; 3],
    /// A process whose mount, IPC and cgroup namespaces the child enters.
    pub namespaces_of: Option<RawFd>,
    pub cgroup: Option<RawFd>,
    pub credentials: Option<Credentials<'a>>,
    /// Its stdin is to be the terminal that controls its session.
    pub terminal: bool,
}

#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub uid: u32,
    pub gid: u32,
    pub groups: &'a [u32],
}

pub struct Spawned {
    pub pidfd: OwnedFd,
    /// As the agent sees it.
    pub pid: i32,
    /// As the process itself sees it.
    pub pid_inside: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Spawn,
    Directory,
    Exec,
}

/// What parent and child share: they have one memory until the child has become its program, and the parent waits until then.
struct Child<'a> {
    plan: *const Plan<'a>,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    pid_inside: i32,
    failed: Option<(Step, Errno)>,
}

/// More than ten times what `become_program` needs, unoptimised.
const CHILD_STACK_BYTES: usize = 32 * 1024;

/// Starts a program the way posix_spawn does: the child borrows the agent's memory on a stack of its own, so that not one page
/// table is copied, and is born in its cgroup and with a pidfd.
pub fn spawn(plan: &Plan<'_>) -> std::result::Result<Spawned, (Step, Errno)> {
    const CLONE_VM: u64 = 0x100;
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_VFORK: u64 = 0x4000;
    const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|text| text.as_ptr()).chain(std::iter::once(ptr::null())).collect()
    };
    let (arguments, environment) = (pointers(plan.arguments), pointers(plan.environment));
    let mut child = Child { plan, arguments: arguments.as_ptr(), environment: environment.as_ptr(), pid_inside: 0, failed: None };
    // u128 for the alignment a stack must have.
    let mut stack: Vec<u128> = Vec::with_capacity(CHILD_STACK_BYTES / 16);
    let mut pidfd: RawFd = -1;
    // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup.
    let request: [u64; 11] = [
        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | if plan.cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 },
        &mut pidfd as *mut RawFd as u64,
        0,
        0,
        SIGCHLD as u64,
        stack.as_mut_ptr() as u64,
        CHILD_STACK_BYTES as u64,
        0,
        0,
        0,
        plan.cgroup.unwrap_or(0) as u64,
    ];
    // Safety: CLONE_VFORK holds the agent still until the child has called execve or ended, so everything the child reads (`child`,
    // `plan`, the strings, its stack) outlives its use, and nothing is written by two at once. The child runs `become_program`
    // and nothing else; that makes system calls only, and never returns.
    let result = unsafe { clone_onto_stack(&request, become_program, &mut child) };
    let pid = check(result).map_err(|error| (Step::Spawn, error))? as i32;
    // Safety: CLONE_PIDFD has put a descriptor there that is ours.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // Safety: read as volatile because the child has written it behind the compiler's back.
    match unsafe { ptr::read_volatile(&child.failed) } {
        None => {
            // Safety: as above.
            let pid_inside = unsafe { ptr::read_volatile(&child.pid_inside) };
            Ok(Spawned { pidfd, pid, pid_inside })
        }
        Some(failed) => {
            // It has ended or is about to: vfork returns within its exit, so the wait is short and never for ever.
            let _ = bury(&pidfd);
            Err(failed)
        }
    }
}

/// clone3, with the child continuing in `start(child)` at the top of its new stack.
///
/// # Safety
/// `request` must name a stack of its own, and `start` must not return.
#[inline(never)]
unsafe fn clone_onto_stack(request: &[u64; 11], start: unsafe extern "C" fn(*mut Child<'_>) -> !, child: *mut Child<'_>) -> isize {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    asm!(
        "syscall",
        "test rax, rax",
        "jnz 2f",
        "xor ebp, ebp",
        "mov rdi, r12",
        "call r13",
        "ud2",
        "2:",
        inlateout("rax") CLONE3 as isize => result,
        in("rdi") request.as_ptr(),
        in("rsi") std::mem::size_of::<[u64; 11]>(),
        in("r12") child,
        in("r13") start,
        lateout("rcx") _,
        lateout("r11") _,
    );
    #[cfg(target_arch = "aarch64")]
    asm!(
        "svc 0",
        "cbnz x0, 2f",
        "mov x29, xzr",
        "mov x0, x20",
        "blr x21",
        "brk 1",
        "2:",
        inlateout("x0") request.as_ptr() as isize => result,
        in("x1") std::mem::size_of::<[u64; 11]>(),
        in("x8") CLONE3,
        in("x20") child,
        in("x21") start,
    );
    result
}

/// The child's whole life before its program.
///
/// # Safety
/// Runs in the agent's memory: it may not allocate, panic, return, or write anything but its stack and `child`.
unsafe extern "C" fn become_program(child: *mut Child<'_>) -> ! {
    let fail = move |step: Step, result: isize| -> ! {
        ptr::write_volatile(ptr::addr_of_mut!((*child).failed), Some((step, Errno(-result as i32))));
        loop {
            raw(EXIT_GROUP, [127, 0, 0, 0, 0, 0]);
        }
    };
    let must = move |number: usize, arguments: Arguments| {
        let result = raw(number, arguments);
        if result < 0 {
            fail(Step::Spawn, result);
        }
        result
    };
    let plan = &*(*child).plan;
    ptr::write_volatile(ptr::addr_of_mut!((*child).pid_inside), raw(GETPID, [0; 6]) as i32);
    // A session of its own: group and session have the leader's number, and one kill reaches all that stay in it.
    must(SETSID, [0; 6]);
    for (target, source) in plan.stdio.iter().enumerate() {
        must(DUP3, [*source as usize, target, 0, 0, 0, 0]);
    }
    if plan.terminal {
        must(IOCTL, [0, TIOCSCTTY, 0, 0, 0, 0]);
    }
    if let Some(process) = plan.namespaces_of {
        must(SETNS, [process as usize, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWCGROUP, 0, 0, 0, 0]);
    }
    if let Some(credentials) = &plan.credentials {
        let (uid, gid) = (credentials.uid as usize, credentials.gid as usize);
        must(SETGROUPS, [credentials.groups.len(), credentials.groups.as_ptr() as usize, 0, 0, 0, 0]);
        must(SETRESGID, [gid, gid, gid, 0, 0, 0]);
        must(SETRESUID, [uid, uid, uid, 0, 0, 0]);
        if uid != 0 {
            const PR_SET_NO_NEW_PRIVS: usize = 38;
            must(PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0]);
        }
    }
    // CLONE_CLEAR_SIGHAND leaves alone what is ignored, and Rust's runtime ignores SIGPIPE.
    const SIG_SETMASK: usize = 2;
    let default_action = [0u64; 4];
    must(RT_SIGACTION, [SIGPIPE as usize, default_action.as_ptr() as usize, 0, 8, 0, 0]);
    let nothing_blocked = 0u64;
    must(RT_SIGPROCMASK, [SIG_SETMASK, pointer(&nothing_blocked), 0, 8, 0, 0]);
    // Everything is opened close-on-exec; a descriptor of the agent in a tenant's hands would be bad enough to make sure twice.
    const CLOSE_RANGE_CLOEXEC: usize = 4;
    must(CLOSE_RANGE, [3, u32::MAX as usize, CLOSE_RANGE_CLOEXEC, 0, 0, 0]);
    // As the user, whose rights decide.
    let mut entered = -(errno::ENOENT.0 as isize);
    for directory in plan.directories {
        entered = raw(CHDIR, [string(directory), 0, 0, 0, 0, 0]);
        if entered >= 0 {
            break;
        }
    }
    if entered < 0 {
        fail(Step::Directory, entered);
    }
    // As execvp does: a file that may not be run is remembered, while the search for one that may goes on.
    let mut failure = -(errno::ENOENT.0 as isize);
    for program in plan.programs {
        // Asked first whether it is there: that is a fifth of what execve takes to find that it is not.
        if plan.programs.len() > 1 {
            const AT_FDCWD: isize = -100;
            let there = raw(FACCESSAT, [AT_FDCWD as usize, string(program), 0, 0, 0, 0]);
            if let errno::ENOENT | errno::ENOTDIR = Errno(-there as i32) {
                continue;
            }
        }
        let result = raw(EXECVE, [string(program), (*child).arguments as usize, (*child).environment as usize, 0, 0, 0]);
        match Errno(-result as i32) {
            errno::EACCES => failure = result,
            errno::ENOENT | errno::ENOTDIR | errno::ESTALE | errno::ENODEV | errno::ETIMEDOUT => {}
            _ => fail(Step::Exec, result),
        }
    }
    fail(Step::Exec, failure)
}

// Terminals

const TIOCSCTTY: usize = 0x540e;

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

// Connections

/// Of the machine's own addresses, 127.0.0.1 and ::1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    Four = 2,
    Six = 10,
}

/// A socket that does not block and begins to connect. That it has, or why not, is its error once it can be written to. The kernel keeps
/// `buffer_bytes` of what was sent and not taken, each way: twice as much, for its own book-keeping.
pub fn begin_to_connect(to: Loopback, port: u16, buffer_bytes: i32) -> Result<OwnedFd> {
    const SOCK_STREAM: i32 = 1;
    const SO_SNDBUF: usize = 7;
    const SO_RCVBUF: usize = 8;
    let socket = descriptor(call(SOCKET, &[to as usize, (SOCK_STREAM | O_NONBLOCK | O_CLOEXEC) as usize, 0]))?;
    for buffer in [SO_SNDBUF, SO_RCVBUF] {
        call(SETSOCKOPT, &[fd(&socket), SOL_SOCKET, buffer, pointer(&buffer_bytes), 4])?;
    }
    // struct sockaddr_in: family, port, address, nothing. struct sockaddr_in6: family, port, flow, address, scope.
    let mut address = [0u8; 28];
    address[..2].copy_from_slice(&(to as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    let length = match to {
        Loopback::Four => {
            address[4..8].copy_from_slice(&[127, 0, 0, 1]);
            16
        }
        Loopback::Six => {
            address[23] = 1;
            28
        }
    };
    match call(CONNECT, &[fd(&socket), address.as_ptr() as usize, length]) {
        Ok(_) | Err(errno::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

const SOL_SOCKET: usize = 1;

/// Closed from now on, it throws away what was not sent, and its peer sees a reset.
pub fn reset_on_close(socket: &impl AsRawFd) -> Result<()> {
    const SO_LINGER: usize = 13;
    // struct linger: whether, and for how many seconds.
    let linger: [i32; 2] = [1, 0];
    call(SETSOCKOPT, &[fd(socket), SOL_SOCKET, SO_LINGER, pointer(&linger), 8]).map(drop)
}

// Files in the tenant's root

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
    buffer.reserve_exact(max);
    let end = buffer.spare_capacity_mut().as_mut_ptr();
    let count = call(GETDENTS64, &[fd(directory), end as usize, max])?;
    // Safety: `max` bytes were reserved behind the length, and the kernel has written the first `count` of them.
    unsafe { buffer.set_len(buffer.len() + count) };
    Ok(count)
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

pub const IN_MODIFY: u32 = 0x2;
pub const IN_CLOSE_WRITE: u32 = 0x8;
pub const IN_MOVED_FROM: u32 = 0x40;
pub const IN_MOVED_TO: u32 = 0x80;
pub const IN_CREATE: u32 = 0x100;
pub const IN_DELETE: u32 = 0x200;
pub const IN_DELETE_SELF: u32 = 0x400;
pub const IN_MOVE_SELF: u32 = 0x800;
pub const IN_UNMOUNT: u32 = 0x2000;
pub const IN_Q_OVERFLOW: u32 = 0x4000;
pub const IN_IGNORED: u32 = 0x8000;
pub const IN_ISDIR: u32 = 0x4000_0000;

pub fn inotify() -> Result<OwnedFd> {
    descriptor(call(INOTIFY_INIT1, &[(O_NONBLOCK | O_CLOEXEC) as usize]))
}

/// Watches the directory that was opened. Returns the watch's number: the same one for a directory that is watched already.
pub fn add_watch(inotify: &impl AsRawFd, directory: &impl AsRawFd, events: u32) -> Result<i32> {
    const IN_ONLYDIR: u32 = 0x0100_0000;
    // A watch is put on a path; this one leads to what was opened, whatever has become of its name.
    let path = c_string(format!("/proc/self/fd/{}", directory.as_raw_fd()))?;
    call(INOTIFY_ADD_WATCH, &[fd(inotify), string(&path), (events | IN_ONLYDIR) as usize]).map(|watch| watch as i32)
}

pub fn remove_watch(inotify: &impl AsRawFd, watch: i32) -> Result<()> {
    call(INOTIFY_RM_WATCH, &[fd(inotify), watch as usize]).map(drop)
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

// The machine

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

/// Shows the file `source` where the file `target` is.
pub fn bind_read_only(source: &str, target: &str) -> Result<()> {
    mount(source, target, "", MS_BIND, "")?;
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

pub fn set_hostname(name: &str) -> Result<()> {
    call(SETHOSTNAME, &[name.as_ptr() as usize, name.len()]).map(drop)
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
