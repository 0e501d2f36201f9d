//! How programs on terminals end, and what does not end them.

mod support;

use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::message;

#[test]
fn end_of_file_is_a_character() {
    let mut host = Host::greeted("eof");
    let process = terminal(&mut host, &["cat"]);
    host.send(process.stdio, b"typed\n\x04");
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.output(process.stdio), "typed\r\ntyped\r\n");
}

#[test]
fn a_child_that_holds_the_terminal_delays_nothing_and_finds_it_hung_up() {
    let mut host = Host::greeted("holder");
    let marker = host.root.join("hung-up");
    for print in ["sleep 0.05", "echo still printing"] {
        let began = Instant::now();
        let script = format!("trap '' HUP; (while {} && test -t 1 && echo; do :; done; touch {}) & echo done", print, marker.display());
        let process = sh(&mut host, &script);
        assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
        assert!(began.elapsed() < Duration::from_secs(3));
        assert!(host.output(process.stdio).contains("done\r\n"));
        host.until(|host| host.streams[&process.stdio].finished);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !marker.exists() && Instant::now() < deadline {
            host.pause(Duration::from_millis(20));
        }
        std::fs::remove_file(&marker).expect("the child learned that its terminal is gone");
    }
}

#[test]
fn a_terminal_that_nobody_has_open_for_a_while_is_not_at_its_end() {
    let mut host = Host::greeted("reopened");
    let process = sh(&mut host, "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo back >/dev/tty; sleep 0.2; echo again >/dev/tty");
    host.send(process.stdio, b"typed into nothing\n");
    assert_eq!(host.exit(&process).code, 0);
    assert!(host.output(process.stdio).ends_with("back\r\nagain\r\n"), "{}", host.output(process.stdio));
}

#[test]
fn signals_and_their_ends_are_as_without_a_terminal() {
    let mut host = Host::greeted("terminal-signals");
    let process = sh(&mut host, "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done");
    seen(&mut host, &process, "ready");
    host.send(process.control, &signal(10));
    let (kind, fields) = host.answer(process.control);
    assert_eq!((kind, number(&fields[0].1)), (message::SIGNALLED, 1));
    assert_eq!(host.exit(&process), Exit { code: 5, signal: 0 });
    assert!(host.output(process.stdio).ends_with("caught\r\n"));
    let process = sh(&mut host, "kill -SEGV $$");
    assert_eq!(host.exit(&process), Exit { code: 139, signal: 11 });
}

#[test]
fn terminate_kills_the_job_in_front_with_its_shell() {
    let mut host = Host::greeted("terminal-terminate");
    for lose_interest in [false, true] {
        let process = terminal(&mut host, &["sh", "-i"]);
        host.send(process.stdio, b"sh -c \"trap '' TERM HUP INT; sleep 1236\"\n");
        let job = wait_for_child(&mut host, process.pid, "sh");
        wait_for_child(&mut host, job, "sleep");
        if lose_interest {
            host.reset(process.control);
            host.until(|host| host.streams[&process.stdio].finished);
        } else {
            host.send(process.control, &terminate(100));
            assert_eq!(host.exit(&process), Exit { code: 137, signal: 9 });
        }
        host.pause(Duration::from_millis(100));
        assert!(!runs(process.pid) && !runs(job));
    }
}

#[test]
fn a_channel_that_is_reset_ends_neither_the_program_nor_its_terminal() {
    let mut host = Host::greeted("terminal-dropped");
    let process = sh(&mut host, "sleep 0.2; head -c 300000 /dev/zero; test -t 0 && exit 6");
    host.reset(process.stdio);
    assert_eq!(host.exit(&process).code, 6);
}

#[test]
fn a_program_on_a_terminal_goes_on_when_its_host_is_forgotten() {
    let mut host = Host::greeted("terminal-orphan");
    let marker = host.root.join("printed");
    let process = sh(&mut host, &format!("sleep 0.2; head -c 300000 /dev/zero; touch {}; sleep 60", marker.display()));
    assert_eq!(host.quiesce(), 1);
    host.begin_again();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !marker.exists() && Instant::now() < deadline {
        host.pause(Duration::from_millis(20));
    }
    assert!(marker.exists() && runs(process.pid));
    let id = host.open(&hello(message::GENERATION));
    assert_eq!(host.answer(id).0, message::WELCOME);
    let kill = host.sh(&format!("kill -9 -{}", process.pid));
    assert_eq!(host.exit(&kill).code, 0);
}

#[test]
fn a_program_that_cannot_be_started_is_told_and_leaves_no_terminal() {
    let mut host = Host::greeted("terminal-failure");
    for _ in 0..300 {
        let control = host.open(&start_on_terminal(&["no-such-program"], 80, 24));
        assert_eq!(host.failure(control), ("ENOENT".to_string(), "exec".to_string()));
    }
    let process = sh(&mut host, "tty");
    assert_eq!(host.exit(&process).code, 0);
    let number = host.output(process.stdio).trim().rsplit('/').next().unwrap().parse::<u32>().unwrap();
    assert!(number < 200, "/dev/pts/{}", number);
}
