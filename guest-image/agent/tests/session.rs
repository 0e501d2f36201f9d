//! The session's promises: windows, the life of a stream, and what is refused.

use warmcell_agent::yamux::{Event, Header, Kind, Session, Violation, ACK, FIN, HEADER_BYTES, RST, STREAMS_MAX, SYN, WINDOW_BYTES};

fn frame(kind: Kind, flags: u16, stream: u32, length: u32) -> Vec<u8> {
    Header { kind, flags, stream, length }.encode().to_vec()
}

fn data(flags: u16, stream: u32, body: &[u8]) -> Vec<u8> {
    [frame(Kind::Data, flags, stream, body.len() as u32), body.to_vec()].concat()
}

fn receive(session: &mut Session, bytes: &[u8]) -> Result<Vec<Event>, Violation> {
    let mut events = Vec::new();
    session.receive(bytes, &mut events).map(|_| events)
}

/// The headers of what the session wants to send, bodies left out.
fn sent(session: &mut Session) -> Vec<Header> {
    let bytes = session.out.pending().to_vec();
    session.out.sent(bytes.len());
    let mut headers = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let header = Header::decode(rest[..HEADER_BYTES].try_into().unwrap()).unwrap();
        rest = &rest[HEADER_BYTES + if header.kind == Kind::Data { header.length as usize } else { 0 }..];
        headers.push(header);
    }
    headers
}

#[test]
fn data_arrives_whatever_the_pieces() {
    let bytes = [data(SYN, 1, b"hello"), data(0, 1, b" world"), data(FIN, 1, b"!")].concat();
    for piece in 1..bytes.len() {
        let mut session = Session::new();
        let mut events = Vec::new();
        for chunk in bytes.chunks(piece) {
            session.receive(chunk, &mut events).unwrap();
        }
        assert_eq!(events[0], Event::Opened(1));
        assert_eq!(session.incoming(1), b"hello world!");
        assert!(!session.has_ended(1));
        session.consume(1, 12);
        assert!(session.has_ended(1));
    }
}

#[test]
fn the_ack_comes_on_the_first_frame_back() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"x")).unwrap();
    assert_eq!(sent(&mut session), []);
    session.send(1, b"ab");
    session.send(1, b"c");
    let flags: Vec<u16> = sent(&mut session).iter().map(|header| header.flags).collect();
    assert_eq!(flags, [ACK, 0]);
}

#[test]
fn credit_is_given_back_for_what_was_consumed_in_lumps_of_half_a_window() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, &vec![7; WINDOW_BYTES as usize])).unwrap();
    assert_eq!(sent(&mut session), []);
    session.consume(1, WINDOW_BYTES as usize / 2 - 1);
    assert_eq!(sent(&mut session), []);
    session.consume(1, 1);
    assert_eq!(sent(&mut session), [Header { kind: Kind::WindowUpdate, flags: ACK, stream: 1, length: WINDOW_BYTES / 2 }]);
    receive(&mut session, &data(0, 1, &vec![8; WINDOW_BYTES as usize / 2])).unwrap();
    assert_eq!(session.incoming(1).len(), WINDOW_BYTES as usize);
    assert_eq!(receive(&mut session, &frame(Kind::Data, 0, 1, 1)), Err(Violation("data beyond the credit")));
}

#[test]
fn one_byte_over_the_credit_is_refused_from_the_header() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"x")).unwrap();
    assert!(receive(&mut session, &frame(Kind::Data, 0, 1, WINDOW_BYTES)).is_err());
}

#[test]
fn what_is_sent_is_cut_into_frames_and_spends_credit() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"x")).unwrap();
    session.send(1, &vec![0; 100_000]);
    let lengths: Vec<u32> = sent(&mut session).iter().map(|header| header.length).collect();
    assert_eq!(lengths, [65_536, 34_464]);
    assert_eq!(session.credit(1), WINDOW_BYTES as usize - 100_000);
    let read = session.send_from(1, usize::MAX, |buffer, limit| -> Result<usize, ()> {
        assert_eq!(limit, 65_536);
        buffer.extend_from_slice(b"pipe");
        Ok(4)
    });
    assert_eq!(read, Ok(4));
    assert_eq!(session.send_from(1, 1, |_, _| Err(())), Err(()));
    assert_eq!(sent(&mut session).len(), 1);
    receive(&mut session, &frame(Kind::WindowUpdate, 0, 1, 5)).unwrap();
    assert_eq!(session.credit(1), WINDOW_BYTES as usize - 100_000 - 4 + 5);
}

