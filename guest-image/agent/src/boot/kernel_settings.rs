//! The kernel's own settings, as a machine for one tenant wants them. A tenant cannot change them back: it sees `/proc/sys` read-only.

use std::fs;
use std::io::ErrorKind;

const DIRECTORY: &str = "/proc/sys";

const SETTINGS: &[(&str, &str)] = &[
    // What the kernel tells of itself: no log, no addresses, no events.
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/perf_event_paranoid", "3"),
    // Doors into it. The filter has them closed already; these hold where it is not.
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/io_uring_disabled", "2"),
    ("vm/unprivileged_userfaultfd", "0"),
    ("user/max_user_namespaces", "0"),
    ("kernel/kexec_load_disabled", "1"),
    ("kernel/sysrq", "0"),
    ("dev/tty/ldisc_autoload", "0"),
    ("dev/tty/legacy_tiocsti", "0"),
    // Filters of system calls are interpreted: compiling one at each start of a program takes longer, and compiled ones have been a way in.
    ("net/core/bpf_jit_enable", "0"),
    // All modules there will ever be are loaded. It cannot be taken back.
    ("kernel/modules_disabled", "1"),
    // A debugger may look into what it has started, not into its neighbours.
    ("kernel/yama/ptrace_scope", "1"),
    // Links, FIFOs and files of others in a directory that everybody may write to.
    ("fs/protected_symlinks", "1"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_regular", "2"),
    // A process that has changed its user is no more to be looked into than before; the child that is about to become a program is one.
    ("fs/suid_dumpable", "0"),
    // A kernel that has gone wrong once is not asked again.
    ("kernel/panic_on_oops", "1"),
    // Everybody may ping, without the right to send any packet at all.
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

pub fn apply() -> Result<(), String> {
    for (name, value) in SETTINGS {
        let path = format!("{}/{}", DIRECTORY, name);
        match fs::write(&path, value) {
            // A kernel without what it is about.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            written => written.map_err(|error| format!("{}: {}", path, error))?,
        }
    }
    Ok(())
}
