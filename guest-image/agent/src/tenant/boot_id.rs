//! The boot id as the tenant sees it. The kernel makes it up once, at its first reading, so a template must not read it: every clone would
//! have the template's. A stand-in covers it there; a clone takes that away, and the kernel makes one up that is the clone's own.
//!
//! Where a cover is, it stays: what a clone of a clone lives with, whose kernel has a boot id already.

use super::files::NewFile;
use super::users::User;
use super::Tenant;
use crate::errno;
use crate::message::Failed;
use crate::sys::{self, O_DIRECTORY, O_PATH};
use std::fs::{self, File};
use std::rc::Rc;

const KERNELS: &str = "/proc/sys/kernel/random/boot_id";
/// A directory of ours in the tenant's root.
const PLACE: &str = "/run/warmcell";
const NAME: &str = "boot-id";

#[derive(Default)]
pub struct BootId {
    /// The kernel's own exists, for all that will be cloned from here.
    made: bool,
    covered: bool,
}

impl BootId {
    /// The boot id to tell the host: none in a template.
    pub fn settle(&mut self, tenant: &Rc<Tenant>, template: bool, clone: bool) -> Result<String, Failed> {
        if template || clone && self.made {
            let stand_in = kernel("random/uuid")?;
            self.cover(tenant, &stand_in)?;
            return Ok(if template { String::new() } else { stand_in });
        }
        self.uncover(tenant)?;
        self.made = true;
        // Without an enclosure this is a test, in which the machine is somebody else's.
        kernel("random/boot_id")
    }

    /// Lays a file with another one over it, in the tenant's view alone. A root without `/proc` shows none in any case.
    fn cover(&mut self, tenant: &Rc<Tenant>, boot_id: &str) -> Result<(), Failed> {
        self.uncover(tenant)?;
        let path = format!("{}/{}", PLACE, NAME);
        let mut file = NewFile::create(tenant, &path, 0o444, &User::ROOT, 0)?;
        file.write(format!("{}\n", boot_id).as_bytes())?;
        file.commit()?;
        let covered = in_view(tenant, || sys::bind_read_only(&path, KERNELS))?;
        // The mount holds the file; its name would only be in somebody's way.
        let remove = || -> sys::Result<()> {
            let place = sys::open_in_root(&tenant.root, &sys::c_string(PLACE)?, O_PATH | O_DIRECTORY, 0)?;
            sys::unlink(&place, &sys::c_string(NAME)?)
        };
        remove().map_err(|error| Failed::because(error, "boot-id", &path))?;
        match covered {
            Some(Ok(())) => self.covered = true,
            None | Some(Err(errno::ENOENT | errno::ENOTDIR)) => {}
            Some(Err(error)) => return Err(Failed::because(error, "boot-id", KERNELS)),
        }
        Ok(())
    }

    fn uncover(&mut self, tenant: &Tenant) -> Result<(), Failed> {
        if std::mem::take(&mut self.covered) {
            // Where somebody has taken it away already, it is what was wanted.
            in_view(tenant, || sys::detach(KERNELS))?;
        }
        Ok(())
    }
}

/// What `act` says, done among the tenant's mounts; nothing where there is no view apart from the agent's.
fn in_view<T>(tenant: &Tenant, act: impl FnOnce() -> T) -> Result<Option<T>, Failed> {
    let walls = match &tenant.enclosure {
        Some(walls) => walls,
        None => return Ok(None),
    };
    let failed = |error| Failed::because(error, "boot-id", "cannot enter the tenant's view");
    let own = File::open("/proc/self/ns/mnt").map_err(|error| failed(error.into()))?;
    sys::among_mounts_of(&walls.init, &own, act).map(Some).map_err(failed)
}

/// One of the kernel's short texts.
pub fn kernel(name: &str) -> Result<String, Failed> {
    let path = format!("/proc/sys/kernel/{}", name);
    let text = fs::read_to_string(&path).map_err(|error| Failed::because(error.into(), "hello", &path))?;
    Ok(text.trim_end().to_string())
}