#[test]
fn a_stream_is_over_when_both_directions_are() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"x")).unwrap();
    session.finish(1);
    session.finish(1);
    assert_eq!(sent(&mut session), [Header { kind: Kind::WindowUpdate, flags: ACK | FIN, stream: 1, length: 0 }]);
    session.consume(1, 1);
    assert!(session.is_alive(1));
    receive(&mut session, &frame(Kind::WindowUpdate, FIN, 1, 0)).unwrap();
    assert!(!session.is_alive(1));
}

#[test]
fn a_stream_that_has_ended_both_ways_is_kept_until_it_is_read() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"x")).unwrap();
    session.finish(1);
    receive(&mut session, &data(FIN, 1, b"yz")).unwrap();
    assert_eq!(session.incoming(1), b"xyz");
    session.consume(1, 3);
    assert!(!session.is_alive(1) && session.has_ended(1));
}

#[test]
fn a_reset_throws_away_what_is_queued_and_what_is_in_flight() {
    let mut session = Session::new();
    receive(&mut session, &data(SYN, 1, b"abc")).unwrap();
    assert_eq!(receive(&mut session, &frame(Kind::WindowUpdate, RST, 1, 0)), Ok(vec![Event::Reset(1)]));
    assert_eq!(session.incoming(1), b"");
    assert_eq!(receive(&mut session, &data(0, 1, b"late")), Ok(vec![]));
    assert_eq!(receive(&mut session, &frame(Kind::WindowUpdate, 0, 1, u32::MAX)), Ok(vec![]));
    receive(&mut session, &data(SYN, 3, b"")).unwrap();
    session.reset(3);
    assert_eq!(sent(&mut session), [Header { kind: Kind::WindowUpdate, flags: RST, stream: 3, length: 0 }]);
}

#[test]
fn one_stream_more_than_allowed_is_reset_and_the_others_live_on() {
    let mut session = Session::new();
    for number in 0..STREAMS_MAX as u32 {
        receive(&mut session, &data(SYN, 2 * number + 1, b"x")).unwrap();
    }
    let one_more = 2 * STREAMS_MAX as u32 + 1;
    assert_eq!(receive(&mut session, &data(SYN, one_more, b"dropped")), Ok(vec![]));
    assert_eq!(sent(&mut session), [Header { kind: Kind::WindowUpdate, flags: RST, stream: one_more, length: 0 }]);
    receive(&mut session, &frame(Kind::WindowUpdate, RST, 1, 0)).unwrap();
    assert_eq!(receive(&mut session, &data(SYN, one_more + 2, b"")), Ok(vec![Event::Opened(one_more + 2)]));
}

#[test]
fn a_ping_is_answered_with_its_own_value() {
    let mut session = Session::new();
    receive(&mut session, &frame(Kind::Ping, SYN, 0, 0xdead_beef)).unwrap();
    receive(&mut session, &frame(Kind::Ping, ACK, 0, 1)).unwrap();
    assert_eq!(sent(&mut session), [Header { kind: Kind::Ping, flags: ACK, stream: 0, length: 0xdead_beef }]);
}

#[test]
fn what_the_contract_forbids_ends_the_session() {
    let opened = data(SYN, 5, b"x");
    let cases: [(&str, Vec<u8>); 8] = [
        ("wrong parity", data(SYN, 2, b"")),
        ("stream 0", data(SYN, 0, b"")),
        ("alive already", [opened.clone(), data(SYN, 5, b"")].concat()),
        ("an id from before", [opened.clone(), data(SYN, 3, b"")].concat()),
        ("an id used up", [opened.clone(), frame(Kind::WindowUpdate, RST, 5, 0), data(SYN, 5, b"")].concat()),
        ("a window too wide", [opened, frame(Kind::WindowUpdate, 0, 5, i32::MAX as u32)].concat()),
        ("another version", vec![1; 12]),
        ("a ping on a stream", frame(Kind::Ping, SYN, 1, 0)),
    ];
    for (name, bytes) in cases {
        assert!(receive(&mut Session::new(), &bytes).is_err(), "{}", name);
    }
    let mut session = Session::new();
    session.refuse();
    assert_eq!(sent(&mut session), [Header { kind: Kind::GoAway, flags: 0, stream: 0, length: 1 }]);
}
