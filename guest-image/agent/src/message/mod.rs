//! Messages as bytes: a length, a type, then flat fields. What they say is below.

mod answers;
mod facts;
mod numbers;
mod requests;

pub use answers::*;
pub use facts::*;
pub use numbers::*;
pub use requests::*;

use crate::yamux::Violation;

/// A `Start` carries a whole environment; the limit is what one execve could take anyway.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
const LENGTH_BYTES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u8,
    fields: &'a [u8],
}

impl<'a> Message<'a> {
    /// From what follows the length. The walk over the fields is made once here, so that later ones cannot fail.
    pub fn decode(body: &'a [u8]) -> Result<Message<'a>, Violation> {
        let (&kind, fields) = body.split_first().ok_or(Violation("an empty message"))?;
        let mut rest = fields;
        while !rest.is_empty() {
            rest = split_field(rest).ok_or(Violation("a field that runs past the end of its message"))?.2;
        }
        Ok(Message { kind, fields })
    }

    pub fn fields(&self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            let (tag, value, after) = split_field(rest)?;
            rest = after;
            Some((tag, value))
        })
    }

    fn one(&self, tag: u8) -> Result<&'a [u8], Violation> {
        let mut found = self.fields().filter(|field| field.0 == tag);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            (None, _) => Err(Violation("a message without a field it must have")),
            (Some(_), Some(_)) => Err(Violation("a field twice that may not repeat")),
        }
    }

    fn optional(&self, tag: u8) -> Result<Option<&'a [u8]>, Violation> {
        match self.fields().any(|field| field.0 == tag) {
            true => self.one(tag).map(Some),
            false => Ok(None),
        }
    }

    pub fn bytes(&self, tag: u8) -> Result<&'a [u8], Violation> {
        self.one(tag)
    }

    pub fn number(&self, tag: u8) -> Result<u64, Violation> {
        number(self.one(tag)?)
    }

    pub fn text(&self, tag: u8) -> Result<&'a str, Violation> {
        text(self.one(tag)?)
    }

    pub fn optional_number(&self, tag: u8) -> Result<Option<u64>, Violation> {
        self.optional(tag)?.map(number).transpose()
    }

    pub fn optional_text(&self, tag: u8) -> Result<Option<&'a str>, Violation> {
        self.optional(tag)?.map(text).transpose()
    }

    pub fn texts(&self, tag: u8) -> Result<Vec<&'a str>, Violation> {
        self.fields().filter(|field| field.0 == tag).map(|field| text(field.1)).collect()
    }
}

fn split_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let size = rest.get(..4)?;
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize;
    let value = rest.get(4..)?.get(..size)?;
    Some((tag, value, &rest[4 + size..]))
}

fn number(value: &[u8]) -> Result<u64, Violation> {
    let bytes: [u8; 8] = value.try_into().map_err(|_| Violation("a number that is not 8 bytes"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn text(value: &[u8]) -> Result<&str, Violation> {
    std::str::from_utf8(value).map_err(|_| Violation("a text that is not UTF-8"))
}

/// A message being written.
pub struct Encoder(Vec<u8>);

impl Encoder {
    pub fn new(kind: u8) -> Encoder {
        Encoder(vec![0, 0, 0, 0, kind])
    }

    pub fn bytes(mut self, tag: u8, value: &[u8]) -> Encoder {
        self.0.push(tag);
        self.0.extend_from_slice(&(value.len() as u32).to_be_bytes());
        self.0.extend_from_slice(value);
        self
    }

    pub fn number(self, tag: u8, value: u64) -> Encoder {
        self.bytes(tag, &value.to_be_bytes())
    }

    pub fn text(self, tag: u8, value: &str) -> Encoder {
        self.bytes(tag, value.as_bytes())
    }

    pub fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - LENGTH_BYTES) as u32;
        self.0[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Puts a message together from the pieces a stream brings it in, and takes not a byte beyond it.
#[derive(Default)]
pub struct Assembler(Vec<u8>);

impl Assembler {
    /// How much of `input` it took.
    pub fn take(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let mut taken = 0;
        // Two rounds: the length, then what it announces.
        while taken < input.len() {
            let missing = self.missing()?;
            if missing == 0 {
                break;
            }
            let count = missing.min(input.len() - taken);
            self.0.extend_from_slice(&input[taken..taken + count]);
            taken += count;
        }
        self.missing()?;
        Ok(taken)
    }

    /// The message, once it is whole; then the assembler is ready for the next.
    pub fn body(&self) -> Option<&[u8]> {
        match self.missing() {
            Ok(0) => Some(&self.0[LENGTH_BYTES..]),
            _ => None,
        }
    }

    /// Nothing of a message has come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        // The next message may be a tenth of this one's size, or may never come.
        self.0 = Vec::new();
    }

    pub fn wipe(&mut self) {
        crate::sys::wipe(&mut self.0);
        self.clear();
    }

    fn missing(&self) -> Result<usize, Violation> {
        if self.0.len() < LENGTH_BYTES {
            return Ok(LENGTH_BYTES - self.0.len());
        }
        let length = u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]) as usize;
        match length {
            0 => Err(Violation("an empty message")),
            1..=MESSAGE_BYTES_MAX => Ok(LENGTH_BYTES + length - self.0.len()),
            _ => Err(Violation("a message longer than allowed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_in_any_pieces_and_not_beyond_its_end() {
        let mut bytes = Encoder::new(0x04).number(1, 15).finish();
        let length = bytes.len();
        bytes.extend_from_slice(b"raw");
        for piece in 1..bytes.len() {
            let mut assembler = Assembler::default();
            let mut taken = 0;
            for chunk in bytes.chunks(piece) {
                taken += assembler.take(chunk).unwrap();
                if assembler.body().is_some() {
                    break;
                }
            }
            assert_eq!(taken, length);
            let message = Message::decode(assembler.body().unwrap()).unwrap();
            assert_eq!((message.kind, message.number(1)), (0x04, Ok(15)));
        }
    }

    #[test]
    fn lengths_out_of_bounds_are_refused_from_the_length_alone() {
        assert!(Assembler::default().take(&[0, 0, 0, 0]).is_err());
        assert!(Assembler::default().take(&[0, 0x10, 0, 1]).is_err());
        assert!(Assembler::default().take(&[0, 0x10, 0, 0]).is_ok());
    }

    #[test]
    fn fields_repeat_in_order_and_unknown_ones_are_skipped() {
        let bytes = Encoder::new(2).text(1, "a").text(99, "?").text(1, "b").finish();
        let message = Message::decode(&bytes[4..]).unwrap();
        assert_eq!(message.texts(1), Ok(vec!["a", "b"]));
        assert_eq!(message.texts(7), Ok(vec![]));
        assert!(message.text(7).is_err());
        assert!(message.text(1).is_err());
    }

    #[test]
    fn malformed_fields_are_violations() {
        assert!(Message::decode(&[]).is_err());
        assert!(Message::decode(&[4, 1, 0, 0, 0]).is_err());
        assert!(Message::decode(&[4, 1, 0, 0, 0, 2, 7]).is_err());
        assert!(Message::decode(&[4, 1, 0xff, 0xff, 0xff, 0xff]).is_err());
        let short = Encoder::new(4).bytes(1, &[1]).finish();
        assert!(Message::decode(&short[4..]).unwrap().number(1).is_err());
        let latin = Encoder::new(6).bytes(1, &[0xe9]).finish();
        assert!(Message::decode(&latin[4..]).unwrap().text(1).is_err());
    }
}
