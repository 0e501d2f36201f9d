//! What each stream is for, and what to do with what arrives on it.

use super::files::FileWriting;
use super::output::Output;
use super::process::Process;
use super::{identity, Agent, Ending};
use crate::errno;
use crate::message::{self, unknown, Assembler, Channel, Failed, Message, Opening, ProcessRequest, Start, GENERATION};
use crate::yamux::Violation;
use std::time::Duration;

/// Credit a control stream must have before a request is taken: room for any answer, and for the `Exited` at the end.
const ANSWER_BYTES: usize = 8 * 1024;

pub(super) enum Role {
    /// Its first message is yet to come, and says what it is.
    Opening(Assembler),
    /// A process of the same id.
    Control(Assembler),
    Stdio {
        process: u32,
    },
    Stderr {
        process: u32,
    },
    File(FileWriting),
    /// A flow of the same id takes what arrives.
    Flow,
    /// The session is to end: it does when the host has ended this stream, and so has nothing more to say.
    Quiesce,
    /// Its answer is given. What still comes is thrown away.
    Deaf,
}

impl Default for Role {
    fn default() -> Role {
        Role::Opening(Assembler::default())
    }
}

impl Agent {
    /// Something arrived on the stream, or it may send again.
    pub(super) fn advance(&mut self, id: u32) -> Result<(), Ending> {
        // It may be over by now: several frames are taken before the first of them is looked at.
        while self.session.is_alive(id) {
            match self.roles.get_mut(&id) {
                Some(Role::Opening(opening)) => {
                    let taken = opening.take(self.session.incoming(id))?;
                    if !self.greeted {
                        crate::sys::wipe(&mut self.session.incoming_mut(id)[..taken]);
                    }
                    self.session.consume(id, taken);
                    if opening.body().is_none() {
                        if self.session.has_ended(id) {
                            self.session.reset(id);
                        }
                        return Ok(());
                    }
                    let mut whole = std::mem::take(opening);
                    let secret = !self.greeted;
                    let role = self.open(id, whole.body().unwrap_or_default());
                    if secret {
                        whole.wipe();
                    }
                    self.roles.insert(id, role?);
                }
                Some(Role::Control(requests)) => {
                    if self.session.credit(id) < ANSWER_BYTES {
                        return Ok(());
                    }
                    let taken = requests.take(self.session.incoming(id))?;
                    self.session.consume(id, taken);
                    if requests.body().is_none() {
                        return Ok(());
                    }
                    let whole = std::mem::take(requests);
                    self.request(id, whole.body().unwrap_or_default())?;
                }
                Some(Role::File(file)) => {
                    let bytes = self.session.incoming(id);
                    let count = bytes.len();
                    let written = file.write(bytes);
                    self.session.consume(id, count);
                    let ended = self.session.has_ended(id);
                    let answer = match written {
                        Ok(()) if !ended => return Ok(()),
                        Ok(()) => match self.roles.insert(id, Role::Deaf) {
                            Some(Role::File(file)) => file.finish().map(message::written),
                            _ => return Ok(()),
                        },
                        Err(failed) => Err(failed),
                    };
                    self.answer(id, &answer.unwrap_or_else(|failed| failed.encode()));
                    self.roles.insert(id, Role::Deaf);
                }
                Some(Role::Quiesce) => {
                    let count = self.session.incoming(id).len();
                    self.session.consume(id, count);
                    if !self.session.has_ended(id) {
                        return Ok(());
                    }
                    self.quiesce(id)?;
                    self.roles.insert(id, Role::Deaf);
                }
                Some(Role::Flow) => return Ok(()),
                // Its process takes it, as fast as it reads.
                Some(Role::Stdio { process }) if self.processes.contains_key(process) => return Ok(()),
                Some(Role::Stdio { .. } | Role::Stderr { .. } | Role::Deaf) => {
                    let count = self.session.incoming(id).len();
                    self.session.consume(id, count);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The host has reset the stream.
    pub(super) fn forsake(&mut self, id: u32) {
        match self.roles.remove(&id) {
            Some(Role::Control(_)) => {
                if let Some(process) = self.processes.get_mut(&id) {
                    process.abandon();
                }
            }
            Some(Role::Stdio { process }) => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.stdin.close();
                    process.stdout.drop_reader();
                }
            }
            Some(Role::Stderr { process }) => {
                if let Some(process) = self.processes.get_mut(&process) {
                    process.stderr.iter_mut().for_each(Output::drop_reader);
                }
            }
            Some(Role::Flow) => drop(self.flows.remove(&id)),
            // A file that is not complete is undone as it is dropped.
            Some(Role::File(_) | Role::Opening(_) | Role::Quiesce | Role::Deaf) | None => {}
        }
    }

    fn open(&mut self, id: u32, body: &[u8]) -> Result<Role, Violation> {
        let message = Message::decode(body)?;
        let opening = Opening::decode(&message)?;
        let opened = match opening {
            _ if self.quiesced => Err(Failed::new(errno::EBUSY, "quiesce", "this session has ended")),
            Opening::OtherGeneration(spoken) => {
                Err(Failed::new(errno::EPROTO, "hello", format!("this guest speaks generation {}, the host {}", GENERATION, spoken)))
            }
            Opening::Hello(hello) if !self.greeted => identity::take_on(&hello, &self.tenant, &mut self.boot_id).map(|welcome| {
                self.greeted = true;
                self.answer(id, &welcome);
                Role::Deaf
            }),
            _ if !self.greeted => Err(Failed::new(errno::EACCES, "hello", "this guest does not know yet who it is: Hello comes first")),
            Opening::Hello(_) => Err(Failed::new(errno::EPROTO, "hello", "this guest knows already who it is")),
            Opening::Start(start) => self.start(id, &start),
            Opening::WriteFile(file) => self.write_file(id, &file),
            Opening::Attach { process, channel } => return Ok(self.attach(id, process, channel)),
            Opening::Quiesce => return Ok(Role::Quiesce),
            Opening::SetClock { wall_clock_ns } => identity::set_clock(wall_clock_ns, &self.tenant).map(|answer| {
                self.answer(id, &answer);
                Role::Deaf
            }),
            Opening::Connect { port } => self.connect(id, port),
            Opening::AwaitPort { port } => self.await_port(id, port),
            Opening::Measure => self.measure(id),
            Opening::Limit(limits) => self.limit(id, &limits),
            Opening::ReadFile(_)
            | Opening::Stat(_)
            | Opening::List { .. }
            | Opening::MakeDirectory(_)
            | Opening::Rename { .. }
            | Opening::Remove { .. }
            | Opening::Watch { .. }
            | Opening::ReadTree(_)
            | Opening::WriteTree(_) => self.open_files(id, &opening),
            Opening::Unknown => Err(unknown(message.kind)),
        };
        Ok(opened.unwrap_or_else(|failed| {
            self.answer(id, &failed.encode());
            Role::Deaf
        }))
    }

    fn start(&mut self, id: u32, start: &Start<'_>) -> Result<Role, Failed> {
        let launched = self.tenant.launch(start)?;
        let pid = launched.process.pid_inside;
        let mut process = Process::new(id, launched, &self.tenant);
        if let Err(error) = process.watch(&self.reactor) {
            process.abandon();
            return Err(Failed::because(error, "spawn", "cannot watch the process"));
        }
        self.processes.insert(id, process);
        self.session.send(id, &message::started(pid));
        Ok(Role::Control(Assembler::default()))
    }

    /// A channel carries raw bytes, so there is no answer to one that cannot be: it is reset.
    fn attach(&mut self, id: u32, process: u64, channel: Channel) -> Role {
        let number = process as u32;
        if let Some(process) = self.processes.get_mut(&number).filter(|_| u64::from(number) == process) {
            if channel == Channel::Stdio && process.stdout.attach(id) {
                process.stdin.attach(id);
                return Role::Stdio { process: number };
            }
            if channel == Channel::Stderr && process.stderr.as_mut().map_or(false, |stderr| stderr.attach(id)) {
                return Role::Stderr { process: number };
            }
        }
        self.session.reset(id);
        Role::Deaf
    }

    fn request(&mut self, id: u32, body: &[u8]) -> Result<(), Violation> {
        let message = Message::decode(body)?;
        let request = ProcessRequest::decode(&message)?;
        let process = match self.processes.get_mut(&id) {
            Some(process) => process,
            None => return Ok(()),
        };
        match request {
            ProcessRequest::Signal { signal } => {
                let delivered = process.signal(signal);
                self.session.send(id, &message::signalled(delivered));
            }
            ProcessRequest::Terminate { grace_ms } => process.terminate(Duration::from_millis(grace_ms)),
            ProcessRequest::Resize(size) => process.resize(size),
            ProcessRequest::Unknown => self.session.send(id, &unknown(message.kind).encode()),
        }
        Ok(())
    }

    /// The stream's one answer.
    pub(super) fn answer(&mut self, id: u32, message: &[u8]) {
        self.session.send(id, message);
        self.session.finish(id);
    }
}
