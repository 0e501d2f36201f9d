//! One process of the tenant: its life, from `Started` to `Exited`.

use super::flow::Progress;
use super::input::Input;
use super::output::Output;
use super::port::Port;
use crate::message::{Exited, TerminalSize};
use crate::reactor::{Reactor, Readiness, Token};
use crate::sys::{self, Ended, SIGKILL, SIGTERM};
use crate::tenant::launch::Launched;
use crate::tenant::stdio::Ends;
use crate::tenant::Tenant;
use crate::yamux::Session;
use std::os::unix::io::OwnedFd;
use std::time::{Duration, Instant};

/// Most short commands have ended by then, emulated too.
const YOUNG: Duration = Duration::from_millis(20);

enum Life {
    Running,
    /// SIGTERM was sent; SIGKILL follows. `None`: it has followed.
    Terminating {
        kill_at: Option<Instant>,
    },
    /// It has ended, and stays a zombie until it is forgotten: so its number, which is its group's, cannot become another's.
    Ended(Exited),
}

pub struct Process {
    /// The id of its control stream.
    id: u32,
    pid: i32,
    pidfd: OwnedFd,
    life: Life,
    /// The host has reset the control stream: nobody asks how it ends.
    abandoned: bool,
    pub stdin: Input,
    pub stdout: Output,
    /// A terminal has none of its own.
    pub stderr: Option<Output>,
    started_at: Instant,
    /// The tenant's out-of-memory kills before it started.
    memory_kills_before: u64,
}

impl Process {
    pub fn new(id: u32, launched: Launched, tenant: &Tenant) -> Process {
        let (stdin, stdout, stderr) = match launched.ends {
            Ends::Pipes { stdin, stdout, stderr } => (Input::new(stdin), Output::new(stdout), Some(Output::new(stderr))),
            Ends::Terminal { master, typing } => (Input::of_terminal(typing), Output::of_terminal(master), None),
        };
        Process {
            id,
            pid: launched.process.pid,
            pidfd: launched.process.pidfd,
            life: Life::Running,
            abandoned: false,
            started_at: Instant::now(),
            stdin,
            stdout,
            stderr,
            memory_kills_before: tenant.enclosure.as_ref().map_or(0, |walls| walls.cgroup.known_kills()),
        }
    }

    pub fn watch(&self, reactor: &Reactor) -> sys::Result<()> {
        reactor.watch(&self.pidfd, Token::Exit(self.id))?;
        self.stdout.watch(reactor, Token::Stdout(self.id))?;
        match &self.stderr {
            // Watched once, both ways.
            None => Ok(()),
            Some(stderr) => {
                self.stdin.pipe().map_or(Ok(()), |pipe| reactor.watch(pipe, Token::Stdin(self.id)))?;
                stderr.watch(reactor, Token::Stderr(self.id))
            }
        }
    }

    pub fn note_output(&mut self, readiness: Readiness) {
        self.stdout.note(readiness);
        if self.stderr.is_none() {
            self.stdin.note(readiness);
        }
    }

    pub fn note_errors(&mut self, readiness: Readiness) {
        if let Some(stderr) = &mut self.stderr {
            stderr.note(readiness);
        }
    }

    /// Without a terminal, there is nothing that has a size.
    pub fn resize(&self, size: TerminalSize) {
        if let Some(master) = self.stdout.terminal() {
            let _ = sys::set_window_size(master, size.columns, size.rows);
        }
    }

    /// Until when it may turn out to be one that ends at once.
    pub fn is_young_until(&self) -> Option<Instant> {
        (!self.abandoned).then(|| self.started_at + YOUNG)
    }

    /// Whether there was still a process to get it.
    pub fn signal(&self, signal: i32) -> bool {
        !matches!(self.life, Life::Ended(_)) && sys::kill_group(self.pid, signal).is_ok()
    }

    /// Asks the group to end, and makes it end after the grace. Asked again, the earlier end counts.
    pub fn terminate(&mut self, grace: Duration) {
        // A grace beyond what a clock can tell is none that ends.
        let asked = Instant::now().checked_add(grace);
        match &mut self.life {
            Life::Running => {
                self.signal(SIGTERM);
                self.life = Life::Terminating { kill_at: asked };
            }
            Life::Terminating { kill_at } => *kill_at = kill_at.and_then(|at| Some(at.min(asked?))).or(asked),
            // The process has gone; what it left in its group goes too.
            Life::Ended(_) => self.kill(),
        }
        self.kill_if_due();
    }

