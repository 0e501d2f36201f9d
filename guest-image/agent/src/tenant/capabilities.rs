//! What of root's power a tenant's root has: what a container engine leaves it by default (Podman's list), and not more by any way.

use crate::errno;
use crate::sys;

/// chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot, setfcap: to install packages, change owners
/// and users, and serve a low port. Not there: whatever reaches beyond the tenant's own files and processes. Above all mknod (the root disk),
/// sys_admin (mounts, and with them limits), sys_nice (a real-time policy, which no share of a processor binds), sys_resource, sys_ptrace,
/// sys_module, sys_rawio, sys_boot, sys_time, net_admin, and net_raw (for ping the kernel has another way).
pub const OF_ROOT: [u8; 11] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 18, 31];

/// The kernel numbers them from 0; no kernel has as many.
const NUMBERS: u8 = 64;

/// From here on no program that the agent or a child of its starts gets any other, whatever it is and whoever runs it.
pub fn bound() -> sys::Result<()> {
    for capability in (0..NUMBERS).filter(|number| !OF_ROOT.contains(number)) {
        match sys::forgo_capability(capability) {
            Ok(()) => {}
            // Above the last one that this kernel knows.
            Err(errno::EINVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
