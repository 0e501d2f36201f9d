//! Connections on loopback.

use super::*;

/// Of the machine's own addresses, 127.0.0.1 and ::1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    Four = 2,
    Six = 10,
}

/// A socket that does not block and begins to connect. That it has, or why not, is its error once it can be written to. The kernel keeps
/// `buffer_bytes` of what was sent and not taken, each way: twice as much, for its own book-keeping.
pub fn begin_to_connect(to: Loopback, port: u16, buffer_bytes: i32) -> Result<OwnedFd> {
    const SOCK_STREAM: i32 = 1;
    const SO_SNDBUF: usize = 7;
    const SO_RCVBUF: usize = 8;
    let socket = descriptor(call(SOCKET, &[to as usize, (SOCK_STREAM | O_NONBLOCK | O_CLOEXEC) as usize, 0]))?;
    for buffer in [SO_SNDBUF, SO_RCVBUF] {
        call(SETSOCKOPT, &[fd(&socket), SOL_SOCKET, buffer, pointer(&buffer_bytes), 4])?;
    }
    // struct sockaddr_in: family, port, address, nothing. struct sockaddr_in6: family, port, flow, address, scope.
    let mut address = [0u8; 28];
    address[..2].copy_from_slice(&(to as u16).to_ne_bytes());
    address[2..4].copy_from_slice(&port.to_be_bytes());
    let length = match to {
        Loopback::Four => {
            address[4..8].copy_from_slice(&[127, 0, 0, 1]);
            16
        }
        Loopback::Six => {
            address[23] = 1;
            28
        }
    };
    match call(CONNECT, &[fd(&socket), address.as_ptr() as usize, length]) {
        Ok(_) | Err(errno::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

const SOL_SOCKET: usize = 1;

/// Closed from now on, it throws away what was not sent, and its peer sees a reset.
pub fn reset_on_close(socket: &impl AsRawFd) -> Result<()> {
    const SO_LINGER: usize = 13;
    // struct linger: whether, and for how many seconds.
    let linger: [i32; 2] = [1, 0];
    call(SETSOCKOPT, &[fd(socket), SOL_SOCKET, SO_LINGER, pointer(&linger), 8]).map(drop)
}