    pub fn kill_if_due(&mut self) {
        if self.kill_at().map_or(false, |at| at <= Instant::now()) {
            self.kill();
            self.life = Life::Terminating { kill_at: None };
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.kill_at().into_iter().chain(self.stdin.deadline()).min()
    }

    fn kill_at(&self) -> Option<Instant> {
        match self.life {
            Life::Terminating { kill_at } => kill_at,
            Life::Running | Life::Ended(_) => None,
        }
    }

    /// The host has lost interest.
    pub fn abandon(&mut self) {
        self.kill();
        if let Life::Running | Life::Terminating { .. } = self.life {
            self.life = Life::Terminating { kill_at: None };
        }
        self.abandoned = true;
        self.stdin.close();
        self.outputs().for_each(Output::drop_awaited_reader);
    }

    /// Its session is forgotten: it goes on, under another number, with nobody who writes to it, reads it or asks how it ends.
    pub fn orphan(&mut self, id: u32) {
        self.id = id;
        self.abandoned = true;
        self.stdin.close();
        self.outputs().for_each(Output::drop_reader);
    }

    /// It has neither ended nor been killed.
    pub fn runs(&self) -> bool {
        matches!(self.life, Life::Running | Life::Terminating { kill_at: Some(_) })
    }

    fn outputs(&mut self) -> impl Iterator<Item = &mut Output> {
        std::iter::once(&mut self.stdout).chain(&mut self.stderr)
    }

    /// The group, and on a terminal the one in the foreground too: a shell puts what it runs into groups of their own. Those in the background
    /// live on without a terminal, if they ignore SIGHUP or their shell does not send it: what is started to outlive its terminal, as with
    /// nohup, is not hunted down.
    fn kill(&self) {
        if let Some(group) = self.stdout.terminal().and_then(sys::foreground_group) {
            let _ = sys::kill_group(group, SIGKILL);
        }
        // Fails when nobody of the group is left, which is what was wanted.
        let _ = sys::kill_group(self.pid, SIGKILL);
    }

    pub fn note_exit(&mut self, tenant: &Tenant) -> sys::Result<()> {
        let ended = match sys::wait(&self.pidfd, false)? {
            Some(ended) if !matches!(self.life, Life::Ended(_)) => ended,
            _ => return Ok(()),
        };
        if let Life::Terminating { .. } = self.life {
            self.kill();
        }
        self.stdin.close();
        self.outputs().for_each(Output::process_ended);
        let oom_killed = ended == Ended::Signal(SIGKILL)
            && tenant.enclosure.as_ref().map_or(0, |walls| walls.cgroup.out_of_memory_kills()) > self.memory_kills_before;
        self.life = Life::Ended(match ended {
            Ended::Exit(code) => Exited { exit_code: code as u64, signal: 0, oom_killed },
            Ended::Signal(signal) => Exited { exit_code: 128 + signal as u64, signal: signal as u64, oom_killed },
        });
        Ok(())
    }

    /// Moves what can be moved.
    pub(super) fn transfer(&mut self, session: &mut Session, port: &mut Port) -> Progress {
        let input = self.stdin.transfer(session);
        let stdout = self.stdout.transfer(session, port);
        let stderr = self.stderr.as_mut().map_or(false, |stderr| stderr.transfer(session, port));
        match input || stdout || stderr {
            true => Progress::Moved,
            false => Progress::Idle,
        }
    }

    /// It has ended, and what it printed is on its way.
    pub fn is_over(&self) -> bool {
        matches!(self.life, Life::Ended(_)) && self.stdout.is_handed_over() && self.stderr.as_ref().map_or(true, Output::is_handed_over)
    }

    /// Tells the host how it ended. Returns what is left: its body, to be buried once the host has been told, and the pipes that somebody
    /// still holds.
    pub fn conclude(self, session: &mut Session) -> (OwnedFd, impl Iterator<Item = Output>) {
        if let (Life::Ended(exited), false) = (&self.life, self.abandoned) {
            session.send(self.id, &exited.encode());
            session.finish(self.id);
        }
        (self.pidfd, std::iter::once(self.stdout).chain(self.stderr).filter(Output::outlives_its_process))
    }
}
