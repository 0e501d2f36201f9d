//! Programs on a terminal, and what is seen of them.

use super::*;
use std::time::{Duration, Instant};
use warmcell_agent::message;

/// Starts a program on a terminal of 80 columns and 24 rows and attaches to it. There is no stderr: that is the stdio's number again.
pub fn terminal(host: &mut Host, arguments: &[&str]) -> Running {
    let control = host.open(&start_on_terminal(arguments, 80, 24));
    let stdio = host.open(&attach(control, 1));
    let (kind, fields) = host.answer(control);
    assert_eq!(kind, message::STARTED, "{:?}", fields);
    Running { control, stdio, stderr: stdio, pid: number(&fields[0].1) as i32 }
}

pub fn sh(host: &mut Host, script: &str) -> Running {
    terminal(host, &["sh", "-c", script])
}

pub fn seen(host: &mut Host, process: &Running, text: &str) {
    host.until(|host| host.output(process.stdio).contains(text));
}

pub fn wait_for_child(host: &mut Host, parent: i32, name: &str) -> i32 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", parent)).unwrap_or_default();
        for pid in children.split_whitespace() {
            if std::fs::read_to_string(format!("/proc/{}/comm", pid)).unwrap_or_default().trim() == name {
                return pid.parse().unwrap();
            }
        }
        assert!(Instant::now() < deadline, "no child {}", name);
        host.pause(Duration::from_millis(20));
    }
}
