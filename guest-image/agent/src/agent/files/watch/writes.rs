//! Files that are being written to, so that many writes are told as one.

use crate::tenant::files::WatchedPlace;
use std::time::{Duration, Instant};

/// How long a file that is written to may take to be closed before that is told as one write. One that stays open is told of as often.
const WRITE_TIME: Duration = Duration::from_millis(100);
/// Files written to and not told of yet. Beyond, the first is told at once.
const FILES_MAX: usize = 64;

#[derive(Default)]
pub struct Writes(Vec<(WatchedPlace, Instant)>);

impl Writes {
    /// Returns what is to be told at once to make room.
    pub fn add(&mut self, place: WatchedPlace) -> Option<WatchedPlace> {
        if self.0.iter().any(|(written, _)| *written == place) {
            return None;
        }
        self.0.push((place, Instant::now() + WRITE_TIME));
        (self.0.len() > FILES_MAX).then(|| self.0.remove(0).0)
    }

    /// It was told, or there is nothing to tell any more. Returns whether there was.
    pub fn remove(&mut self, place: &WatchedPlace) -> bool {
        let before = self.0.len();
        self.0.retain(|(written, _)| written != place);
        self.0.len() < before
    }

    pub fn take_due(&mut self) -> Option<WatchedPlace> {
        let is_due = self.deadline().map_or(false, |until| until <= Instant::now());
        is_due.then(|| self.0.remove(0).0)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.0.first().map(|(_, until)| *until)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}
