//! A directory being removed, a few entries a turn.

use super::cannot;
use super::outgoing::STEPS_PER_TURN;
use crate::agent::flow::{Flow, Progress};
use crate::agent::port::Port;
use crate::message;
use crate::tenant::files::Removal;
use crate::yamux::Session;

pub struct Removing {
    removal: Removal,
    path: String,
}

impl Removing {
    pub fn new(removal: Removal, path: String) -> Removing {
        Removing { removal, path }
    }
}

impl Flow for Removing {
    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        for _ in 0..STEPS_PER_TURN {
            let answer = match self.removal.step() {
                Ok(false) => continue,
                Ok(true) => message::done(),
                Err(error) => cannot("remove", "remove", &self.path)(error).encode(),
            };
            session.send(id, &answer);
            session.finish(id);
            return Progress::Over;
        }
        Progress::Moved
    }
}
