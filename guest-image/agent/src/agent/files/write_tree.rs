//! A tree on its way from the host: nodes, and behind each file its bytes.

use crate::agent::flow::{Flow, Progress};
use crate::agent::port::Port;
use crate::errno;
use crate::message::{self, Assembler, Facts, Failed, Message};
use crate::tenant::files::TreeWriter;
use crate::yamux::{Session, Violation, DATA_BYTES_MAX};

/// Nodes, and pieces of files, in one turn: making a file takes several times as long as looking at one.
const STEPS_PER_TURN: usize = 16;

pub struct TreeWriting {
    writer: TreeWriter,
    node: Assembler,
}

enum Refused {
    Failed(Failed),
    Violation(Violation),
}

impl TreeWriting {
    pub fn new(writer: TreeWriter) -> TreeWriting {
        TreeWriting { writer, node: Assembler::default() }
    }

    /// Takes a bounded piece. Returns how much.
    fn take(&mut self, input: &[u8]) -> Result<usize, Refused> {
        let input = &input[..input.len().min(DATA_BYTES_MAX)];
        let mut taken = 0;
        for _ in 0..STEPS_PER_TURN {
            if taken == input.len() {
                break;
            }
            if self.writer.wants_bytes() {
                taken += self.writer.write(&input[taken..]).map_err(Refused::Failed)?;
                continue;
            }
            taken += self.node.take(&input[taken..]).map_err(Refused::Violation)?;
            if let Some(body) = self.node.body() {
                let message = Message::decode(body).map_err(Refused::Violation)?;
                let facts = Facts::decode(&message).map_err(Refused::Violation)?;
                self.writer.begin(&facts).map_err(Refused::Failed)?;
                self.node.clear();
            }
        }
        Ok(taken)
    }

    fn finish(&mut self) -> Result<u64, Failed> {
        if self.writer.wants_bytes() || !self.node.is_empty() {
            return Err(Failed::new(errno::EINVAL, "write", "the tree ended in the middle of something"));
        }
        self.writer.finish()
    }
}

impl Flow for TreeWriting {
    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        let answer = match self.take(session.incoming(id)) {
            Ok(taken) => {
                session.consume(id, taken);
                match (session.has_ended(id), taken) {
                    (true, _) => self.finish(),
                    (false, 0) => return Progress::Idle,
                    (false, _) => return Progress::Moved,
                }
            }
            Err(Refused::Failed(failed)) => Err(failed),
            Err(Refused::Violation(violation)) => return Progress::Broken(violation),
        };
        session.send(id, &answer.map_or_else(|failed| failed.encode(), message::written));
        session.finish(id);
        Progress::Over
    }
}
