//! Which system calls a tenant's programs may not make, and what they are told instead. Close to what container engines refuse by default.

use super::{Answer, Question};
use crate::errno::{self, Errno};

/// The number of a call that this kind of processor does not have.
pub const NONE: u32 = u32::MAX;

/// A call by its name, with its numbers on x86-64 and on aarch64.
pub struct Call(pub &'static str, pub [u32; 2], pub Answer);

/// The last call that this list has been decided over, `removexattrat` of Linux 6.13: whatever is younger is not there, as on an older
/// kernel. So are the calls of the x32 ABI, whose numbers begin far above.
pub const LAST: u32 = 466;

const REFUSED: Answer = Answer::Refuse(errno::EPERM);
/// To where libraries look whether a call is there, and do without if it is not.
const MISSING: Answer = Answer::Refuse(errno::ENOSYS);

/// Every kind of namespace. As a flag of `clone`, the bit of the clock's (0x80) belongs to the signal at the end.
const NAMESPACES_OF_CLONE: u32 = 0x7e02_0000;
const NAMESPACES: u32 = NAMESPACES_OF_CLONE | 0x80;

/// Unix, IPv4, IPv6, netlink: what there is in a sandbox. The others (packets, vsock, the kernel's own ciphers and some forty more) are
/// code in the kernel that nobody here needs.
const FAMILIES: Answer = Answer::Ask(Question::OneOf(&[1, 2, 10, 16], errno::EAFNOSUPPORT));
/// Linux's own, with 32 bits told by uname, as 2.6, both; without random addresses, for debuggers; and what it is now.
const PERSONALITIES: Answer = Answer::Ask(Question::OneOf(&[0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff], errno::EPERM));

#[rustfmt::skip]
pub const CALLS: &[Call] = &[
    // Mounts, of the old kind and the new.
    Call("mount", [165, 40], REFUSED), Call("umount2", [166, 39], REFUSED), Call("pivot_root", [155, 41], REFUSED),
    Call("open_tree", [428, 428], REFUSED), Call("move_mount", [429, 429], REFUSED), Call("fsopen", [430, 430], REFUSED),
    Call("fsconfig", [431, 431], REFUSED), Call("fsmount", [432, 432], REFUSED), Call("fspick", [433, 433], REFUSED),
    Call("mount_setattr", [442, 442], REFUSED), Call("swapon", [167, 224], REFUSED), Call("swapoff", [168, 225], REFUSED),
    Call("quotactl", [179, 60], REFUSED), Call("quotactl_fd", [443, 443], REFUSED),
    // A file by what is no path.
    Call("open_by_handle_at", [304, 265], REFUSED), Call("fanotify_init", [300, 262], REFUSED),
    // Namespaces. clone3 has its flags in memory, where a filter does not see them.
    Call("clone", [56, 220], Answer::Ask(Question::NoneOf(NAMESPACES_OF_CLONE))), Call("clone3", [435, 435], MISSING),
    Call("unshare", [272, 97], Answer::Ask(Question::NoneOf(NAMESPACES))), Call("setns", [308, 268], REFUSED),
    // Doors into the kernel that exploits have used.
    Call("bpf", [321, 280], REFUSED), Call("perf_event_open", [298, 241], REFUSED), Call("userfaultfd", [323, 282], REFUSED),
    Call("io_uring_setup", [425, 425], MISSING), Call("io_uring_enter", [426, 426], MISSING), Call("io_uring_register", [427, 427], MISSING),
    Call("add_key", [248, 217], REFUSED), Call("request_key", [249, 218], REFUSED), Call("keyctl", [250, 219], REFUSED),
    Call("socket", [41, 198], FAMILIES), Call("socketpair", [53, 199], FAMILIES),
    // The kernel's own code and words.
    Call("init_module", [175, 105], REFUSED), Call("finit_module", [313, 273], REFUSED), Call("delete_module", [176, 106], REFUSED),
    Call("kexec_load", [246, 104], REFUSED), Call("kexec_file_load", [320, 294], REFUSED), Call("syslog", [103, 116], REFUSED),
    // The machine.
    Call("reboot", [169, 142], REFUSED), Call("iopl", [172, NONE], REFUSED), Call("ioperm", [173, NONE], REFUSED),
    Call("sethostname", [170, 161], REFUSED), Call("setdomainname", [171, 162], REFUSED), Call("acct", [163, 89], REFUSED),
    Call("vhangup", [153, 58], REFUSED),
    Call("settimeofday", [164, 170], REFUSED), Call("clock_settime", [227, 112], REFUSED), Call("adjtimex", [159, 171], REFUSED),
    Call("clock_adjtime", [305, 266], REFUSED),
    // Other processes. ptrace and process_vm_readv stay: a debugger may look into what it has started (Yama).
    Call("kcmp", [312, 272], REFUSED), Call("pidfd_getfd", [438, 438], REFUSED), Call("migrate_pages", [256, 238], REFUSED),
    Call("move_pages", [279, 239], REFUSED), Call("mbind", [237, 235], REFUSED), Call("get_mempolicy", [239, 236], REFUSED),
    Call("set_mempolicy", [238, 237], REFUSED), Call("set_mempolicy_home_node", [450, 450], REFUSED),
    Call("personality", [135, 92], PERSONALITIES),
    // What is left of older days.
    Call("lookup_dcookie", [212, 18], REFUSED), Call("nfsservctl", [180, 42], REFUSED), Call("uselib", [134, NONE], REFUSED),
    Call("ustat", [136, NONE], REFUSED), Call("sysfs", [139, NONE], REFUSED), Call("_sysctl", [156, NONE], REFUSED),
    Call("modify_ldt", [154, NONE], REFUSED), Call("create_module", [174, NONE], REFUSED), Call("get_kernel_syms", [177, NONE], REFUSED),
    Call("query_module", [178, NONE], REFUSED),
];

/// To a call that is younger than the list.
pub const UNKNOWN: Errno = errno::ENOSYS;
