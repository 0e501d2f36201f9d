//! What listens in a test, and connects to it.

use super::*;
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use warmcell_agent::message;

pub fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Something that serves one connection.
pub fn serve<T: Send + 'static>(address: &str, act: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let (listener, port) = listen(address);
    (port, std::thread::spawn(move || act(listener.accept().unwrap().0)))
}

pub fn echo(mut socket: TcpStream) {
    std::io::copy(&mut socket.try_clone().unwrap(), &mut socket).unwrap();
}

pub fn connected(host: &mut Host, port: u16) -> u32 {
    let id = host.open(&connect(port));
    assert_eq!(host.answer(id).0, message::DONE);
    id
}

pub fn pattern(length: u32) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
