//! A host in a few lines: the agent in a thread, a socket pair for the pipe, and blocking calls that wait for what a test expects.

// No test file uses all of it.
#![allow(dead_code, unused_imports)]

mod files;
mod messages;
mod ports;
mod terminals;

pub use files::*;
pub use messages::*;
pub use ports::*;
pub use terminals::*;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::io::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use warmcell_agent::agent::{Agent, Ending};
use warmcell_agent::message::{self, Message};
use warmcell_agent::tenant::Tenant;
use warmcell_agent::yamux::{Header, Kind, FIN, HEADER_BYTES, RST, SYN, WINDOW_BYTES};

/// Longer than anything here takes, on the slowest of machines.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
pub struct Incoming {
    pub bytes: Vec<u8>,
    pub finished: bool,
    pub reset: bool,
    credit: u32,
}

pub struct Host {
    pub pongs: u32,
    socket: UnixStream,
    unread: Vec<u8>,
    pub streams: BTreeMap<u32, Incoming>,
    pub go_away: Option<u32>,
    next_stream: u32,
    /// Whether credit is given back as data comes.
    pub granting: bool,
    agent: Option<JoinHandle<Ending>>,
    pub root: PathBuf,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Exit {
    pub code: u64,
    pub signal: u64,
}

impl Host {
    /// With a tenant root that has a user `root`, and the handshake not done.
    pub fn connect(name: &str) -> Host {
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        ours.set_write_timeout(Some(PATIENCE)).unwrap();
        let opened = File::open(&root).unwrap();
        let agent = std::thread::spawn(move || {
            let port = File::from(OwnedFd::from(theirs));
            Agent::new(port, Tenant::new(opened.into(), None)).unwrap().run()
        });
        let streams = BTreeMap::new();
        Host {
            pongs: 0,
            socket: ours,
            unread: Vec::new(),
            streams,
            go_away: None,
            next_stream: 1,
            granting: true,
            agent: Some(agent),
            root,
        }
    }

    /// The same, after the handshake.
    pub fn greeted(name: &str) -> Host {
        let mut host = Host::connect(name);
        let id = host.open(&hello(message::GENERATION));
        assert_eq!(host.answer(id).0, message::WELCOME);
        host
    }

    /// As a new host that has got hold of a clone's pipe.
    pub fn begin_again(&mut self) {
        assert!(self.unread.is_empty());
        self.streams.clear();
        self.next_stream = 1;
    }

    /// As a host that is done with a template. Returns how many processes go on.
    pub fn quiesce(&mut self) -> u64 {
        let id = self.open(&quiesce());
        self.finish(id);
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::QUIESCED);
        self.until(|host| host.streams[&id].finished);
        number(&fields[0].1)
    }

    /// The next stream has at least this id.
    pub fn skip_to(&mut self, id: u32) {
        self.next_stream = self.next_stream.max(id);
    }

    pub fn ping(&mut self) {
        let before = self.pongs;
        self.frame(Kind::Ping, SYN, 0, 7, &[]);
        self.until(|host| host.pongs > before);
    }

    pub fn frame(&mut self, kind: Kind, flags: u16, stream: u32, length: u32, body: &[u8]) {
        let bytes = [&Header { kind, flags, stream, length }.encode()[..], body].concat();
        self.socket.write_all(&bytes).unwrap();
    }

    pub fn open(&mut self, first: &[u8]) -> u32 {
        let id = self.next_stream;
        self.next_stream += 2;
        self.streams.insert(id, Incoming { credit: WINDOW_BYTES - first.len() as u32, ..Incoming::default() });
        self.frame(Kind::Data, SYN, id, first.len() as u32, first);
        id
    }

