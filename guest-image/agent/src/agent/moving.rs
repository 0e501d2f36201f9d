//! One round of moving what processes and connections have to say, and what follows for those that have ended.

use super::flow::Progress;
use super::output::Output;
use super::streams::Role;
use super::{Agent, Ending};
use crate::reactor::Token;

/// Pipes of processes that have ended, held open by children they left behind. The oldest is closed beyond this.
const DRAINS_MAX: usize = 256;
impl Agent {
    /// One round: each process and each flow that has something to move, and may, moves one frame of it at most.
    pub(super) fn move_data(&mut self) -> Result<bool, Ending> {
        let mut moved = false;
        let mut order: Vec<u32> = self.processes.keys().chain(self.flows.keys()).copied().collect();
        order.sort_unstable();
        let next = order.partition_point(|&id| id <= self.last_served);
        order.rotate_left(next);
        for id in order {
            let progress = if let Some(process) = self.processes.get_mut(&id) {
                process.transfer(&mut self.session, &mut self.port)
            } else if let Some(flow) = self.flows.get_mut(&id) {
                flow.transfer(id, &mut self.session, &mut self.port)
            } else {
                Progress::Idle
            };
            if let Progress::Idle = progress {
                continue;
            }
            moved = true;
            self.last_served = id;
            match progress {
                Progress::Idle | Progress::Moved => {}
                Progress::Over => {
                    self.flows.remove(&id);
                    self.roles.insert(id, Role::Deaf);
                    self.advance(id)?;
                }
                Progress::Broken(violation) => return Err(violation.into()),
            }
        }
        for drain in self.drains.values_mut() {
            moved |= drain.transfer(&mut self.session, &mut self.port);
        }
        self.drains.retain(|_, drain| drain.is_open());
        Ok(moved)
    }

    /// Says of each process that has ended that it has, once all it printed is on its way; and forgets it.
    pub(super) fn settle(&mut self) -> Result<(), Ending> {
        let over: Vec<u32> = self.processes.iter().filter(|(_, process)| process.is_over()).map(|(&id, _)| id).collect();
        for id in over {
            if let Some(process) = self.processes.remove(&id) {
                let (body, pipes) = process.conclude(&mut self.session);
                self.dead.push(body);
                for pipe in pipes {
                    self.drain(pipe)?;
                }
                self.roles.insert(id, Role::Deaf);
                self.advance(id)?;
            }
        }
        if self.roles.len() > self.session.alive() {
            let session = &self.session;
            self.roles.retain(|&id, _| session.is_alive(id));
        }
        Ok(())
    }

    /// Goes on reading for a child that outlives its parent, so that it is neither blocked nor killed by SIGPIPE.
    fn drain(&mut self, pipe: Output) -> Result<(), Ending> {
        if self.drains.len() >= DRAINS_MAX {
            let oldest = self.drains.keys().next().copied();
            oldest.and_then(|oldest| self.drains.remove(&oldest));
        }
        self.next_drain = self.next_drain.wrapping_add(1);
        pipe.watch(&self.reactor, Token::Drain(self.next_drain))?;
        self.drains.insert(self.next_drain, pipe);
        Ok(())
    }
}
