//! A directory or file being watched: from what the kernel says to what the host is told.

mod changes;
mod events;
mod scan;

use super::outgoing::{Outgoing, Produced, Source, STEPS_PER_TURN};
use crate::errno;
use crate::message::{self, Change, Failed};
use crate::reactor::Readiness;
use crate::sys::{self, O_DIRECTORY, O_PATH, O_RDONLY, S_IFDIR};
use crate::tenant::files::{self, Added, Displaced, Spot, WatchedPlace, Watches};
use crate::tenant::Tenant;
use changes::Changes;
use events::{Event, Events};
use scan::{Scan, Scope};
use std::os::unix::io::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

const IN_EXCL_UNLINK: u32 = 0x0400_0000;
const IN_DIRECTORY: u32 =
    sys::IN_MODIFY | sys::IN_CLOSE_WRITE | sys::IN_CREATE | sys::IN_DELETE | sys::IN_MOVED_FROM | sys::IN_MOVED_TO | IN_EXCL_UNLINK;
const OF_ITSELF: u32 = sys::IN_DELETE_SELF | sys::IN_MOVE_SELF;
/// How long a file that is written to may take to be closed before that is told as one write. One that stays open is told of as often.
const WRITE_TIME: Duration = Duration::from_millis(100);
/// Files written to and not told of yet. Beyond, the first is told at once.
const WRITTEN_MAX: usize = 64;
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
    written: Vec<(WatchedPlace, Instant)>,
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
            written: Vec::new(),
            early: Outgoing::default(),
            begun: false,
            over: false,
        })
    }

    pub fn inotify(&self) -> &OwnedFd {
        self.watches.inotify()
    }

    fn take(&mut self, event: Event, outgoing: &mut Outgoing) {
        let leaving = match self.leaving.take() {
            Some(leaving) if !event.is(sys::IN_MOVED_TO) || event.cookie != leaving.cookie => {
                self.has_left(&leaving, outgoing);
                None
            }
            other => other,
        };
        if event.is(sys::IN_Q_OVERFLOW) {
            return self.has_lost(outgoing);
        }
        let watch = event.place.0;
        if watch == self.watches.top() && event.is(OF_ITSELF | sys::IN_UNMOUNT | sys::IN_IGNORED) {
            return self.end(outgoing);
        }
        if event.is(sys::IN_IGNORED) {
            return self.watches.forget(watch);
        }
        if !self.watches.is_known(watch) || event.place.1.is_empty() {
            return;
        }
        match &self.file {
            Some(file) if *file == event.place.1 => self.take_of_file(&event, outgoing),
            Some(_) => {}
            None => self.take_of_directory(event, leaving, outgoing),
        }
    }

    fn take_of_file(&mut self, event: &Event, outgoing: &mut Outgoing) {
        if event.is(sys::IN_DELETE | sys::IN_MOVED_FROM) {
            self.end(outgoing);
        } else if event.is(sys::IN_MODIFY) {
            self.is_being_written(event.place.clone(), outgoing);
        } else {
            // Closed, or another has come in its place.
            self.tell_write(&event.place, outgoing);
        }
    }

    fn take_of_directory(&mut self, event: Event, leaving: Option<Leaving>, outgoing: &mut Outgoing) {
        let is_directory = event.is(sys::IN_ISDIR);
        let place = event.place.clone();
        if event.is(sys::IN_MOVED_FROM) {
            if self.written.iter().any(|(written, _)| *written == place) {
                self.tell_write(&place, outgoing);
            }
            let until = Instant::now() + RENAME_TIME;
            self.leaving = Some(Leaving { place, cookie: event.cookie, is_directory, until });
            return;
        }
        if let Some(leaving) = leaving {
            return self.has_moved(&leaving, &place, outgoing);
        }
        if Displaced::by(&place.1).is_some() {
            // A file on its way from the host. It is told of when it is in its place.
        } else if event.is(sys::IN_CREATE | sys::IN_MOVED_TO) {
            match is_directory && self.recursive {
                true => self.has_come(&place, outgoing),
                false => self.tell(Change::Create, &place, outgoing),
            }
        } else if event.is(sys::IN_DELETE) {
            self.written.retain(|(written, _)| *written != place);
            if is_directory {
                self.watches.release(&place);
            }
            self.tell(Change::Remove, &place, outgoing);
        } else if event.is(sys::IN_MODIFY) {
            self.is_being_written(place, outgoing);
        } else {
            self.tell_write(&place, outgoing);
        }
    }

    /// A new directory, with what is in it by now.
    fn has_come(&mut self, place: &WatchedPlace, outgoing: &mut Outgoing) {
        let opened = self.open(place);
        let added = opened.as_ref().ok().map(|directory| match sys::is_made_up(directory) {
            Ok(false) => self.watches.add(directory, place),
            _ => Err(errno::ENOENT),
        });
        match (opened, added) {
            (Ok(_), Some(Ok(Added::Known(_)))) => {}
            (Ok(directory), Some(Ok(Added::New(watch)))) => {
                self.tell(Change::Create, place, outgoing);
                self.scan = Some(Scan::new(directory, watch, Scope::Everything));
            }
            (opened, added) => {
                self.tell(Change::Create, place, outgoing);
                match opened.err().or_else(|| added.and_then(Result::err)) {
                    Some(errno::ENOENT | errno::ENOTDIR | errno::ELOOP) | None => self.missed = true,
                    Some(_) => self.changes.limit(outgoing),
                }
            }
        }
    }

    fn has_moved(&mut self, leaving: &Leaving, to: &WatchedPlace, outgoing: &mut Outgoing) {
        match Displaced::by(&leaving.place.1) {
            Some(Displaced::Nothing) => return self.tell(Change::Create, to, outgoing),
            Some(Displaced::Something) => return self.tell_write(to, outgoing),
            None => {}
        }
        let (old, new) = (self.watches.path_to(&leaving.place), self.watches.path_to(to));
        if leaving.is_directory {
            self.watches.moved(&leaving.place, to);
        }
        if let (Some(old), Some(new)) = (old, new) {
            self.changes.renamed(&old, &new, outgoing);
        }
        if leaving.is_directory && self.recursive && std::mem::take(&mut self.missed) {
            // It may be in here.
            if let Ok(directory) = self.open(to) {
                if let Ok(Added::Known(watch) | Added::New(watch)) = self.watches.add(&directory, to) {
                    self.scan = Some(Scan::new(directory, watch, Scope::Missed));
                }
            }
        }
    }

    fn has_left(&mut self, leaving: &Leaving, outgoing: &mut Outgoing) {
        if Displaced::by(&leaving.place.1).is_none() {
            let path = self.watches.path_to(&leaving.place);
            if leaving.is_directory {
                self.watches.release(&leaving.place);
            }
            if let Some(path) = path {
                self.changes.tell(Change::Remove, &path, outgoing);
            }
        }
    }

    /// The kernel has dropped events. What there is by now is watched from here on.
    fn has_lost(&mut self, outgoing: &mut Outgoing) {
        self.written.clear();
        self.watches.forget_all();
        self.changes.lost(outgoing);
        match find(&self.tenant, &self.path) {
            Ok((directory, file)) if file == self.file && self.watches.is_top(&directory, OF_ITSELF) => {
                let top = self.watches.top();
                self.scan = Some(Scan::new(directory, top, Scope::Nothing)).filter(|_| self.recursive);
            }
            _ => self.end(outgoing),
        }
    }

    /// What was asked for is not there any more.
    fn end(&mut self, outgoing: &mut Outgoing) {
        if !std::mem::replace(&mut self.over, true) {
            self.changes.tell(Change::Remove, &[], outgoing);
        }
    }

    fn is_being_written(&mut self, place: WatchedPlace, outgoing: &mut Outgoing) {
        if self.written.iter().any(|(written, _)| *written == place) {
            return;
        }
        if self.written.len() >= WRITTEN_MAX {
            let (first, _) = self.written.remove(0);
            self.tell_write(&first, outgoing);
        }
        self.written.push((place, Instant::now() + WRITE_TIME));
    }

    fn tell_write(&mut self, place: &WatchedPlace, outgoing: &mut Outgoing) {
        self.written.retain(|(written, _)| written != place);
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
        let now = Instant::now();
        while let Some((place, _)) = self.written.first().filter(|(_, until)| *until <= now).cloned() {
            self.tell_write(&place, outgoing);
        }
        if let Some(leaving) = self.leaving.take() {
            match leaving.until <= now && !self.events.readable {
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
        let written = self.written.first().map(|(_, until)| *until);
        self.leaving.as_ref().map(|leaving| leaving.until).into_iter().chain(written).min()
    }
}
