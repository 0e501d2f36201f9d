//! Connections side by side: who does not read, or has much to say, is felt by nobody else.

mod support;

use std::io::{Read, Write};
use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::message;
use warmcell_agent::yamux::WINDOW_BYTES;

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
