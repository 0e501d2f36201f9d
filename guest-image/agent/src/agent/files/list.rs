//! What is in a directory, told entry by entry.

use super::outgoing::{Outgoing, Steps};
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::sys::{self, O_DIRECTORY, O_RDONLY, S_IFDIR};
use crate::tenant::files::{self, Displaced, Found, Owners, Walk};
use crate::tenant::Tenant;

pub struct Listing {
    walk: Walk,
    owners: Owners,
    /// The directory's, absolute, without a slash at its end.
    path: String,
    depth: u64,
}

impl Listing {
    pub fn new(tenant: &Tenant, path: &str, depth: u64) -> sys::Result<Listing> {
        let walk = Walk::new(files::open(tenant, path, O_RDONLY | O_DIRECTORY)?);
        let path = files::as_text(path).trim_end_matches('/').to_string();
        Ok(Listing { walk, owners: Owners::of(tenant), path, depth })
    }

    fn tell(&mut self, found: &Found, outgoing: &mut Outgoing) -> sys::Result<()> {
        if Displaced::by(found.name.to_bytes()).is_some() {
            return Ok(());
        }
        let described = match self.walk.directory().map(|directory| files::describe_at(directory, &found.name)) {
            Some(Ok(described)) => described,
            // It was there a moment ago.
            Some(Err(_)) | None => return Ok(()),
        };
        let below = self.walk.path_to(&found.name);
        outgoing.push(&described.encode(&format!("{}/{}", self.path, String::from_utf8_lossy(&below)), &self.owners));
        if described.about.kind == S_IFDIR && self.depth > self.walk.depth() as u64 + 1 {
            // One that cannot be read has nothing in it; but a list that leaves something out for want of room would be wrong.
            if let Err(error @ (errno::ENAMETOOLONG | errno::EMFILE | errno::ENFILE | errno::ENOMEM)) = self.walk.enter(&found.name) {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Steps for Listing {
    fn step(&mut self, outgoing: &mut Outgoing) -> sys::Result<bool> {
        match self.walk.next_entry() {
            Ok(Some(found)) => self.tell(&found, outgoing)?,
            Err(error) if self.walk.depth() == 0 => return Err(error),
            // One that can be read no further has nothing more in it.
            Ok(None) | Err(_) => return Ok(self.walk.leave().is_some()),
        }
        Ok(true)
    }

    fn failed(&self, error: Errno) -> Failed {
        Failed::because(error, "read", format!("cannot list '{}'", self.path))
    }
}
