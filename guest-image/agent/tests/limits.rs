//! What is said of use and limits where there are none to speak of. That they hold is tested in a microVM.

mod support;

use support::*;
use warmcell_agent::message::{self, Encoder, Measured, Message};

#[test]
fn outside_a_microvm_there_is_nothing_to_measure_or_to_limit() {
    let mut host = Host::greeted("limits");
    for (request, step) in [(measure(), "measure"), (limit(1), "limit")] {
        let id = host.open(&request);
        assert_eq!(host.failure(id), ("EOPNOTSUPP".to_string(), step.to_string()));
        host.until(|host| host.streams[&id].finished);
    }
}

#[test]
fn a_share_of_no_processor_breaks_the_contract() {
    let mut host = Host::greeted("limits-none");
    host.open(&Encoder::new(message::LIMIT).number(4, 0).finish());
    host.until(|host| host.go_away == Some(1));
}

#[test]
fn each_figure_has_its_own_place() {
    let measured =
        Measured { cpu_us: 1, memory_bytes: 2, memory_max_bytes: 3, disk_bytes: 4, disk_max_bytes: 5, processes: 6, oom_kills: 7 };
    let bytes = measured.encode();
    let message = Message::decode(&bytes[4..]).unwrap();
    assert_eq!(message.kind, message::MEASURED);
    let fields: Vec<(u8, u64)> = message.fields().map(|(tag, value)| (tag, number(value))).collect();
    assert_eq!(fields, (1..=7).map(|at| (at as u8, at)).collect::<Vec<_>>());
}
