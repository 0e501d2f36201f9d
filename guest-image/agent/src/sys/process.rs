//! The lives of processes, other than how they begin.

use super::*;

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
pub const CLONE_NEWUTS: usize = 0x0400_0000;
const CLONE_NEWCGROUP: usize = 0x0200_0000;
const CLONE_NEWIPC: usize = 0x0800_0000;
pub const CLONE_NEWPID: usize = 0x2000_0000;

/// What a program of the tenant enters: mounts, names of the machine, shared memory and queues, control groups. Its processes it is born among.
/// The network is the agent's too, which connects to the tenant's ports on loopback and has no socket of its own.
pub const VIEW: usize = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;

pub fn unshare(what: usize) -> Result<()> {
    call(UNSHARE, &[what]).map(drop)
}

/// A program that this process or a child of its starts has it no more, nor can get it by any way.
pub fn forgo_capability(number: u8) -> Result<()> {
    call(PRCTL, &[PR_CAPBSET_DROP, number.into()]).map(drop)
}

pub(super) const PR_CAPBSET_DROP: usize = 24;

pub fn is_root() -> bool {
    call(GETEUID, &[]) == Ok(0)
}
