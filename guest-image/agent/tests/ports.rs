//! Connections to what listens, as a client beyond the pipe has them, and waiting until something does.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::message;

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
