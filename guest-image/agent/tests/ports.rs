//! Connections to what listens, as a client beyond the pipe has them, and waiting until something does.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::message;
use warmcell_agent::yamux::WINDOW_BYTES;

fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Something that serves one connection.
fn serve<T: Send + 'static>(address: &str, act: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let (listener, port) = listen(address);
    (port, std::thread::spawn(move || act(listener.accept().unwrap().0)))
}

fn echo(mut socket: TcpStream) {
    std::io::copy(&mut socket.try_clone().unwrap(), &mut socket).unwrap();
}

fn connected(host: &mut Host, port: u16) -> u32 {
    let id = host.open(&connect(port));
    assert_eq!(host.answer(id).0, message::DONE);
    id
}

fn pattern(length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn ten_mebibytes_come_back_whole() {
    let mut host = Host::greeted("port-echo");
    for address in ["127.0.0.1", "0.0.0.0"] {
        let (port, server) = serve(address, echo);
        let id = connected(&mut host, port);
        let bytes = pattern(10 << 20);
        host.send(id, &bytes);
        host.finish(id);
        host.until(|host| host.streams[&id].finished);
        assert!(host.streams[&id].bytes == bytes);
        server.join().unwrap();
    }
}

#[test]
fn what_the_host_sends_before_the_answer_is_not_lost() {
    let mut host = Host::greeted("port-early");
    let (port, server) = serve("127.0.0.1", echo);
    let bytes = pattern(100_000);
    let id = host.open(&[connect(port), bytes.clone()].concat());
    host.finish(id);
    assert_eq!(host.answer(id).0, message::DONE);
    host.until(|host| host.streams[&id].finished);
    assert!(host.streams[&id].bytes == bytes);
    server.join().unwrap();
}

#[test]
fn where_nothing_listens_it_is_refused_at_once() {
    let mut host = Host::greeted("port-refused");
    let (listener, port) = listen("127.0.0.1");
    drop(listener);
    for _ in 0..50 {
        let began = Instant::now();
        let id = host.open(&[connect(port), pattern(1000)].concat());
        assert_eq!(host.failure(id), ("ECONNREFUSED".to_string(), "connect".to_string()));
        assert!(began.elapsed() < Duration::from_secs(1));
        host.until(|host| host.streams[&id].finished);
    }
}

#[test]
fn what_listens_on_ipv6_alone_is_found() {
    let mut host = Host::greeted("port-six");
    let (port, server) = serve("::1", echo);
    let id = host.open(&[connect(port), b"six".to_vec()].concat());
    assert_eq!(host.answer(id).0, message::DONE);
    host.until(|host| host.streams[&id].bytes == b"six");
    host.finish(id);
    host.until(|host| host.streams[&id].finished);
    server.join().unwrap();
}

#[test]
fn the_host_s_end_is_the_end_of_what_is_read_and_the_answer_still_comes() {
    let mut host = Host::greeted("port-half-host");
    let (port, server) = serve("127.0.0.1", |mut socket| {
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        socket.write_all(format!("{} bytes", all.len()).as_bytes()).unwrap();
    });
    let id = connected(&mut host, port);
    host.send(id, &[7; 1000]);
    host.finish(id);
    host.until(|host| host.streams[&id].finished);
    assert_eq!(host.output(id), "1000 bytes");
    assert!(!host.streams[&id].reset);
    server.join().unwrap();
}

#[test]
fn the_peer_s_end_is_told_and_it_can_still_be_written_to() {
    let mut host = Host::greeted("port-half-peer");
    let (port, server) = serve("127.0.0.1", |mut socket| {
        socket.write_all(b"bye").unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).unwrap();
        all.len()
    });
    let id = connected(&mut host, port);
    host.until(|host| host.streams[&id].finished);
    assert_eq!(host.output(id), "bye");
    host.send(id, &pattern(3_000_000));
    host.finish(id);
    assert_eq!(server.join().unwrap(), 3_000_000);
    assert!(!host.streams[&id].reset);
}

#[test]
fn a_reset_of_the_peer_s_is_the_stream_s() {
    let mut host = Host::greeted("port-reset-peer");
    // Closed with something unread, a socket is reset.
    let (port, server) = serve("127.0.0.1", |socket| {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(socket.peek(&mut [0; 1]).unwrap(), 1);
    });
    let id = connected(&mut host, port);
    host.send(id, &[1; 100_000]);
    server.join().unwrap();
    host.until(|host| host.streams[&id].reset);
    host.ping();
}

#[test]
fn what_a_peer_said_before_it_hung_up_on_an_upload_arrives() {
    let mut host = Host::greeted("port-refusing-peer");
    let (port, server) = serve("127.0.0.1", |mut socket| {
        socket.read_exact(&mut [0; 1000]).unwrap();
        socket.write_all(b"413 too large").unwrap();
    });
    let id = connected(&mut host, port);
    host.send(id, &[1; 200_000]);
    server.join().unwrap();
    host.until(|host| host.streams[&id].reset);
    assert_eq!(host.output(id), "413 too large");
}

