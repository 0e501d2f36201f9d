//! The session: frames in, events out, and the life of every stream between.

use super::frame::{Header, Kind, ACK, FIN, HEADER_BYTES, RST, SYN};
use super::outbox::Outbox;
use super::stream::{Stream, DATA_BYTES_MAX};
use super::Violation;
use std::collections::BTreeMap;

/// Streams the host may have alive at once: a bound on what its bug can cost. One more is answered with RST.
pub const STREAMS_MAX: usize = 512;
const GO_AWAY_PROTOCOL_ERROR: u32 = 1;

/// What happened to a stream. What it now holds is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Opened(u32),
    /// Data or credit arrived, or the host's direction ended.
    Changed(u32),
    Reset(u32),
}

/// Where the decoder stands between two bytes.
enum Decoder {
    Header { bytes: [u8; HEADER_BYTES], have: usize },
    Body { header: Header, left: usize },
}

const EXPECT_HEADER: Decoder = Decoder::Header { bytes: [0; HEADER_BYTES], have: 0 };

pub struct Session {
    decoder: Decoder,
    streams: BTreeMap<u32, Stream>,
    last_opened: u32,
    pub out: Outbox,
}

impl Session {
    pub fn new() -> Session {
        Session { decoder: EXPECT_HEADER, streams: BTreeMap::new(), last_opened: 0, out: Outbox::default() }
    }

    /// Takes the bytes in whatever pieces they come.
    pub fn receive(&mut self, mut input: &[u8], events: &mut Vec<Event>) -> Result<(), Violation> {
        while !input.is_empty() {
            match &mut self.decoder {
                Decoder::Header { bytes, have } => {
                    let take = input.len().min(HEADER_BYTES - *have);
                    bytes[*have..*have + take].copy_from_slice(&input[..take]);
                    *have += take;
                    input = &input[take..];
                    if *have == HEADER_BYTES {
                        let header = Header::decode(bytes)?;
                        self.decoder = EXPECT_HEADER;
                        self.begin(header, events)?;
                    }
                }
                Decoder::Body { header, left } => {
                    let take = input.len().min(*left);
                    let header = *header;
                    *left -= take;
                    let complete = *left == 0;
                    if let Some(stream) = self.streams.get_mut(&header.stream) {
                        if !stream.remote_finished {
                            stream.arrived(&input[..take]);
                            changed(header.stream, events);
                        }
                    }
                    input = &input[take..];
                    if complete {
                        self.decoder = EXPECT_HEADER;
                        self.end(header, events);
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, header: Header, events: &mut Vec<Event>) -> Result<(), Violation> {
        match header.kind {
            Kind::Ping if header.stream != 0 => return Err(Violation("a ping on a stream")),
            Kind::Ping => {
                if header.has(SYN) {
                    self.out.frame(Header { flags: ACK, ..header }, &[]);
                }
                return Ok(());
            }
            // The host says that it will close; what counts is when it does.
            Kind::GoAway => return Ok(()),
            Kind::Data | Kind::WindowUpdate => {}
        }
        if header.has(SYN) {
            self.open(header.stream, events)?;
        }
        if header.kind == Kind::Data {
            if let Some(stream) = self.streams.get_mut(&header.stream) {
                stream.expect(header.length)?;
            }
            if header.length > 0 {
                self.decoder = Decoder::Body { header, left: header.length as usize };
                return Ok(());
            }
        } else if let Some(stream) = self.streams.get_mut(&header.stream) {
            stream.raise_credit(header.length)?;
            if header.length > 0 {
                changed(header.stream, events);
            }
        }
        self.end(header, events);
        Ok(())
    }

    fn open(&mut self, id: u32, events: &mut Vec<Event>) -> Result<(), Violation> {
        if id % 2 == 0 {
            return Err(Violation("a stream opened with an id of the wrong parity"));
        }
        if id <= self.last_opened {
            return Err(Violation("a stream opened with an id that was used before"));
        }
        self.last_opened = id;
        if self.streams.len() >= STREAMS_MAX {
            self.out.frame(Header { kind: Kind::WindowUpdate, flags: RST, stream: id, length: 0 }, &[]);
            return Ok(());
        }
        self.streams.insert(id, Stream::new());
        events.push(Event::Opened(id));
        Ok(())
    }

    /// The flags that end a direction count once the frame's body is in.
    fn end(&mut self, header: Header, events: &mut Vec<Event>) {
        let id = header.stream;
        if header.has(RST) {
            if self.streams.remove(&id).is_some() {
                events.push(Event::Reset(id));
            }
        } else if header.has(FIN) {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.remote_finished = true;
                if stream.is_over() {
                    self.streams.remove(&id);
                }
                changed(id, events);
            }
        }
    }

    /// Nothing has begun that is not whole.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.decoder, Decoder::Header { have: 0, .. })
    }

    /// Overwrites everything that was said, in both directions.
    pub fn wipe(&mut self) {
        self.out.wipe();
        for stream in self.streams.values_mut() {
            crate::sys::wipe(stream.incoming_mut());
        }
    }

    pub fn is_alive(&self, id: u32) -> bool {
        self.streams.contains_key(&id)
    }

    pub fn alive(&self) -> usize {
        self.streams.len()
    }

    /// Bytes that may be sent on the stream now.
    pub fn credit(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, |stream| stream.credit as usize)
    }

    /// What has arrived on the stream and was not consumed.
    pub fn incoming(&self, id: u32) -> &[u8] {
        self.streams.get(&id).map_or(&[], |stream| stream.incoming())
    }

    /// The same, to be wiped by a reader of secrets.
    pub fn incoming_mut(&mut self, id: u32) -> &mut [u8] {
        self.streams.get_mut(&id).map_or(&mut [], |stream| stream.incoming_mut())
    }

    /// Whether the host has ended its direction and everything it sent was consumed.
    pub fn has_ended(&self, id: u32) -> bool {
        self.streams.get(&id).map_or(true, |stream| stream.remote_finished && stream.incoming().is_empty())
    }

    /// The reader is done with the first `count` bytes: this, and not arrival, is what earns the host new credit.
    pub fn consume(&mut self, id: u32, count: usize) {
        if let Some(stream) = self.streams.get_mut(&id) {
            if let Some(grant) = stream.consume(count) {
                let header = reply(Kind::WindowUpdate, id, stream, grant);
                self.out.frame(header, &[]);
            }
            if stream.is_over() {
                self.streams.remove(&id);
            }
        }
    }

    /// Sends all of `bytes`; the caller has looked at `credit`.
    pub fn send(&mut self, id: u32, bytes: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&id) {
            debug_assert!(bytes.len() <= stream.credit as usize && !stream.local_finished);
            for chunk in bytes.chunks(DATA_BYTES_MAX) {
                stream.credit = stream.credit.saturating_sub(chunk.len() as u32);
                let header = reply(Kind::Data, id, stream, chunk.len() as u32);
                self.out.frame(header, chunk);
            }
        }
    }

