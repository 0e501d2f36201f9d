//! Which directories are watched, by the kernel's number of their watch and by their place.

use crate::errno;
use crate::sys::{self, Result};
use std::collections::BTreeMap;
use std::os::unix::io::OwnedFd;
use std::rc::Rc;

/// Each costs the agent some 150 bytes, and the kernel a kilobyte: it keeps the directory in memory.
const WATCHES_MAX: usize = 8192;
const NAMES_BYTES_MAX: usize = 512 * 1024;
/// Above the top.
const NOWHERE: i32 = 0;

/// A name in a watched directory.
pub type Place = (i32, Rc<[u8]>);

/// Each directory but the top has a name in another one, so that one that is renamed takes along all that is below it.
pub struct Watches {
    inotify: OwnedFd,
    events: u32,
    top: i32,
    places: BTreeMap<i32, Place>,
    numbers: BTreeMap<Place, i32>,
    names_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    New(i32),
    /// In the same place.
    Known(i32),
}

impl Watches {
    /// With the top alone. `events` are those wanted of every directory, `of_itself` those of the top alone.
    pub fn new(top: &OwnedFd, events: u32, of_itself: u32) -> Result<Watches> {
        let inotify = sys::inotify()?;
        let number = sys::add_watch(&inotify, top, events | of_itself)?;
        let mut watches = Watches { inotify, events, top: number, places: BTreeMap::new(), numbers: BTreeMap::new(), names_bytes: 0 };
        watches.forget_all();
        Ok(watches)
    }

    pub fn inotify(&self) -> &OwnedFd {
        &self.inotify
    }

    pub fn top(&self) -> i32 {
        self.top
    }

    /// ENOSPC: no more can be watched.
    pub fn add(&mut self, directory: &OwnedFd, place: &Place) -> Result<Added> {
        let is_full = self.places.len() >= WATCHES_MAX || self.names_bytes + place.1.len() > NAMES_BYTES_MAX;
        if is_full && !self.numbers.contains_key(place) {
            return Err(errno::ENOSPC);
        }
        let number = sys::add_watch(&self.inotify, directory, self.events)?;
        if self.places.get(&number) == Some(place) {
            return Ok(Added::Known(number));
        }
        // Mounted below itself.
        if self.is_above(number, place.0) {
            return Err(errno::ELOOP);
        }
        // It was elsewhere, or another was here: then the event that says so is yet to come.
        self.forget(number);
        if let Some(&other) = self.numbers.get(place) {
            self.forget(other);
        }
        self.insert(number, place.clone());
        Ok(Added::New(number))
    }

    pub fn is_known(&self, number: i32) -> bool {
        self.places.contains_key(&number)
    }

    /// From the top, without a slash at either end. `None`: nobody knows where that is by now.
    pub fn path_to(&self, place: &Place) -> Option<Vec<u8>> {
        let mut names: Vec<&[u8]> = vec![&place.1];
        let mut number = place.0;
        while number != self.top {
            let (above, name) = self.places.get(&number)?;
            // No path is longer than the table.
            if names.len() > self.places.len() {
                return None;
            }
            names.push(name);
            number = *above;
        }
        names.reverse();
        Some(names.join(&b"/"[..]))
    }

    fn is_above(&self, number: i32, mut below: i32) -> bool {
        while below != number && below != self.top {
            below = self.places.get(&below).map_or(self.top, |(above, _)| *above);
        }
        below == number
    }

    /// The directory is in another place now.
    pub fn moved(&mut self, from: &Place, to: &Place) {
        if let Some(&number) = self.numbers.get(from) {
            if let Some(&replaced) = self.numbers.get(to) {
                self.forget(replaced);
            }
            self.forget(number);
            self.insert(number, to.clone());
        }
    }

    /// The kernel watches it no more.
    pub fn forget(&mut self, number: i32) {
        if number == self.top {
            return;
        }
        if let Some(place) = self.places.remove(&number) {
            self.names_bytes -= place.1.len();
            self.numbers.remove(&place);
        }
    }

    /// What has left, with all that is below it.
    pub fn release(&mut self, place: &Place) {
        let mut left: Vec<i32> = self.numbers.get(place).copied().into_iter().collect();
        while let Some(number) = left.pop() {
            let below = self.numbers.range((number, Rc::from(&[][..]))..).take_while(|((above, _), _)| *above == number);
            left.extend(below.map(|(_, &below)| below));
            // One that was removed has no watch any more.
            let _ = sys::remove_watch(&self.inotify, number);
            self.forget(number);
        }
    }

    /// All but the top.
    pub fn forget_all(&mut self) {
        self.places.clear();
        self.numbers.clear();
        self.names_bytes = 0;
        self.places.insert(self.top, (NOWHERE, Rc::from(&[][..])));
    }

    /// Whether it is the directory that was the top from the first.
    pub fn is_top(&self, directory: &OwnedFd, of_itself: u32) -> bool {
        sys::add_watch(&self.inotify, directory, self.events | of_itself) == Ok(self.top)
    }

    fn insert(&mut self, number: i32, place: Place) {
        self.names_bytes += place.1.len();
        self.numbers.insert(place.clone(), number);
        self.places.insert(number, place);
    }
}
