//! The agent at work: one loop that waits, takes what the host sends, moves what processes print, and answers.

mod connection;
mod files;
mod flow;
mod identity;
mod input;
mod limits;
mod moving;
mod output;
mod port;
mod ports;
mod process;
mod quiesce;
mod streams;
mod terminal;

use crate::errno::Errno;
use crate::reactor::{Reactor, Readiness, Token};
use crate::sys::{self, Policy};
use crate::tenant::boot_id::BootId;
use crate::tenant::Tenant;
use crate::yamux::{Event, Session, Violation};
use flow::Flow;
use output::Output;
use port::Port;
use process::Process;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::io::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use streams::Role;

/// How long the last words to a host that broke the contract may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the microVM's life is over.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    HostGone,
    /// The tenant's init has ended, and all its processes with it: the tenant asked for a reboot.
    TenantGone,
    Violation(&'static str),
    Broken(Errno),
}

impl From<Violation> for Ending {
    fn from(violation: Violation) -> Ending {
        Ending::Violation(violation.0)
    }
}

impl From<Errno> for Ending {
    fn from(error: Errno) -> Ending {
        Ending::Broken(error)
    }
}

pub struct Agent {
    tenant: Rc<Tenant>,
    reactor: Reactor,
    port: Port,
    session: Session,
    /// What each stream that lives is for.
    roles: BTreeMap<u32, Role>,
    /// By the id of the control stream, or, of one that a session left behind, by an even number.
    processes: BTreeMap<u32, Process>,
    /// By the id of their stream.
    flows: BTreeMap<u32, Box<dyn Flow>>,
    drains: BTreeMap<u32, Output>,
    next_drain: u32,
    last_orphan: u32,
    /// Of whom the host is being told: zombies, so that their numbers stay theirs until then.
    dead: Vec<OwnedFd>,
    boot_id: BootId,
    /// Whose turn it is to send: the one after the last that sent.
    last_served: u32,
    /// The handshake is done: this guest knows who it is.
    greeted: bool,
    /// The session is to be forgotten as soon as its last answer has left.
    quiesced: bool,
}

impl Agent {
    pub fn new(port: File, tenant: Tenant) -> Result<Agent, Errno> {
        let reactor = Reactor::new()?;
        reactor.watch(&port, Token::Port)?;
        if let Some(walls) = &tenant.enclosure {
            reactor.watch(&walls.init, Token::TenantInit)?;
            reactor.watch_changes(&walls.cgroup.events, Token::MemoryEvents)?;
            walls.cgroup.out_of_memory_kills();
        }
        Ok(Agent {
            tenant: Rc::new(tenant),
            reactor,
            port: Port::new(port),
            session: Session::new(),
            roles: BTreeMap::new(),
            processes: BTreeMap::new(),
            flows: BTreeMap::new(),
            drains: BTreeMap::new(),
            next_drain: 0,
            last_orphan: 0,
            dead: Vec::new(),
            boot_id: BootId::default(),
            last_served: 0,
            greeted: false,
            quiesced: false,
        })
    }

    /// Serves until the microVM's life is over.
    pub fn run(&mut self) -> Ending {
        loop {
            if let Err(ending) = self.serve() {
                if let Ending::Violation(_) = ending {
                    self.session.refuse();
                    self.say_last_words();
                }
                return ending;
            }
        }
    }

    fn serve(&mut self) -> Result<(), Ending> {
        let mut moved = true;
        loop {
            // With work left over, only a glance: what has become ready meanwhile gets its turn too.
            let deadline = if moved { Some(Instant::now()) } else { self.next_deadline() };
            let ready: Vec<(Token, Readiness)> = self.reactor.wait(deadline)?.collect();
            for (token, readiness) in ready {
                self.note(token, readiness)?;
            }
            for process in self.processes.values_mut() {
                process.kill_if_due();
            }
            moved = self.receive()?;
            moved |= self.move_data()?;
            self.settle()?;
            moved |= self.port.flush(&mut self.session.out).map_err(|_| Ending::HostGone)?;
            // Burying takes as long as telling, and nobody waits for it.
            for pidfd in self.dead.drain(..) {
                let _ = sys::wait(&pidfd, true);
            }
            self.forget_if_quiesced();
        }
    }

    /// Before the agent sleeps: when something is due, if nothing happens until then.
    fn next_deadline(&self) -> Option<Instant> {
        let kill = self.processes.values().filter_map(Process::deadline).min();
        let young = self.processes.values().filter_map(Process::is_young_until).max().filter(|&until| until > Instant::now());
        self.tenant.be(if young.is_some() { Policy::Patient } else { Policy::Ordinary });
        let flow = self.flows.values().filter_map(|flow| flow.deadline()).min();
        kill.into_iter().chain(young).chain(flow).min()
    }

    fn note(&mut self, token: Token, readiness: Readiness) -> Result<(), Ending> {
        match token {
            Token::Port => return self.port.note(readiness).map_err(|_| Ending::HostGone),
            Token::TenantInit => return Err(Ending::TenantGone),
            Token::MemoryEvents => {
                if let Some(walls) = &self.tenant.enclosure {
                    walls.cgroup.out_of_memory_kills();
                }
                return Ok(());
            }
            Token::Drain(id) => {
                if let Some(drain) = self.drains.get_mut(&id) {
                    drain.note(readiness);
                }
                return Ok(());
            }
            Token::Flow(id) => {
                if let Some(flow) = self.flows.get_mut(&id) {
                    flow.note(readiness);
                }
                return Ok(());
            }
            Token::Exit(id) | Token::Stdin(id) | Token::Stdout(id) | Token::Stderr(id) => {
                if let Some(process) = self.processes.get_mut(&id) {
                    match token {
                        Token::Exit(_) => process.note_exit(&self.tenant)?,
                        Token::Stdin(_) => process.stdin.note(readiness),
                        Token::Stdout(_) => process.note_output(readiness),
                        _ => process.note_errors(readiness),
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a bounded piece of what the host sends.
    fn receive(&mut self) -> Result<bool, Ending> {
        let mut events = Vec::new();
        let mut moved = false;
        for _ in 0..port::READS_PER_TURN {
            if self.session.out.is_choked() {
                break;
            }
            let bytes = match self.port.read().map_err(|_| Ending::HostGone)? {
                Some(bytes) => bytes,
                None => break,
            };
            moved = true;
            let result = self.session.receive(bytes, &mut events);
            if !self.greeted {
                // The entropy came this way.
                sys::wipe(bytes);
            }
            for event in events.drain(..) {
                match event {
                    Event::Opened(id) => {
                        self.roles.insert(id, Role::default());
                    }
                    Event::Changed(id) => self.advance(id)?,
                    Event::Reset(id) => self.forsake(id),
                }
            }
            result?;
        }
        Ok(moved)
    }

    fn say_last_words(&mut self) {
        let deadline = Instant::now() + FAREWELL;
        while self.port.flush(&mut self.session.out).is_ok() && !self.session.out.pending().is_empty() && Instant::now() < deadline {
            let ready = match self.reactor.wait(Some(deadline)) {
                Ok(ready) => ready.filter(|(token, _)| *token == Token::Port).last(),
                Err(_) => return,
            };
            if let Some((_, readiness)) = ready {
                let _ = self.port.note(readiness);
            }
        }
    }
}