#[test]
fn a_reset_of_the_host_s_is_the_peer_s() {
    let mut host = Host::greeted("port-reset-host");
    let (port, server) = serve("127.0.0.1", |mut socket| {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).map_err(|error| error.kind())
    });
    let id = connected(&mut host, port);
    host.send(id, b"never mind");
    host.reset(id);
    assert_eq!(server.join().unwrap(), Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_peer_that_does_not_read_holds_back_the_host_and_nobody_else() {
    let mut host = Host::greeted("port-unread");
    let (listener, port) = listen("127.0.0.1");
    let id = connected(&mut host, port);
    let mut peer = listener.accept().unwrap().0;
    let mut sent = 0;
    // As much as is taken; then nothing more comes.
    loop {
        host.pause(Duration::from_millis(100));
        let credit = host.credit(id) as usize;
        if credit == 0 {
            break;
        }
        host.send(id, &vec![3; credit]);
        sent += credit;
        assert!(sent < 64 << 20, "there is no end to what the agent takes");
    }
    let process = host.sh("echo quick");
    assert_eq!(host.exit(&process).code, 0);
    peer.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut read = 0;
    let mut buffer = vec![0; 65_536];
    while read < sent {
        read += peer.read(&mut buffer).unwrap();
    }
    assert_eq!(read, sent);
}

#[test]
fn a_host_that_does_not_read_holds_back_the_peer_and_nobody_else() {
    let mut host = Host::greeted("port-unread-host");
    let (port, server) = serve("127.0.0.1", |mut socket| socket.write_all(&pattern(8 << 20)).unwrap());
    host.granting = false;
    let id = connected(&mut host, port);
    let answer = message::done().len();
    host.until(|host| host.streams[&id].bytes.len() == WINDOW_BYTES as usize - answer);
    let process = host.sh("echo quick");
    assert_eq!(host.exit(&process).code, 0);
    assert!(!server.is_finished());
    host.granting = true;
    host.grant(id, WINDOW_BYTES);
    host.until(|host| host.streams[&id].finished);
    assert!(host.streams[&id].bytes == pattern(8 << 20));
    server.join().unwrap();
}

#[test]
fn a_hundred_and_twenty_eight_connections_move_side_by_side() {
    let mut host = Host::greeted("port-many");
    let (listener, port) = listen("127.0.0.1");
    let server = std::thread::spawn(move || {
        let all: Vec<_> = (0..128).map(|_| listener.accept().unwrap().0).map(|socket| std::thread::spawn(|| echo(socket))).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let all: Vec<u32> = (0..128).map(|_| host.open(&connect(port))).collect();
    for &id in &all {
        assert_eq!(host.answer(id).0, message::DONE);
    }
    let bytes = pattern(200_000);
    for &id in &all {
        host.send(id, &bytes);
    }
    host.until(|host| all.iter().all(|id| host.streams[id].bytes.len() == bytes.len()));
    for &id in &all {
        assert!(host.streams[&id].bytes == bytes);
        host.finish(id);
    }
    host.until(|host| all.iter().all(|id| host.streams[id].finished));
    server.join().unwrap();
}

#[test]
fn one_that_has_much_to_say_does_not_drown_the_others() {
    let mut host = Host::greeted("port-fair");
    let (loud, flood) = serve("127.0.0.1", |mut socket| while socket.write_all(&[0; 65_536]).is_ok() {});
    let (quiet, server) = serve("127.0.0.1", echo);
    let loud = connected(&mut host, loud);
    let quiet = connected(&mut host, quiet);
    let mut slowest = Duration::ZERO;
    for round in 1..=50 {
        let began = Instant::now();
        host.send(quiet, b"x");
        host.until(|host| host.streams[&quiet].bytes.len() == round);
        slowest = slowest.max(began.elapsed());
        host.streams.get_mut(&loud).unwrap().bytes.clear();
    }
    assert!(slowest < Duration::from_secs(1), "{:?}", slowest);
    host.reset(loud);
    host.finish(quiet);
    flood.join().unwrap();
    server.join().unwrap();
}

#[test]
fn a_thousand_connections_leave_nothing_open() {
    let mut host = Host::greeted("port-leaks");
    let (listener, port) = listen("127.0.0.1");
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..1000 {
        let id = connected(&mut host, port);
        let peer = listener.accept().unwrap().0;
        match round % 3 {
            0 => host.reset(id),
            1 => {
                drop(peer);
                host.until(|host| host.streams[&id].finished);
                host.finish(id);
            }
            _ => {
                host.finish(id);
                drop(peer);
                host.until(|host| host.streams[&id].finished);
            }
        }
        if round == 10 {
            before = descriptors();
        }
    }
    host.ping();
    // Other tests run beside this one.
    assert!(descriptors() < before + 600, "{} descriptors, then {}", before, descriptors());
}

#[test]
fn a_port_that_is_awaited_is_told_on_whatever_address() {
    let mut host = Host::greeted("port-await");
    for address in ["127.0.0.1", "0.0.0.0", "::", "::1", "127.0.0.9"] {
        let (listener, port) = listen(address);
        let id = host.open(&await_port(port));
        assert_eq!(host.answer(id).0, message::DONE, "{}", address);
        host.until(|host| host.streams[&id].finished);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "no connection is made for it");
    }
}

#[test]
fn a_port_that_is_awaited_is_told_soon_after_something_listens() {
    let mut host = Host::greeted("port-await-later");
    let (listener, port) = listen("127.0.0.1");
    drop(listener);
    let waits: Vec<u32> = (0..3).map(|_| host.open(&await_port(port))).collect();
    host.pause(Duration::from_millis(400));
    assert!(waits.iter().all(|id| host.streams[id].bytes.is_empty()));
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let began = Instant::now();
    for id in waits {
        assert_eq!(host.answer(id).0, message::DONE);
    }
    // Looked for every 100 ms; the rest is for a machine that has other work.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_wait_ends_when_the_host_resets_it() {
    let mut host = Host::greeted("port-await-reset");
    let (listener, port) = listen("127.0.0.1");
    drop(listener);
    let id = host.open(&await_port(port));
    host.pause(Duration::from_millis(50));
    let quiesce = host.open(&quiesce());
    host.finish(quiesce);
    assert_eq!(host.failure(quiesce).0, "EBUSY");
    host.reset(id);
    assert_eq!(host.quiesce(), 0);
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    host.pause(Duration::from_millis(200));
    assert!(host.streams[&id].bytes.is_empty());
}
