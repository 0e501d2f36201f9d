//! What is to be said of a program before it is started.

use super::*;

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
    /// A process whose view of the machine the child enters.
    pub namespaces_of: Option<RawFd>,
    pub cgroup: Option<RawFd>,
    pub credentials: Option<Credentials<'a>>,
    /// No program it starts has more rights than itself, whatever its file says.
    pub no_new_privileges: bool,
    /// What its system calls, and those of all that come from it, go through. Needs no new privileges, or every capability.
    pub filter: &'a [Instruction],
    /// Its stdin is to be the terminal that controls its session.
    pub terminal: bool,
}

/// One instruction of a filter, as the kernel reads it (struct sock_filter).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    pub code: u16,
    /// How many to leave out.
    pub if_so: u8,
    pub if_not: u8,
    pub k: u32,
}

#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    pub uid: u32,
    pub gid: u32,
    pub groups: &'a [u32],
    /// Capabilities that no program of its can ever have.
    pub without: &'a [u8],
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
