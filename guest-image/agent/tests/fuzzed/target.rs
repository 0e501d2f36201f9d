//! What is fuzzed of the agent: all that it makes of bytes alone. The first byte of an input says which, the second how the rest is cut into pieces.

use std::collections::{BTreeMap, BTreeSet};
use warmcell_agent::boot::command_line::CommandLine;
use warmcell_agent::message::{done, Assembler, Facts, Message, Opening, ProcessRequest, MESSAGE_BYTES_MAX};
use warmcell_agent::tenant::users;
use warmcell_agent::yamux::{Event, Header, Kind, Session, Violation, FIN, HEADER_BYTES, RST, STREAMS_MAX, WINDOW_BYTES};

/// Panics when a promise is broken: that is a finding.
pub fn run(input: &[u8]) {
    let (target, size) = (input.first().copied().unwrap_or(0), input.get(1).copied().unwrap_or(0));
    let bytes = input.get(2..).unwrap_or(&[]);
    let size = if size == 0 { bytes.len().max(1) } else { size.into() };
    match target % 4 {
        0 => conversation(bytes, size),
        1 => same_in_any_pieces(bytes, size),
        2 => messages(bytes, size),
        _ => texts(bytes),
    }
}

/// A session that reads one message after another on each stream and answers each, until one is of no known type: that ends what it says.
fn conversation(bytes: &[u8], size: usize) {
    let mut session = Session::new();
    let mut readers = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for piece in bytes.chunks(size) {
        let mut events = Vec::new();
        let result = session.receive(piece, &mut events);
        for event in events {
            match event {
                Event::Opened(id) => drop(readers.insert(id, Assembler::default())),
                Event::Reset(id) => drop(readers.remove(&id)),
                Event::Changed(id) => {
                    let outcome = readers.get_mut(&id).map_or(Ok(()), |reader| read(&mut session, id, reader));
                    if outcome.is_err() {
                        session.reset(id);
                    }
                }
            }
        }
        assert!(session.alive() <= STREAMS_MAX);
        for &id in readers.keys() {
            assert!(session.incoming(id).len() <= WINDOW_BYTES as usize, "more is kept than was granted");
        }
        if result.is_err() {
            session.refuse();
        }
        check_sent(&mut session, &mut ended);
        if result.is_err() {
            return;
        }
    }
}

fn read(session: &mut Session, id: u32, reader: &mut Assembler) -> Result<(), Violation> {
    while session.is_alive(id) && !session.incoming(id).is_empty() {
        if reader.body().is_some() {
            // It was the last one: what still comes is thrown away.
            let count = session.incoming(id).len();
            session.consume(id, count);
            return Ok(());
        }
        let taken = reader.take(session.incoming(id))?;
        session.consume(id, taken);
        if let Some(body) = reader.body() {
            let opening = Opening::decode(&Message::decode(body)?)?;
            let answer = done();
            if session.credit(id) >= answer.len() {
                session.send(id, &answer);
            }
            let read = session.send_from(id, body.len(), |buffer, limit| -> Result<usize, ()> {
                let part = &body[..limit.min(body.len())];
                buffer.extend_from_slice(part);
                Ok(part.len())
            });
            assert!(read.is_ok());
            if opening == Opening::Unknown {
                session.finish(id);
                return Ok(());
            }
            reader.clear();
        }
    }
    Ok(())
}

/// What the session has to say is whole frames, and no data on a stream that it has ended. `ended`: those streams.
fn check_sent(session: &mut Session, ended: &mut BTreeSet<u32>) {
    let pending = session.out.pending().to_vec();
    session.out.sent(pending.len());
    let mut rest = &pending[..];
    while !rest.is_empty() {
        let header = Header::decode(rest[..HEADER_BYTES].try_into().unwrap()).unwrap();
        rest = &rest[HEADER_BYTES..];
        if header.kind == Kind::Data {
            assert!(!ended.contains(&header.stream), "data after the end");
            rest = &rest[header.length as usize..];
        }
        if header.has(FIN) || header.has(RST) {
            ended.insert(header.stream);
        }
    }
}

/// What waits to be read, and whether a rule was broken, does not depend on how the bytes came.
fn same_in_any_pieces(bytes: &[u8], size: usize) {
    let outcome = |size: usize| {
        let mut session = Session::new();
        let mut ids = Vec::new();
        let mut broken = None;
        for piece in bytes.chunks(size) {
            let mut events = Vec::new();
            broken = session.receive(piece, &mut events).err();
            ids.extend(events.iter().filter_map(|event| match event {
                Event::Opened(id) => Some(*id),
                _ => None,
            }));
            if broken.is_some() {
                break;
            }
        }
        let waiting: Vec<_> = ids.iter().map(|&id| (id, session.incoming(id).to_vec(), session.credit(id), session.is_alive(id))).collect();
        (broken, waiting, session.out.pending().to_vec())
    };
    assert_eq!(outcome(size), outcome(bytes.len().max(1)));
}

fn messages(bytes: &[u8], size: usize) {
    let mut reader = Assembler::default();
    for piece in bytes.chunks(size) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = match reader.take(rest) {
                Ok(taken) => taken,
                Err(_) => return,
            };
            rest = &rest[taken..];
            if let Some(body) = reader.body() {
                assert!(body.len() <= MESSAGE_BYTES_MAX);
                understand(body);
                reader.clear();
            }
        }
    }
}

fn understand(body: &[u8]) {
    if let Ok(message) = Message::decode(body) {
        let fields: usize = message.fields().map(|(_, value)| 5 + value.len()).sum();
        assert_eq!(fields + 1, body.len(), "the fields are the message");
        let _ = (Opening::decode(&message).is_ok(), ProcessRequest::decode(&message).is_ok(), Facts::decode(&message).is_ok());
    }
}

/// Accounts, which a tenant writes, and the kernel's command line.
fn texts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = CommandLine::parse(&text);
    let mut parts = text.splitn(3, '\0');
    let (asked, passwd, group) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    users::users_in(passwd, |_, name| assert!(!name.is_empty()));
    if let Ok(user) = users::resolve(asked, passwd, group) {
        // The kernel reads it as "leave as it is", which is root.
        assert!(user.uid != u32::MAX && user.gid != u32::MAX && !user.groups.contains(&u32::MAX), "{:?}", user);
        assert!(user.groups.len() <= 65_536);
    }
}
