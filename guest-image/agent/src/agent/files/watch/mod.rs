//! A directory or file being watched: from what the kernel says to what the host is told.

mod changes;
mod events;
mod meaning;
mod scan;
mod writes;

use super::outgoing::{Outgoing, Produced, Source, STEPS_PER_TURN};
use crate::errno;
use crate::message::{self, Change, Failed};
use crate::reactor::Readiness;
use crate::sys::{self, O_DIRECTORY, O_PATH, O_RDONLY, S_IFDIR};
use crate::tenant::files::{self, Spot, WatchedPlace, Watches};
use crate::tenant::Tenant;
use changes::Changes;
use events::Events;
use scan::{Scan, Scope};
use std::os::unix::io::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use writes::Writes;

const IN_EXCL_UNLINK: u32 = 0x0400_0000;
const IN_DIRECTORY: u32 =
    sys::IN_MODIFY | sys::IN_CLOSE_WRITE | sys::IN_CREATE | sys::IN_DELETE | sys::IN_MOVED_FROM | sys::IN_MOVED_TO | IN_EXCL_UNLINK;
const OF_ITSELF: u32 = sys::IN_DELETE_SELF | sys::IN_MOVE_SELF;
/// How long the second half of a rename may be behind the first.
const RENAME_TIME: Duration = Duration::from_millis(20);

pub struct Watching {
    tenant: Rc<Tenant>,
    /// As the host gave it, absolute.
    path: String,
    watches: Watches,
    events: Events,
    changes: Changes,
    recursive: bool,
    /// Of a file: its name, in the directory that is watched for its sake. A file that is replaced is another one, and keeps its name.
    file: Option<Rc<[u8]>>,
    scan: Option<Scan>,
    /// A new directory was gone from its place before it was looked at.
    missed: bool,
    /// The first half of a rename, or something that leaves.
    leaving: Option<Leaving>,
    writes: Writes,
    /// What was said before it began, and is told once it has.
    early: Outgoing,
    begun: bool,
    over: bool,
}

struct Leaving {
    place: WatchedPlace,
    cookie: u32,
    is_directory: bool,
    until: Instant,
}

impl Watching {
    pub fn new(tenant: &Rc<Tenant>, path: String, recursive: bool) -> sys::Result<Watching> {
        let (directory, file) = find(tenant, &path)?;
        let watches = Watches::new(&directory, IN_DIRECTORY, OF_ITSELF)?;
        let recursive = recursive && file.is_none();
        let changes = Changes::new(files::as_text(&path));
        let scan = Some(Scan::new(directory, watches.top(), Scope::Nothing)).filter(|_| recursive);
        Ok(Watching {
            tenant: Rc::clone(tenant),
            path,
            watches,
            events: Events::new(),
            changes,
            recursive,
            file,
            scan,
            missed: false,
            leaving: None,
            writes: Writes::default(),
            early: Outgoing::default(),
            begun: false,
            over: false,
        })
    }

    pub fn inotify(&self) -> &OwnedFd {
        self.watches.inotify()
    }

    fn is_being_written(&mut self, place: WatchedPlace, outgoing: &mut Outgoing) {
        if let Some(first) = self.writes.add(place) {
            self.tell(Change::Write, &first, outgoing);
        }
    }

    fn tell_write(&mut self, place: &WatchedPlace, outgoing: &mut Outgoing) {
        self.writes.remove(place);
        self.tell(Change::Write, place, outgoing);
    }

    fn tell(&self, change: Change, place: &WatchedPlace, outgoing: &mut Outgoing) {
        match (&self.file, self.watches.path_to(place)) {
            (Some(_), _) => self.changes.tell(change, &[], outgoing),
            (None, Some(path)) => self.changes.tell(change, &path, outgoing),
            (None, None) => {}
        }
    }

    fn tell_what_is_due(&mut self, outgoing: &mut Outgoing) {
        while let Some(place) = self.writes.take_due() {
            self.tell(Change::Write, &place, outgoing);
        }
        if let Some(leaving) = self.leaving.take() {
            match leaving.until <= Instant::now() && !self.events.readable {
                true => self.has_left(&leaving, outgoing),
                false => self.leaving = Some(leaving),
            }
        }
    }

    /// No directory is held open, which would keep it from being gone.
    fn open(&self, place: &WatchedPlace) -> sys::Result<OwnedFd> {
        let path = self.watches.path_to(place).ok_or(errno::ENOENT)?;
        let top = files::open(&self.tenant, &self.path, O_PATH | O_DIRECTORY)?;
        sys::open_beneath(&top, &sys::c_string(path)?, O_RDONLY | O_DIRECTORY)
    }
}

/// The directory to watch; for something else that which it is in, with its name there.
fn find(tenant: &Tenant, path: &str) -> sys::Result<(OwnedFd, Option<Rc<[u8]>>)> {
    let found = files::open(tenant, path, O_PATH)?;
    let here = sys::c_string(".")?;
    if sys::about(&found)?.kind == S_IFDIR {
        return Ok((sys::open_beneath(&found, &here, O_RDONLY | O_DIRECTORY)?, None));
    }
    let (Spot { directory, name }, _) = files::spot_of_file(path, |path| files::open_directory(tenant, path))?;
    Ok((sys::open_beneath(&directory, &here, O_RDONLY | O_DIRECTORY)?, Some(Rc::from(name.to_bytes()))))
}

impl Source for Watching {
    fn note(&mut self, readiness: Readiness) {
        self.events.readable |= readiness.readable;
    }

    fn produce(&mut self, outgoing: &mut Outgoing) -> Produced {
        if self.over {
            return Produced::Last;
        }
        if !self.begun && self.scan.is_none() {
            self.begun = true;
            outgoing.push(&message::done());
            outgoing.push(&std::mem::take(&mut self.early).0);
        }
        self.tell_what_is_due(outgoing);
        for _ in 0..STEPS_PER_TURN {
            if self.over || outgoing.is_full() {
                break;
            }
            if let Some(scan) = &mut self.scan {
                let told = if self.begun { &mut *outgoing } else { &mut self.early };
                if !scan.step(&mut self.watches, &mut self.changes, told) {
                    self.scan = None;
                }
                continue;
            }
            if !self.begun {
                break;
            }
            match self.events.next(self.watches.inotify()) {
                Ok(Some(event)) => self.take(event, outgoing),
                Ok(None) => return Produced::Nothing,
                Err(error) => return Produced::Failed(Failed::because(error, "read", format!("cannot go on watching '{}'", self.path))),
            }
        }
        Produced::Some
    }

    fn deadline(&self) -> Option<Instant> {
        self.leaving.as_ref().map(|leaving| leaving.until).into_iter().chain(self.writes.deadline()).min()
    }
}
