//! What listens in the guest: a connection to it, and waiting until something does.

use super::connection::Connection;
use super::flow::{Flow, Progress};
use super::port::Port;
use super::streams::Role;
use super::Agent;
use crate::message::{self, Failed};
use crate::yamux::Session;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

/// The sockets of the network that agent and tenant have in common, those that listen first.
const SOCKETS: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// Of each list, about 1,700 that listen: a bound on what a tenant that opens more can cost the agent at each look.
const LIST_BYTES_MAX: u64 = 256 * 1024;
/// Between two looks: first often, for what is just starting; then as rarely as is not yet felt.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(100);

impl Agent {
    pub(super) fn connect(&mut self, id: u32, port: u16) -> Result<Role, Failed> {
        let connection = Connection::begin(id, port, self.reactor.watcher())?;
        self.flows.insert(id, Box::new(connection));
        Ok(Role::Flow)
    }

    pub(super) fn await_port(&mut self, id: u32, port: u16) -> Result<Role, Failed> {
        if something_listens(port) {
            self.answer(id, &message::done());
            return Ok(Role::Deaf);
        }
        let wait = Wait { port, next_look: Instant::now() + PAUSE_MIN, pause: PAUSE_MIN };
        self.flows.insert(id, Box::new(wait));
        Ok(Role::Flow)
    }
}

/// The kernel tells nobody that something has begun to listen, so it is looked after, while somebody waits.
struct Wait {
    port: u16,
    next_look: Instant,
    pause: Duration,
}

impl Flow for Wait {
    fn transfer(&mut self, id: u32, session: &mut Session, _port: &mut Port) -> Progress {
        if Instant::now() < self.next_look {
            return Progress::Idle;
        }
        if something_listens(self.port) {
            session.send(id, &message::done());
            session.finish(id);
            return Progress::Over;
        }
        self.pause = (self.pause * 3 / 2).min(PAUSE_MAX);
        self.next_look = Instant::now() + self.pause;
        Progress::Idle
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.next_look)
    }
}

fn something_listens(port: u16) -> bool {
    SOCKETS.iter().any(|path| {
        let mut list = Vec::new();
        // A kernel without IPv6 has no such list.
        let read = File::open(path).and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut list));
        read.is_ok() && is_listened_to(port, &String::from_utf8_lossy(&list))
    })
}

/// From a list as the kernel writes it: a heading, then a socket a line, with its number, its address and port in hexadecimal, its peer's, and
/// its state.
fn is_listened_to(port: u16, list: &str) -> bool {
    const LISTENING: &str = "0A";
    let port = format!(":{:04X}", port);
    let mut sockets = list.lines().skip(1).map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        (words.next().unwrap_or(""), words.nth(1).unwrap_or(""))
    });
    sockets.by_ref().take_while(|(_, state)| *state == LISTENING).any(|(address, _)| address.ends_with(&port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:0BB8 0100007F:0016 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 0 0 10 -1
";

    #[test]
    fn what_listens_is_found_by_its_port_alone() {
        assert!(is_listened_to(8080, LIST) && is_listened_to(80, LIST));
        assert!(!is_listened_to(3000, LIST), "a connection's own port is none that listens");
        assert!(!is_listened_to(22, LIST) && !is_listened_to(8, LIST) && !is_listened_to(80, ""));
        let six = "heading\n   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0 0\n";
        assert!(is_listened_to(8080, six));
    }

    #[test]
    fn a_list_that_is_cut_is_read_as_far_as_it_goes() {
        for end in 0..LIST.len() {
            is_listened_to(80, &LIST[..end]);
        }
    }
}
