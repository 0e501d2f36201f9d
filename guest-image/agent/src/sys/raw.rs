//! How a system call is made, and a process that becomes its program: all of the agent's unsafe code, each block under its reason.
//!
//! The calls are made directly, not through the C library: the child of `spawn` shares the agent's memory and so must not touch
//! `errno` or anything else the library keeps, and one path for all is easier to check than two.

use super::*;
use std::arch::asm;
use std::os::raw::c_char;
use std::os::unix::io::FromRawFd;
use std::ptr;

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
pub(super) fn call(number: usize, arguments: &[usize]) -> Result<usize> {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    // Safety: the callers, all of them in this room, pass pointers only to memory that they hold for the length of the call.
    check(unsafe { raw(number, all) })
}

/// Again, where a stop and a continue came between.
pub(super) fn uninterrupted(number: usize, arguments: &[usize]) -> Result<usize> {
    loop {
        match call(number, arguments) {
            Err(errno::EINTR) => {}
            result => return result,
        }
    }
}

pub(super) fn descriptor(result: Result<usize>) -> Result<OwnedFd> {
    // Safety: the kernel has just made this descriptor for us; nobody else knows it.
    result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// What a call appends that takes a descriptor, room and its size, and says how much of the room it has filled.
pub(super) fn append(number: usize, from: &impl AsRawFd, buffer: &mut Vec<u8>, max: usize) -> Result<usize> {
    buffer.reserve(max);
    let end = buffer.spare_capacity_mut().as_mut_ptr();
    let count = uninterrupted(number, &[fd(from), end as usize, max])?;
    // Safety: `max` bytes were reserved behind the length, and the kernel has written the first `count` of them.
    unsafe { buffer.set_len(buffer.len() + count) };
    Ok(count)
}

/// Overwrites a secret in a way the compiler cannot leave out.
pub fn wipe(bytes: &mut [u8]) {
    for byte in bytes {
        // Safety: a write through a reference that we hold alone.
        unsafe { ptr::write_volatile(byte, 0) };
    }
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
        must(SETNS, [process as usize, VIEW, 0, 0, 0, 0]);
    }
    if let Some(credentials) = &plan.credentials {
        // As root still.
        for capability in credentials.without {
            must(PRCTL, [PR_CAPBSET_DROP, usize::from(*capability), 0, 0, 0, 0]);
        }
        let (uid, gid) = (credentials.uid as usize, credentials.gid as usize);
        must(SETGROUPS, [credentials.groups.len(), credentials.groups.as_ptr() as usize, 0, 0, 0, 0]);
        must(SETRESGID, [gid, gid, gid, 0, 0, 0]);
        must(SETRESUID, [uid, uid, uid, 0, 0, 0]);
    }
    if plan.no_new_privileges {
        const PR_SET_NO_NEW_PRIVS: usize = 38;
        must(PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0]);
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
    if !plan.filter.is_empty() {
        const SECCOMP_SET_MODE_FILTER: usize = 1;
        // struct sock_fprog: how many, and where. What is left to be done from here on passes.
        let program = [plan.filter.len(), plan.filter.as_ptr() as usize];
        must(SECCOMP, [SECCOMP_SET_MODE_FILTER, 0, program.as_ptr() as usize, 0, 0, 0]);
    }
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
