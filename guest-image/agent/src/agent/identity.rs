//! Becoming somebody: a microVM that may be one of many clones gets random numbers, a clock and names of its own.

use crate::errno::{self, Errno};
use crate::message::{self, Failed, Hello};
use crate::sys;
use crate::tenant::boot_id::{kernel, BootId};
use crate::tenant::files::NewFile;
use crate::tenant::users::User;
use crate::tenant::{Enclosure, Tenant};
use std::fs::File;
use std::rc::Rc;

/// What the kernel takes.
const HOSTNAME_BYTES_MAX: usize = 64;
/// For a program in the tenant's root that must know that it is in another clone.
const GENERATION_ID: &str = "/run/warmcell/generation-id";

/// Takes on the identity, and answers only when it is complete.
pub fn take_on(hello: &Hello<'_>, tenant: &Rc<Tenant>, boot_id: &mut BootId) -> Result<Vec<u8>, Failed> {
    check_hostname(hello.hostname)?;
    // Without an enclosure this is not a microVM but a test, and the machine is somebody else's.
    if let Some(walls) = &tenant.enclosure {
        become_itself(hello, walls).map_err(|(step, error)| Failed::because(error, step, "cannot take on the identity"))?;
    }
    let hostname_before = tenant.read_small("/etc/hostname");
    write(tenant, "/etc/machine-id", 0o444, &format!("{}\n", hello.machine_id))?;
    write(tenant, "/etc/hostname", 0o644, &format!("{}\n", hello.hostname))?;
    let hosts = tenant.read_small("/etc/hosts");
    // Where there is none, or the one that a template of this clone was given.
    if hosts.is_empty() || hosts == hosts_of(String::from_utf8_lossy(&hostname_before).trim_end()).as_bytes() {
        write(tenant, "/etc/hosts", 0o644, &hosts_of(hello.hostname))?;
    }
    write(tenant, GENERATION_ID, 0o444, &format!("{}\n", hello.generation_id))?;
    let clone = hello.generation_id != 0;
    // Only now: from the random numbers just seeded.
    let boot_id = boot_id.settle(tenant, hello.template, clone)?;
    if clone {
        tenant.run_hooks(hello.generation_id)?;
    }
    Ok(message::welcome(&kernel("osrelease")?, &boot_id))
}

/// A clone that waited may have fallen behind.
pub fn set_clock(wall_clock_ns: u64, tenant: &Tenant) -> Result<Vec<u8>, Failed> {
    if tenant.enclosure.is_some() {
        sys::set_wall_clock(wall_clock_ns).map_err(|error| Failed::because(error, "clock", "cannot set the clock"))?;
    }
    Ok(message::clock_set())
}

fn hosts_of(hostname: &str) -> String {
    format!("127.0.0.1 localhost {}\n::1 localhost\n", hostname)
}

fn check_hostname(name: &str) -> Result<(), Failed> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if name.is_empty() || name.len() > HOSTNAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(Failed::new(errno::EINVAL, "hostname", "a hostname is 1 to 64 letters, digits, hyphens and dots"));
    }
    Ok(())
}

fn become_itself(hello: &Hello<'_>, walls: &Enclosure) -> Result<(), (&'static str, Errno)> {
    let random = File::open("/dev/urandom").map_err(|error| ("entropy", error.into()))?;
    sys::seed_random(&random, hello.entropy).map_err(|error| ("entropy", error))?;
    sys::set_wall_clock(hello.wall_clock_ns).map_err(|error| ("clock", error))?;
    let own = File::open("/proc/self/ns/uts").map_err(|error| ("hostname", error.into()))?;
    sys::set_hostname_of(&walls.init, &own, hello.hostname).map_err(|error| ("hostname", error))
}

fn write(tenant: &Rc<Tenant>, path: &str, mode: u32, text: &str) -> Result<(), Failed> {
    let mut file = NewFile::create(tenant, path, mode, &User::ROOT, 0)?;
    file.write(text.as_bytes())?;
    file.commit().map(drop)
}