    /// Waits for credit as any sender does.
    pub fn send(&mut self, id: u32, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.until(|host| host.streams[&id].credit > 0 || host.streams[&id].reset);
            let stream = self.streams.get_mut(&id).unwrap();
            let count = bytes.len().min(stream.credit as usize).min(65_536);
            stream.credit -= count as u32;
            self.frame(Kind::Data, 0, id, count as u32, &bytes[..count]);
            bytes = &bytes[count..];
        }
    }

    pub fn credit(&self, id: u32) -> u32 {
        self.streams[&id].credit
    }

    pub fn grant(&mut self, id: u32, bytes: u32) {
        self.frame(Kind::WindowUpdate, 0, id, bytes, &[]);
    }

    pub fn finish(&mut self, id: u32) {
        self.frame(Kind::WindowUpdate, FIN, id, 0, &[]);
    }

    pub fn reset(&mut self, id: u32) {
        self.frame(Kind::WindowUpdate, RST, id, 0, &[]);
    }

    pub fn until(&mut self, mut holds: impl FnMut(&Host) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(self.read_some(deadline.saturating_duration_since(Instant::now())), "it did not happen in time");
        }
    }

    /// Takes what comes for a while.
    pub fn pause(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while self.read_some(deadline.saturating_duration_since(Instant::now())) {}
    }

    fn read_some(&mut self, time: Duration) -> bool {
        if time.is_zero() {
            return false;
        }
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = vec![0; 65_536];
        let count = match self.socket.read(&mut buffer) {
            Ok(count) if count > 0 => count,
            _ => return false,
        };
        self.unread.extend_from_slice(&buffer[..count]);
        while self.unread.len() >= HEADER_BYTES {
            let header = Header::decode(self.unread[..HEADER_BYTES].try_into().unwrap()).unwrap();
            let body = if header.kind == Kind::Data { header.length as usize } else { 0 };
            if self.unread.len() < HEADER_BYTES + body {
                break;
            }
            let body: Vec<u8> = self.unread.drain(..HEADER_BYTES + body).skip(HEADER_BYTES).collect();
            self.take(header, &body);
        }
        true
    }

    fn take(&mut self, header: Header, body: &[u8]) {
        assert!(body.len() <= 65_536);
        match header.kind {
            Kind::GoAway => self.go_away = Some(header.length),
            Kind::Ping => self.pongs += 1,
            Kind::Data | Kind::WindowUpdate => {
                let stream = self.streams.get_mut(&header.stream).expect("a frame for a stream of ours");
                assert!(!stream.finished || body.is_empty(), "data after the end");
                stream.bytes.extend_from_slice(body);
                if header.kind == Kind::WindowUpdate {
                    stream.credit += header.length;
                }
                stream.finished |= header.flags & FIN != 0;
                stream.reset |= header.flags & RST != 0;
                if self.granting && !body.is_empty() && !stream.finished {
                    self.grant(header.stream, body.len() as u32);
                }
            }
        }
    }

    /// The next message on a stream: its type and its fields.
    pub fn answer(&mut self, id: u32) -> (u8, Vec<(u8, Vec<u8>)>) {
        let length = |host: &Host| {
            let bytes = &host.streams[&id].bytes;
            bytes.get(..4).map(|length| 4 + u32::from_be_bytes(length.try_into().unwrap()) as usize)
        };
        self.until(|host| length(host).map_or(false, |length| host.streams[&id].bytes.len() >= length));
        let length = length(self).unwrap();
        let bytes: Vec<u8> = self.streams.get_mut(&id).unwrap().bytes.drain(..length).collect();
        let message = Message::decode(&bytes[4..]).unwrap();
        (message.kind, message.fields().map(|(tag, value)| (tag, value.to_vec())).collect())
    }

    /// errno and step of the failure that must be the answer.
    pub fn failure(&mut self, id: u32) -> (String, String) {
        let (kind, fields) = self.answer(id);
        assert_eq!(kind, message::FAILED);
        let text = |at: usize| String::from_utf8(fields[at].1.clone()).unwrap();
        (text(0), text(1))
    }

    /// Starts a process and attaches both its channels.
    pub fn start(&mut self, arguments: &[&str], stdin: bool) -> Running {
        let control = self.open(&start(arguments, "/", "root", stdin));
        let stdio = self.open(&attach(control, 1));
        let stderr = self.open(&attach(control, 2));
        self.finish(stderr);
        let (kind, fields) = self.answer(control);
        assert_eq!(kind, message::STARTED, "{:?}", fields);
        Running { control, stdio, stderr, pid: number(&fields[0].1) as i32 }
    }

    pub fn sh(&mut self, script: &str) -> Running {
        self.start(&["sh", "-c", script], false)
    }

    pub fn exit(&mut self, process: &Running) -> Exit {
        let (kind, fields) = self.answer(process.control);
        assert_eq!(kind, message::EXITED);
        Exit { code: number(&fields[0].1), signal: number(&fields[1].1) }
    }

    pub fn output(&self, id: u32) -> String {
        String::from_utf8_lossy(&self.streams[&id].bytes).into_owned()
    }

    /// Closes the pipe, and says what the agent makes of it.
    pub fn hang_up(mut self) -> Ending {
        self.socket.shutdown(std::net::Shutdown::Both).unwrap();
        self.agent.take().unwrap().join().unwrap()
    }

    pub fn ending(mut self) -> Ending {
        self.agent.take().unwrap().join().unwrap()
    }
}

pub struct Running {
    pub control: u32,
    pub stdio: u32,
    pub stderr: u32,
    pub pid: i32,
}

/// Whether a process of that number runs; a zombie does not.
pub fn runs(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{}/stat", pid)) {
        Ok(stat) => !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'),
        Err(_) => false,
    }
}
