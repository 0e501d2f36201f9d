//! What each event means: to what is watched, and to the host.

use super::events::Event;
use super::scan::{Scan, Scope};
use super::{find, Leaving, Watching, OF_ITSELF, RENAME_TIME};
use crate::agent::files::outgoing::Outgoing;
use crate::errno;
use crate::message::Change;
use crate::sys;
use crate::tenant::files::{Added, Displaced, WatchedPlace};
use std::time::Instant;

impl Watching {
    pub(super) fn take(&mut self, event: Event, outgoing: &mut Outgoing) {
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
            // Moved to where nobody watches any more.
            return leaving.iter().for_each(|leaving| self.has_left(leaving, outgoing));
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
            if self.writes.remove(&place) {
                self.tell(Change::Write, &place, outgoing);
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
            self.writes.remove(&place);
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

    pub(super) fn has_left(&mut self, leaving: &Leaving, outgoing: &mut Outgoing) {
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
        self.writes.clear();
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
}
