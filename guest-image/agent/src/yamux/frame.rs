//! The twelve bytes every frame begins with.

use super::stream::WINDOW_BYTES;
use super::Violation;

pub const HEADER_BYTES: usize = 12;

pub const SYN: u16 = 1;
pub const ACK: u16 = 2;
pub const FIN: u16 = 4;
pub const RST: u16 = 8;

const VERSION: u8 = 0;
const FLAGS: u16 = SYN | ACK | FIN | RST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Data = 0,
    WindowUpdate = 1,
    Ping = 2,
    GoAway = 3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub flags: u16,
    pub stream: u32,
    /// Bytes of data, credit, a ping's opaque value or a go-away code: as the kind has it.
    pub length: u32,
}

impl Header {
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION;
        bytes[1] = self.kind as u8;
        bytes[2..4].copy_from_slice(&self.flags.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.stream.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Violation> {
        let [version, kind, f0, f1, s0, s1, s2, s3, l0, l1, l2, l3] = *bytes;
        if version != VERSION {
            return Err(Violation("a frame of another version"));
        }
        let kind = match kind {
            0 => Kind::Data,
            1 => Kind::WindowUpdate,
            2 => Kind::Ping,
            3 => Kind::GoAway,
            _ => return Err(Violation("a frame of an unknown type")),
        };
        let flags = u16::from_be_bytes([f0, f1]);
        if flags & !FLAGS != 0 {
            return Err(Violation("a frame with an unknown flag"));
        }
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if kind == Kind::Data && length > WINDOW_BYTES {
            return Err(Violation("data beyond what a window ever holds"));
        }
        Ok(Header { kind, flags, stream, length })
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip() {
        let header = Header { kind: Kind::WindowUpdate, flags: SYN | FIN, stream: 0x0102_0304, length: 0xfffe_fdfc };
        assert_eq!(header.encode(), [0, 1, 0, 5, 1, 2, 3, 4, 0xff, 0xfe, 0xfd, 0xfc]);
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn what_the_contract_does_not_know_is_refused() {
        assert!(Header::decode(&[1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).is_err());
        assert!(Header::decode(&[0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).is_err());
        assert!(Header::decode(&[0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0]).is_err());
        assert!(Header::decode(&[0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0]).is_err());
        assert!(Header::decode(&[0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 1]).is_err());
    }
}