    /// Sends one frame of what `read` appends to the buffer it is given, which is to be at most the number it is given.
    pub fn send_from<E>(&mut self, id: u32, limit: usize, read: impl FnOnce(&mut Vec<u8>, usize) -> Result<usize, E>) -> Result<usize, E> {
        let stream = match self.streams.get_mut(&id) {
            Some(stream) => stream,
            None => return Ok(0),
        };
        let limit = limit.min(stream.credit as usize).min(DATA_BYTES_MAX);
        let header = Header { kind: Kind::Data, flags: if stream.acknowledged { 0 } else { ACK }, stream: id, length: 0 };
        let length = self.out.frame_from(header, |buffer| read(buffer, limit))?;
        stream.credit -= length as u32;
        stream.acknowledged |= length > 0;
        Ok(length)
    }

    /// Ends our direction.
    pub fn finish(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            if !stream.local_finished {
                let mut header = reply(Kind::WindowUpdate, id, stream, 0);
                header.flags |= FIN;
                self.out.frame(header, &[]);
                stream.local_finished = true;
            }
            if stream.is_over() {
                self.streams.remove(&id);
            }
        }
    }

    /// Ends both directions and throws away what has arrived.
    pub fn reset(&mut self, id: u32) {
        if self.streams.remove(&id).is_some() {
            self.out.frame(Header { kind: Kind::WindowUpdate, flags: RST, stream: id, length: 0 }, &[]);
        }
    }

    /// The last frame of a session the host has broken.
    pub fn refuse(&mut self) {
        self.out.frame(Header { kind: Kind::GoAway, flags: 0, stream: 0, length: GO_AWAY_PROTOCOL_ERROR }, &[]);
    }
}

impl Default for Session {
    fn default() -> Self {
        Session::new()
    }
}

fn reply(kind: Kind, id: u32, stream: &mut Stream, length: u32) -> Header {
    let flags = if std::mem::replace(&mut stream.acknowledged, true) { 0 } else { ACK };
    Header { kind, flags, stream: id, length }
}

fn changed(id: u32, events: &mut Vec<Event>) {
    if events.last() != Some(&Event::Changed(id)) {
        events.push(Event::Changed(id));
    }
}
