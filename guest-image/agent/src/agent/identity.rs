//! Becoming somebody: a microVM that may be one of many clones gets random numbers, a clock and names of its own.

use crate::errno::{self, Errno};
use crate::message::{welcome, Failed, Hello};
use crate::sys;
use crate::tenant::files::NewFile;
use crate::tenant::users::User;
use crate::tenant::Tenant;
use std::fs::{self, File};
use std::rc::Rc;

/// The contract both sides speak.
const GENERATION: u64 = 1;
/// What the kernel takes.
const HOSTNAME_BYTES_MAX: usize = 64;
const ROOT: User = User { uid: 0, gid: 0, groups: Vec::new(), account: None };

/// Takes on the identity, and answers only when it is complete.
pub fn take_on(hello: &Hello<'_>, tenant: &Rc<Tenant>) -> Result<Vec<u8>, Failed> {
    if hello.generation != GENERATION {
        let message = format!("this guest speaks generation {}, the host {}", GENERATION, hello.generation);
        return Err(Failed::new(errno::EPROTO, "hello", message));
    }
    check_hostname(hello.hostname)?;
    // Without an enclosure this is not a microVM but a test, and the machine is somebody else's.
    if tenant.enclosure.is_some() {
        become_itself(hello).map_err(|(step, error)| Failed::because(error, step, "cannot take on the identity"))?;
    }
    write(tenant, "/etc/machine-id", 0o444, &format!("{}\n", hello.machine_id))?;
    write(tenant, "/etc/hostname", 0o644, &format!("{}\n", hello.hostname))?;
    if tenant.read_small("/etc/hosts").is_empty() {
        write(tenant, "/etc/hosts", 0o644, &format!("127.0.0.1 localhost {}\n::1 localhost\n", hello.hostname))?;
    }
    // Read only now: the kernel makes the boot id up at the first reading, from the random numbers just seeded.
    Ok(welcome(GENERATION, &kernel("osrelease")?, &kernel("random/boot_id")?))
}

fn check_hostname(name: &str) -> Result<(), Failed> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if name.is_empty() || name.len() > HOSTNAME_BYTES_MAX || !name.bytes().all(allowed) {
        return Err(Failed::new(errno::EINVAL, "hostname", "a hostname is 1 to 64 letters, digits, hyphens and dots"));
    }
    Ok(())
}

fn become_itself(hello: &Hello<'_>) -> Result<(), (&'static str, Errno)> {
    let random = File::open("/dev/urandom").map_err(|error| ("entropy", error.into()))?;
    sys::seed_random(&random, hello.entropy).map_err(|error| ("entropy", error))?;
    sys::set_wall_clock(hello.wall_clock_ns).map_err(|error| ("clock", error))?;
    sys::set_hostname(hello.hostname).map_err(|error| ("hostname", error))
}

fn write(tenant: &Rc<Tenant>, path: &str, mode: u32, text: &str) -> Result<(), Failed> {
    let mut file = NewFile::create(tenant, path, mode, &ROOT, 0)?;
    file.write(text.as_bytes())?;
    file.commit().map(drop)
}

fn kernel(name: &str) -> Result<String, Failed> {
    let path = format!("/proc/sys/kernel/{}", name);
    let text = fs::read_to_string(&path).map_err(|error| Failed::because(error.into(), "hello", &path))?;
    Ok(text.trim_end().to_string())
}
