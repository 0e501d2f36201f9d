//! From a `Start` to a running program: everything that can be decided before the child exists.

use super::search::{candidates, complete_environment, from_home, home, value_of};
use super::stdio::{Ends, Stdio};
use super::users::User;
use super::{capabilities, Tenant, AGENT_NICENESS};
use crate::errno::{self, Errno};
use crate::message::{Failed, Start};
use crate::sys::{self, Credentials, Plan, Policy, Spawned, Step};
use std::ffi::CString;
use std::os::unix::io::AsRawFd;

pub struct Launched {
    pub process: Spawned,
    pub ends: Ends,
}

/// What a terminal is taken for by a program that asks: every terminal of today understands what this one does.
const TERM: &str = "xterm-256color";

impl Tenant {
    pub fn launch(&self, start: &Start<'_>) -> Result<Launched, Failed> {
        let program = *start.arguments.first().ok_or_else(|| Failed::new(errno::EINVAL, "exec", "no program was named"))?;
        let user = self.user(start.user)?;
        let mut environment = complete_environment(&start.environment, &user);
        if start.terminal.is_some() && value_of(&environment, "TERM").is_none() {
            environment.push(format!("TERM={}", TERM));
        }
        let path = value_of(&environment, "PATH").unwrap_or("");
        let directories = match start.cwd {
            "" => vec![home(&user).to_string(), "/".to_string()],
            cwd => vec![from_home(&user, cwd)],
        };
        let strings = |list: &[String]| list.iter().map(c_string).collect::<Result<Vec<_>, _>>();

        let stdio = match start.terminal {
            Some(size) => Stdio::terminal(self, size, &user)?,
            None => Stdio::pipes(self, start.stdin, &user)?,
        };
        let plan = Plan {
            programs: &strings(&candidates(program, path))?,
            arguments: &start.arguments.iter().map(|&text| c_string(text)).collect::<Result<Vec<_>, _>>()?,
            environment: &strings(&environment)?,
            directories: &directories.into_iter().map(c_string).collect::<Result<Vec<_>, _>>()?,
            stdio: stdio.theirs(),
            terminal: start.terminal.is_some(),
            ..self.walls(&user)
        };
        let process = self.spawn(&plan).map_err(|(step, error)| explain(step, error, start, path))?;
        Ok(Launched { process, ends: stdio.ours })
    }

    /// The part of a plan that keeps a program inside, as that user.
    pub(super) fn walls<'a>(&'a self, user: &'a User) -> Plan<'a> {
        match &self.enclosure {
            None => Plan::default(),
            Some(walls) => Plan {
                namespaces_of: Some(walls.init.as_raw_fd()),
                cgroup: Some(walls.cgroup.descriptor()),
                credentials: Some(Credentials {
                    uid: user.uid,
                    gid: user.gid,
                    groups: &user.groups,
                    without: if user.uid == 0 { &[] } else { &capabilities::OF_ROOT },
                }),
                // Root is to be able to become somebody else and back, as sudo does.
                no_new_privileges: user.uid != 0,
                filter: &walls.filter,
                ..Plan::default()
            },
        }
    }

    /// How the agent itself is scheduled. Patient while a process that was just started may end any moment: woken by the closing of each
    /// of its pipes, the agent would interrupt that end three times, and tell the host in as many pieces.
    pub fn be(&self, policy: Policy) {
        if self.enclosure.is_some() && self.policy.replace(policy) != policy {
            let _ = sys::set_scheduling(0, policy, AGENT_NICENESS);
        }
    }

    pub(super) fn spawn(&self, plan: &Plan<'_>) -> Result<Spawned, (Step, Errno)> {
        // Woken as soon as the program runs, so that the host hears of it at once.
        self.be(Policy::Ordinary);
        let process = sys::spawn(plan)?;
        if self.enclosure.is_some() {
            // The agent waits while its child becomes the program, in the tenant's group, beside whatever spins there: so it does that
            // with the agent's precedence, and loses it here. A failure means that it has ended already.
            let _ = sys::set_scheduling(process.pid, Policy::Ordinary, 0);
        }
        Ok(process)
    }
}

fn c_string(text: impl AsRef<str>) -> Result<CString, Failed> {
    sys::c_string(text.as_ref()).map_err(|error| Failed::new(error, "spawn", "an argument, a variable or the cwd has a NUL in it"))
}

/// In words that say what to change.
fn explain(step: Step, error: Errno, start: &Start<'_>, path: &str) -> Failed {
    let program = start.arguments[0];
    match (step, error) {
        (Step::Directory, _) => Failed::because(error, "cwd", format!("cannot enter the working directory '{}'", start.cwd)),
        (Step::Exec, errno::ENOENT) if !program.contains('/') => {
            Failed::new(error, "exec", format!("there is no '{}' in the PATH {}", program, path))
        }
        (Step::Exec, _) => Failed::because(error, "exec", format!("cannot execute '{}'", program)),
        (Step::Spawn, errno::EAGAIN) => Failed::new(error, "spawn", "the sandbox has as many processes as it may"),
        (Step::Spawn, _) => Failed::because(error, "spawn", "cannot make a process"),
    }
}
