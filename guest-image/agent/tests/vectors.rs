//! The golden vectors, which the host's tests read too.

use warmcell_agent::message::{
    changed, Assembler, Change, Encoder, Facts, Message, NodeKind, Opening, ProcessRequest, MESSAGE_BYTES_MAX, NODE,
};
use warmcell_agent::yamux::{Header, Violation};

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol/vectors.txt");

/// The columns of every vector of one kind.
fn vectors(kind: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(VECTORS).expect("the golden vectors are part of the contract: protocol/vectors.txt");
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let rows = rows.map(|line| line.split(" | ").map(|column| column.trim().to_string()).collect::<Vec<_>>());
    let found: Vec<_> = rows.filter(|columns| columns[0] == kind).collect();
    assert!(!found.is_empty(), "no vector of the kind {}", kind);
    found
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// As the agent reads a message from a stream: put together, split into fields, understood.
fn understand(message: &[u8]) -> Result<bool, Violation> {
    let mut assembler = Assembler::default();
    assembler.take(message)?;
    let message = Message::decode(assembler.body().ok_or(Violation("incomplete"))?)?;
    if message.kind == NODE {
        return Facts::decode(&message).map(|_| true);
    }
    let opens = Opening::decode(&message)? != Opening::Unknown;
    Ok(opens || ProcessRequest::decode(&message)? != ProcessRequest::Unknown)
}

#[test]
fn frames_are_read_and_written_as_the_contract_has_them() {
    for vector in vectors("frame") {
        let header = Header::decode(&bytes(&vector[2]).try_into().unwrap()).unwrap_or_else(|error| panic!("{}: {:?}", vector[1], error));
        let meaning = format!("{} {} {} {}", header.kind as u8, header.flags, header.stream, header.length);
        assert_eq!(meaning, vector[3], "{}", vector[1]);
        assert_eq!(header.encode().to_vec(), bytes(&vector[2]), "{}", vector[1]);
    }
}

#[test]
fn bad_frames_are_refused_from_their_header() {
    for vector in vectors("bad-frame") {
        assert!(Header::decode(&bytes(&vector[2]).try_into().unwrap()).is_err(), "{}", vector[1]);
    }
}

#[test]
fn messages_are_read_and_written_as_the_contract_has_them() {
    for vector in vectors("message") {
        let (name, encoded) = (&vector[1], bytes(&vector[2]));
        let message = Message::decode(&encoded[4..]).unwrap_or_else(|error| panic!("{}: {:?}", name, error));
        let mut columns = vector[3].split(' ');
        let kind = u8::from_str_radix(columns.next().unwrap(), 16).unwrap();
        let fields: Vec<(u8, Vec<u8>)> =
            columns.map(|field| field.split_once('=').unwrap()).map(|(tag, value)| (tag.parse().unwrap(), bytes(value))).collect();
        assert_eq!(message.kind, kind, "{}", name);
        assert_eq!(message.fields().map(|(tag, value)| (tag, value.to_vec())).collect::<Vec<_>>(), fields, "{}", name);
        let written = fields.iter().fold(Encoder::new(kind), |encoder, (tag, value)| encoder.bytes(*tag, value)).finish();
        assert_eq!(written, encoded, "{}", name);
        if kind < 0x80 {
            assert_eq!(understand(&encoded), Ok(true), "{}", name);
        }
    }
}

#[test]
fn bad_messages_towards_the_guest_are_refused() {
    let towards_the_guest = MESSAGE_BYTES_MAX.to_string();
    for vector in vectors("bad-message").iter().filter(|vector| vector[3] == towards_the_guest) {
        assert!(!matches!(understand(&bytes(&vector[2])), Ok(true)), "{}", vector[1]);
    }
}

#[test]
fn what_is_told_of_files_is_said_as_the_contract_has_it() {
    let said = [
        ("changed", changed(Change::Write, "/srv/app/main.c", None)),
        ("changed by a rename", changed(Change::Rename, "/srv/app/b", Some("/srv/app/a"))),
        (
            "entry of a link",
            Facts { path: "app/now", kind: NodeKind::Symlink, size_bytes: 2, mode: 0o777, modified_ns: 1, target: Some("v2") }
                .encode("1001"),
        ),
    ];
    for (name, encoded) in said {
        let vector = vectors("message").into_iter().find(|vector| vector[1] == name).unwrap();
        assert_eq!(encoded, bytes(&vector[2]), "{}", name);
    }
}
