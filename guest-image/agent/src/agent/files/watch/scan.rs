//! Putting watches on a directory and all that is below it.

use super::changes::Changes;
use crate::agent::files::outgoing::Outgoing;
use crate::errno;
use crate::message::Change;
use crate::sys;
use crate::tenant::files::{Added, Displaced, Found, Walk, Watches};
use std::os::unix::io::OwnedFd;
use std::rc::Rc;

/// What is told of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: it was there before the watch, or what happened meanwhile is lost anyway.
    Nothing,
    /// Everything, as created: the directory is new.
    Everything,
    /// What is in directories that were not watched yet: their creation was told, but not what is in them.
    Missed,
}

pub struct Scan {
    scope: Scope,
    walk: Walk,
    /// For each level of the walk its watch, and whether what is in it is told.
    levels: Vec<(i32, bool)>,
}

impl Scan {
    /// Of a directory that is watched, open for reading.
    pub fn new(directory: OwnedFd, watch: i32, scope: Scope) -> Scan {
        Scan { scope, walk: Walk::new(directory), levels: vec![(watch, scope == Scope::Everything)] }
    }

    /// False when nothing is left.
    pub fn step(&mut self, watches: &mut Watches, changes: &mut Changes, outgoing: &mut Outgoing) -> bool {
        match self.walk.next_entry() {
            Ok(Some(found)) => self.look(&found, watches, changes, outgoing),
            // One that cannot be read on is one that is gone.
            Ok(None) | Err(_) => {
                self.levels.pop();
                return self.walk.leave().is_some();
            }
        }
        true
    }

    fn look(&mut self, found: &Found, watches: &mut Watches, changes: &mut Changes, outgoing: &mut Outgoing) {
        let (parent, told) = match self.levels.last() {
            Some(&level) => level,
            None => return,
        };
        let place = (parent, Rc::from(found.name.to_bytes()));
        if Displaced::by(&place.1).is_some() {
            return;
        }
        let path = watches.path_to(&place).unwrap_or_default();
        let tell = |outgoing: &mut Outgoing| {
            if told {
                changes.tell(Change::Create, &path, outgoing);
            }
        };
        if !self.walk.is_directory(found) {
            return tell(outgoing);
        }
        let added = match self.walk.enter(&found.name) {
            Ok(()) => {
                let added = match self.walk.directory() {
                    Some(directory) if !sys::is_made_up(directory).unwrap_or(true) => watches.add(directory, &place).map(Some),
                    _ => Ok(None),
                };
                // What is known is watched with all below it; or an event is on its way that will see to it.
                let go_on = match added {
                    Ok(Some(Added::Known(watch))) => Some((watch, false)).filter(|_| self.scope == Scope::Missed),
                    Ok(Some(Added::New(watch))) => Some((watch, self.scope != Scope::Nothing)),
                    _ => None,
                };
                match go_on {
                    Some(level) => self.levels.push(level),
                    None => drop(self.walk.leave()),
                }
                added
            }
            Err(error) => Err(error),
        };
        match added {
            Ok(Some(Added::Known(_))) => {}
            Ok(_) => tell(outgoing),
            // Gone already, and if its creation is told, so will be its end.
            Err(errno::ENOENT | errno::ENOTDIR | errno::ELOOP) => {}
            Err(_) => {
                tell(outgoing);
                changes.limit(outgoing);
            }
        }
    }
}
