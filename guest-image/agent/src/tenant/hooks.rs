//! What a template brings along to make each of its clones unlike the others: the programs in `/etc/warmcell/clone.d`, run before anything
//! of a tenant's is. A runtime that was started before the snapshot is told there to draw its random numbers anew.

use super::search::complete_environment;
use super::Tenant;
use crate::errno::{self, Errno};
use crate::message::Failed;
use crate::reactor::{Reactor, Token};
use crate::sys::{self, Ended, Plan, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_RDONLY, SIGKILL};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

const DIRECTORY: &str = "/etc/warmcell/clone.d";
/// For each: a clone is waited for.
const TIME_MAX: Duration = Duration::from_secs(5);
/// A bound on what a directory can cost the agent.
const HOOKS_MAX: usize = 64;
/// The end of what a hook printed, which says why it failed.
const TAIL_BYTES: usize = 1024;
const READ_BYTES: usize = 4096;

impl Tenant {
    /// Runs every hook there is, in the order of their names, until one fails.
    pub fn run_hooks(&self, generation_id: u64) -> Result<(), Failed> {
        for name in self.hooks()? {
            let readable = String::from_utf8_lossy(&name).into_owned();
            self.run_hook(&name, generation_id)
                .map_err(|(error, why)| Failed::new(error, "hook", format!("the template's hook '{}' {}", readable, why)))?;
        }
        Ok(())
    }

    /// The names of the executable regular files. A link is none: what it leads to may be anything.
    fn hooks(&self) -> Result<Vec<Vec<u8>>, Failed> {
        let failed = |error: Errno| Failed::because(error, "hook", DIRECTORY);
        let directory = match sys::open_in_root(&self.root, &sys::c_string(DIRECTORY).map_err(failed)?, O_RDONLY | O_DIRECTORY, 0) {
            Err(errno::ENOENT | errno::ENOTDIR) => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut names = Vec::new();
        // The directory that was opened, whatever its name means by now.
        for entry in fs::read_dir(format!("/proc/self/fd/{}", directory.as_raw_fd())).map_err(|error| failed(error.into()))? {
            let name = entry.map_err(|error| failed(error.into()))?.file_name().into_vec();
            if is_program(&directory, &name) {
                names.push(name);
            }
            if names.len() > HOOKS_MAX {
                return Err(Failed::new(errno::E2BIG, "hook", format!("more than {} hooks in {}", HOOKS_MAX, DIRECTORY)));
            }
        }
        names.sort();
        Ok(names)
    }

    fn run_hook(&self, name: &[u8], generation_id: u64) -> Result<(), (Errno, String)> {
        let cannot = |error: Errno| (error, format!("cannot be started: {}", error.describe()));
        // By number: a root without a passwd has a root all the same.
        let user = self.user("0").map_err(|failed| (failed.errno, failed.message))?;
        let environment = complete_environment(&[&format!("WARMCELL_GENERATION_ID={}", generation_id)], &user);
        let environment = environment.into_iter().map(sys::c_string).collect::<sys::Result<Vec<CString>>>().map_err(cannot)?;
        let program = [sys::c_string([&self.outer_path(DIRECTORY), &b"/"[..], name].concat()).map_err(cannot)?];
        let (output, theirs) = sys::pipe().map_err(cannot)?;
        sys::set_nonblocking(&output).map_err(cannot)?;
        let nothing = OpenOptions::new().read(true).open("/dev/null").map_err(|error| cannot(error.into()))?;
        let process = self
            .spawn(&Plan {
                programs: &program,
                arguments: &program,
                environment: &environment,
                directories: &[sys::c_string("/").map_err(cannot)?],
                stdio: [nothing.as_raw_fd(), theirs.as_raw_fd(), theirs.as_raw_fd()],
                ..self.walls(&user)
            })
            .map_err(|(_, error)| cannot(error))?;
        drop(theirs);
        let mut tail = Vec::new();
        let ended = watch(&process.pidfd, &output, &mut tail);
        // It, and what it left behind in its group. Until it is buried, its number is nobody else's.
        let _ = sys::kill_group(process.pid, SIGKILL);
        let _ = sys::bury(&process.pidfd);
        let said = match String::from_utf8_lossy(&tail).trim() {
            "" => String::new(),
            text => format!(": {}", text),
        };
        match ended.map_err(cannot)? {
            Some(Ended::Exit(0)) => Ok(()),
            Some(Ended::Exit(code)) => Err((errno::EIO, format!("ended with {}{}", code, said))),
            Some(Ended::Signal(signal)) => Err((errno::EIO, format!("was ended by signal {}{}", signal, said))),
            None => Err((errno::ETIMEDOUT, format!("took longer than {} s{}", TIME_MAX.as_secs(), said))),
        }
    }
}

fn is_program(directory: &OwnedFd, name: &[u8]) -> bool {
    let opened = sys::c_string(name).and_then(|name| sys::open_in_root(directory, &name, O_PATH | O_NOFOLLOW, 0));
    let about = opened.ok().and_then(|file| File::from(file).metadata().ok());
    about.map_or(false, |about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// How it ended; `None` when it did not in time.
fn watch(pidfd: &OwnedFd, output: &OwnedFd, tail: &mut Vec<u8>) -> sys::Result<Option<Ended>> {
    let deadline = Instant::now() + TIME_MAX;
    let mut reactor = Reactor::new()?;
    reactor.watch(pidfd, Token::Exit(0))?;
    reactor.watch(output, Token::Stdout(0))?;
    loop {
        let ended = sys::wait(pidfd, false)?;
        // Looked at first, read after: what it printed before it ended is there.
        let more = matches!(sys::read_onto(output, tail, READ_BYTES), Ok(count) if count > 0);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        match ended {
            // A child of its that prints on delays nothing for ever.
            Some(_) if !more || Instant::now() >= deadline => return Ok(ended),
            None if Instant::now() >= deadline => return Ok(None),
            _ => {}
        }
        if !more {
            reactor.wait(Some(deadline))?.for_each(drop);
        }
    }
}
