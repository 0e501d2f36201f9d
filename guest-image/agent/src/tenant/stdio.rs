//! What a process reads from and prints to: pipes, or a terminal.

use super::users::User;
use super::Tenant;
use crate::message::{Failed, TerminalSize};
use crate::sys;
use std::fs::File;
use std::os::unix::io::{AsRawFd, OwnedFd, RawFd};

/// The agent's ends.
pub enum Ends {
    Pipes {
        /// Without it, the process reads `/dev/null`.
        stdin: Option<OwnedFd>,
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    Terminal {
        master: OwnedFd,
        /// The master again, to be closed by itself.
        typing: OwnedFd,
    },
}

enum Theirs {
    Pipes([OwnedFd; 3]),
    Terminal(OwnedFd),
}

pub struct Stdio {
    pub ours: Ends,
    /// Held until the process has them.
    theirs: Theirs,
}

impl Stdio {
    pub fn pipes(tenant: &Tenant, stdin: bool, user: &User) -> Result<Stdio, Failed> {
        let pipe = || pipe_of(tenant, user);
        let (stdin_theirs, stdin) = match stdin {
            true => pipe().map(|(reader, writer)| (reader, Some(writer)))?,
            false => (File::open("/dev/null").map_err(|error| Failed::because(error.into(), "spawn", "/dev/null"))?.into(), None),
        };
        let (stdout, stdout_theirs) = pipe()?;
        let (stderr, stderr_theirs) = pipe()?;
        for ours in stdin.iter().chain([&stdout, &stderr]) {
            sys::set_nonblocking(ours).map_err(|error| Failed::because(error, "spawn", "a pipe"))?;
        }
        let theirs = Theirs::Pipes([stdin_theirs, stdout_theirs, stderr_theirs]);
        Ok(Stdio { ours: Ends::Pipes { stdin, stdout, stderr }, theirs })
    }

    pub fn terminal(tenant: &Tenant, size: TerminalSize, user: &User) -> Result<Stdio, Failed> {
        let failed = |error| Failed::because(error, "spawn", "a terminal");
        let (master, slave) = tenant.open_terminal(size, user).map_err(failed)?;
        let typing = master.try_clone().map_err(|error| failed(error.into()))?;
        Ok(Stdio { ours: Ends::Terminal { master, typing }, theirs: Theirs::Terminal(slave) })
    }

    pub fn theirs(&self) -> [RawFd; 3] {
        match &self.theirs {
            Theirs::Pipes([stdin, stdout, stderr]) => [stdin.as_raw_fd(), stdout.as_raw_fd(), stderr.as_raw_fd()],
            Theirs::Terminal(slave) => [slave.as_raw_fd(); 3],
        }
    }
}

/// A pipe belongs to the user, who may want to open it again as `/dev/stdout`.
fn pipe_of(tenant: &Tenant, user: &User) -> Result<(OwnedFd, OwnedFd), Failed> {
    let failed = |error| Failed::because(error, "spawn", "a pipe");
    let (reader, writer) = sys::pipe().map_err(failed)?;
    if tenant.enclosure.is_some() && user.uid != 0 {
        sys::change_owner(&writer, user.uid, user.gid).map_err(failed)?;
    }
    Ok((reader, writer))
}
