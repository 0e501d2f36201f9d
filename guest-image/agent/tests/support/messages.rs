//! What a host says, as bytes.

use warmcell_agent::message::{self, Encoder};

pub fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

pub fn hello(generation: u64) -> Vec<u8> {
    hello_of(generation, 0, false)
}

pub fn hello_of(generation: u64, generation_id: u64, template: bool) -> Vec<u8> {
    Encoder::new(message::HELLO)
        .number(1, generation)
        .bytes(2, &[7; 32])
        .number(3, 1_700_000_000_000_000_000)
        .text(4, "cell-1")
        .text(5, "0123456789abcdef0123456789abcdef")
        .number(6, generation_id)
        .number(7, template.into())
        .finish()
}

pub fn start(arguments: &[&str], cwd: &str, user: &str, stdin: bool) -> Vec<u8> {
    let encoder = arguments.iter().fold(Encoder::new(message::START), |encoder, argument| encoder.text(1, argument));
    encoder.text(2, "GREETING=hello you").text(3, cwd).text(4, user).number(5, stdin.into()).finish()
}

pub fn start_on_terminal(arguments: &[&str], columns: u64, rows: u64) -> Vec<u8> {
    let encoder = arguments.iter().fold(Encoder::new(message::START), |encoder, argument| encoder.text(1, argument));
    let encoder = encoder.text(2, "PS1=$ ").text(2, "GREETING=hello you").text(3, "/").text(4, "root").number(5, 1);
    encoder.number(6, columns).number(7, rows).finish()
}

pub fn resize(columns: u64, rows: u64) -> Vec<u8> {
    Encoder::new(message::RESIZE).number(1, columns).number(2, rows).finish()
}

pub fn attach(process: u32, channel: u64) -> Vec<u8> {
    Encoder::new(message::ATTACH).number(1, process.into()).number(2, channel).finish()
}

pub fn signal(signal: u64) -> Vec<u8> {
    Encoder::new(message::SIGNAL).number(1, signal).finish()
}

pub fn terminate(grace_ms: u64) -> Vec<u8> {
    Encoder::new(message::TERMINATE).number(1, grace_ms).finish()
}

pub fn quiesce() -> Vec<u8> {
    Encoder::new(message::QUIESCE).finish()
}

pub fn write_file(path: &str, mode: u64) -> Vec<u8> {
    Encoder::new(message::WRITE_FILE).text(1, path).number(2, mode).text(3, "root").number(4, 0).finish()
}

pub fn connect(port: u16) -> Vec<u8> {
    Encoder::new(message::CONNECT).number(1, port.into()).finish()
}

pub fn await_port(port: u16) -> Vec<u8> {
    Encoder::new(message::AWAIT_PORT).number(1, port.into()).finish()
}

pub fn measure() -> Vec<u8> {
    Encoder::new(message::MEASURE).finish()
}

pub fn limit(processes: u64) -> Vec<u8> {
    Encoder::new(message::LIMIT).number(3, processes).finish()
}
