//! The numbers of the system calls, by processor.

#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
mod table {
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
    pub const EPOLL_CREATE1: usize = 291; pub const DUP3: usize = 292; pub const PIPE2: usize = 293; pub const SECCOMP: usize = 317; pub const PRLIMIT64: usize = 302;
    pub const FACCESSAT: usize = 269; pub const SCHED_SETATTR: usize = 314; pub const SETNS: usize = 308; pub const FINIT_MODULE: usize = 313; pub const RENAMEAT2: usize = 316; pub const STATX: usize = 332;
    pub const FSTATFS: usize = 138; pub const GETDENTS64: usize = 217; pub const INOTIFY_ADD_WATCH: usize = 254;
    pub const INOTIFY_RM_WATCH: usize = 255; pub const FCHOWNAT: usize = 260; pub const SYMLINKAT: usize = 266;
    pub const READLINKAT: usize = 267; pub const UTIMENSAT: usize = 280; pub const INOTIFY_INIT1: usize = 294;
}

#[cfg(target_arch = "aarch64")]
#[rustfmt::skip]
mod table {
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
    pub const EPOLL_CREATE1: usize = 20; pub const DUP3: usize = 24; pub const PIPE2: usize = 59; pub const SECCOMP: usize = 277; pub const PRLIMIT64: usize = 261;
    pub const FACCESSAT: usize = 48; pub const SCHED_SETATTR: usize = 274; pub const SETNS: usize = 268; pub const FINIT_MODULE: usize = 273; pub const RENAMEAT2: usize = 276; pub const STATX: usize = 291;
    pub const FSTATFS: usize = 44; pub const GETDENTS64: usize = 61; pub const INOTIFY_ADD_WATCH: usize = 27;
    pub const INOTIFY_RM_WATCH: usize = 28; pub const FCHOWNAT: usize = 54; pub const SYMLINKAT: usize = 36;
    pub const READLINKAT: usize = 78; pub const UTIMENSAT: usize = 88; pub const INOTIFY_INIT1: usize = 26;
}

pub use table::*;

// One number everywhere: calls younger than the common table.
pub const PIDFD_OPEN: usize = 434;
pub const CLONE3: usize = 435;
pub const CLOSE_RANGE: usize = 436;
pub const OPENAT2: usize = 437;
