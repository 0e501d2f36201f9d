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
