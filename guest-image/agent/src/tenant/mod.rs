//! What the agent knows of its tenant: the root to resolve names in, the view to start processes in, the limits to put on them.

pub mod accounts;
pub mod boot_id;
pub mod capabilities;
pub mod cgroup;
pub mod files;
pub mod filter;
pub mod hooks;
pub mod launch;
pub mod limits;
pub mod search;
pub mod stdio;
mod terminal;
pub mod users;

use crate::boot::tenant_init::TenantView;
use crate::sys::{Instruction, Policy};
use accounts::Accounts;
use cgroup::Cgroup;
use limits::Bounds;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::{AsRawFd, OwnedFd};

/// Before everything of the tenant's.
pub const AGENT_NICENESS: i32 = -20;

pub struct Tenant {
    /// The tenant's `/`: every path and every user the host names is looked up from here.
    pub root: OwnedFd,
    /// `None` runs processes as and where the agent is: how the agent's tests run, as an ordinary program.
    pub enclosure: Option<Enclosure>,
    accounts: RefCell<Option<Accounts>>,
    /// How the agent is scheduled beside its tenant.
    policy: Cell<Policy>,
}

/// The walls around a tenant's processes.
pub struct Enclosure {
    pub init: OwnedFd,
    pub cgroup: Cgroup,
    pub filter: Vec<Instruction>,
    /// What the tenant could have at most when the machine was booted.
    at_boot: Bounds,
}

impl Tenant {
    pub fn new(root: OwnedFd, enclosure: Option<Enclosure>) -> Tenant {
        Tenant { root, enclosure, accounts: RefCell::new(None), policy: Cell::new(Policy::Ordinary) }
    }

    pub fn enclosed(view: TenantView, cgroup: Cgroup) -> Result<Tenant, String> {
        let at_boot = Bounds::now(&cgroup).map_err(|error| format!("limits: {}", error))?;
        let filter = filter::program(filter::THIS);
        Ok(Tenant::new(view.root, Some(Enclosure { init: view.init, cgroup, filter, at_boot })))
    }

    /// Where the kernel finds, from where a program is started, what is at `path` in the tenant's root.
    pub fn outer_path(&self, path: &str) -> Vec<u8> {
        match &self.enclosure {
            Some(_) => path.as_bytes().to_vec(),
            // As in `enclosure`: the root is a directory among others.
            None => {
                let root = std::fs::read_link(format!("/proc/self/fd/{}", self.root.as_raw_fd())).unwrap_or_default();
                [root.as_os_str().as_bytes(), path.as_bytes()].concat()
            }
        }
    }

    /// A small file of the tenant's, cut at a bound: what the tenant wrote there must not cost the agent its memory.
    pub fn read_small(&self, path: &str) -> Vec<u8> {
        const BYTES_MAX: u64 = 1 << 20;
        let mut bytes = Vec::new();
        let path = match crate::sys::c_string(path) {
            Ok(path) => path,
            Err(_) => return bytes,
        };
        // Not blocking, in case it is a FIFO: then it reads as empty.
        let flags = crate::sys::O_RDONLY | crate::sys::O_NONBLOCK;
        if let Ok(file) = crate::sys::open_in_root(&self.root, &path, flags, 0) {
            let _ = File::from(file).take(BYTES_MAX).read_to_end(&mut bytes);
        }
        bytes
    }
}
