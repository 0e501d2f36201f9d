//! Real processes through the real session, over a socket pair: no microVM, no rights needed.

mod support;

use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::agent::Ending;
use warmcell_agent::message;
use warmcell_agent::yamux::{Kind, WINDOW_BYTES};

#[test]
fn output_error_output_and_exit_code_come_apart() {
    let mut host = Host::greeted("apart");
    let process = host.sh("echo out $GREETING; echo err >&2; exit 7");
    assert_eq!(host.exit(&process), Exit { code: 7, signal: 0 });
    assert_eq!(host.output(process.stdio), "out hello you\n");
    assert_eq!(host.output(process.stderr), "err\n");
    host.until(|host| host.streams[&process.control].finished && host.streams[&process.stdio].finished);
    assert_eq!(host.hang_up(), Ending::HostGone);
}

#[test]
fn exited_comes_after_the_output_even_when_the_channels_come_late() {
    let mut host = Host::greeted("late");
    let control = host.open(&start(&["echo", "early"], "/", "root", false));
    assert_eq!(host.answer(control).0, message::STARTED);
    host.pause(Duration::from_millis(200));
    assert_eq!(host.output(control), "");
    let stdio = host.open(&attach(control, 1));
    let stderr = host.open(&attach(control, 2));
    assert_eq!(host.answer(control).0, message::EXITED);
    assert_eq!(host.output(stdio), "early\n");
    host.until(|host| host.streams[&stderr].finished);
}

#[test]
fn four_mebibytes_of_stdin_come_back_whole() {
    let mut host = Host::greeted("cat");
    let process = host.start(&["cat"], true);
    let bytes: Vec<u8> = (0..4 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    host.send(process.stdio, &bytes);
    host.finish(process.stdio);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert!(host.streams[&process.stdio].bytes == bytes);
}

#[test]
fn output_waits_for_credit_and_other_streams_do_not() {
    let mut host = Host::greeted("credit");
    host.granting = false;
    let process = host.sh("head -c 1000000 /dev/zero");
    host.until(|host| host.streams[&process.stdio].bytes.len() == WINDOW_BYTES as usize);
    let other = host.sh("echo quick");
    assert_eq!(host.exit(&other), Exit { code: 0, signal: 0 });
    assert_eq!(host.output(process.control), "");
    host.granting = true;
    host.grant(process.stdio, WINDOW_BYTES);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert_eq!(host.streams[&process.stdio].bytes.len(), 1_000_000);
}

#[test]
fn sixty_four_mebibytes_come_whole() {
    let mut host = Host::greeted("large");
    let process = host.sh("head -c 67108864 /dev/zero");
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert_eq!(host.streams[&process.stdio].bytes.len(), 64 << 20);
}

#[test]
fn what_a_process_does_not_read_is_taken_and_thrown_away() {
    let mut host = Host::greeted("deaf");
    let process = host.start(&["sh", "-c", "exec <&-; echo closed; sleep 0.3"], true);
    host.until(|host| host.streams[&process.stdio].bytes == b"closed\n");
    host.send(process.stdio, &vec![0; 1 << 20]);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    host.send(process.stdio, &vec![0; 1 << 20]);
    host.finish(process.stdio);
    // Without a pipe from the start, likewise.
    let process = host.start(&["cat"], false);
    host.send(process.stdio, &vec![0; 1 << 20]);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
}

#[test]
fn stdin_that_nobody_reads_earns_no_credit() {
    let mut host = Host::greeted("unread");
    let process = host.start(&["sleep", "60"], true);
    let credit = host.credit(process.stdio);
    host.send(process.stdio, &vec![0; credit as usize]);
    host.pause(Duration::from_millis(200));
    assert!(host.credit(process.stdio) <= WINDOW_BYTES);
    host.reset(process.control);
}

#[test]
fn a_background_child_that_holds_the_pipe_delays_nothing_and_lives_on() {
    let mut host = Host::greeted("background");
    let began = Instant::now();
    let marker = host.root.join("survived");
    let process = host.sh(&format!("(sleep 0.5; echo late; echo late >&2; touch {}) & echo done", marker.display()));
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert!(began.elapsed() < Duration::from_millis(450));
    host.until(|host| host.streams[&process.stdio].finished && host.streams[&process.stderr].finished);
    assert_eq!(host.output(process.stdio), "done\n");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !marker.exists() && Instant::now() < deadline {
        host.pause(Duration::from_millis(20));
    }
    assert!(marker.exists(), "the child was killed by SIGPIPE");
    assert_eq!(host.output(process.stdio), "done\n");
}

#[test]
fn a_signal_reaches_the_group_and_is_answered() {
    let mut host = Host::greeted("signal");
    let process = host.sh("trap 'echo caught; exit 3' USR1; echo ready; sleep 60 & wait");
    host.until(|host| host.streams[&process.stdio].bytes == b"ready\n");
    host.send(process.control, &[signal(10), signal(18)].concat());
    for _ in 0..2 {
        let (kind, fields) = host.answer(process.control);
        assert_eq!((kind, number(&fields[0].1)), (message::SIGNALLED, 1));
    }
    assert_eq!(host.exit(&process), Exit { code: 3, signal: 0 });
    assert_eq!(host.output(process.stdio), "ready\ncaught\n");
}

#[test]
fn terminate_ends_the_whole_group_with_the_process_that_heeds_it() {
    let mut host = Host::greeted("terminate");
    let process = host.sh("sh -c \"trap '' TERM; echo $$; while :; do sleep 1; done\" & trap 'exit 5' TERM; echo $!; wait");
    host.until(|host| host.output(process.stdio).lines().count() == 2);
    let stubborn: i32 = host.output(process.stdio).lines().next().unwrap().parse().unwrap();
    host.send(process.control, &terminate(60_000));
    assert_eq!(host.exit(&process), Exit { code: 5, signal: 0 });
    host.pause(Duration::from_millis(100));
    assert!(!runs(process.pid) && !runs(stubborn));
}

#[test]
fn terminate_kills_after_its_grace_and_a_second_one_shortens_it() {
    let mut host = Host::greeted("grace");
    let process = host.sh("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    host.until(|host| host.streams[&process.stdio].bytes == b"ready\n");
    host.send(process.control, &terminate(60_000));
    host.pause(Duration::from_millis(100));
    assert!(runs(process.pid));
    let began = Instant::now();
    host.send(process.control, &terminate(100));
    assert_eq!(host.exit(&process), Exit { code: 137, signal: 9 });
    assert!(began.elapsed() >= Duration::from_millis(100) && began.elapsed() < Duration::from_secs(5));
    let process = host.sh("trap '' TERM; echo ready; sleep 60");
    host.until(|host| host.streams[&process.stdio].bytes == b"ready\n");
    host.send(process.control, &terminate(0));
    assert_eq!(host.exit(&process), Exit { code: 137, signal: 9 });
}

#[test]
fn a_reset_of_the_control_stream_kills_the_group_at_once() {
    let mut host = Host::greeted("lost-interest");
    let process = host.sh("trap '' TERM HUP; sleep 60 & echo $!; wait");
    host.until(|host| !host.streams[&process.stdio].bytes.is_empty());
    let child: i32 = host.output(process.stdio).trim().parse().unwrap();
    host.reset(process.control);
    host.until(|host| host.streams[&process.stdio].finished && host.streams[&process.stderr].finished);
    host.pause(Duration::from_millis(100));
    assert!(!runs(process.pid) && !runs(child));
}

#[test]
fn a_channel_that_is_reset_drops_its_output_and_blocks_nobody() {
    let mut host = Host::greeted("dropped");
    let process = host.sh("sleep 0.2; head -c 3000000 /dev/zero; echo end >&2");
    host.reset(process.stdio);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert_eq!(host.output(process.stderr), "end\n");
    assert_eq!(host.output(process.stdio), "");
}

#[test]
fn what_cannot_be_started_names_the_step() {
    let mut host = Host::greeted("failures");
    let cases: [(&[&str], &str, &str, &str, &str); 7] = [
        (&["no-such-program"], "/", "root", "ENOENT", "exec"),
        (&["/etc/passwd"], "/", "root", "EACCES", "exec"),
        (&["/etc"], "/", "root", "EACCES", "exec"),
        (&[], "/", "root", "EINVAL", "exec"),
        (&["true"], "/no/such/place", "root", "ENOENT", "cwd"),
        (&["true"], "/etc/passwd", "root", "ENOTDIR", "cwd"),
        (&["true"], "/", "nobody-here", "EINVAL", "user"),
    ];
    for (arguments, cwd, user, errno, step) in cases {
        let control = host.open(&start(arguments, cwd, user, false));
        let stdio = host.open(&attach(control, 1));
        assert_eq!(host.failure(control), (errno.to_string(), step.to_string()), "{:?}", arguments);
        host.until(|host| host.streams[&control].finished && host.streams[&stdio].reset);
    }
}

#[test]
fn a_channel_of_nobody_or_taken_twice_is_reset() {
    let mut host = Host::greeted("channels");
    let process = host.start(&["cat"], true);
    for wrong in [attach(process.control, 1), attach(9_999, 1), attach(process.stdio, 2)] {
        let id = host.open(&wrong);
        host.until(|host| host.streams[&id].reset);
    }
    host.send(process.stdio, b"still there");
    host.finish(process.stdio);
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert_eq!(host.output(process.stdio), "still there");
}

#[test]
fn before_the_handshake_nothing_is_served() {
    let mut host = Host::connect("stranger");
    for opening in [start(&["true"], "/", "root", false), attach(1, 1), write_file("/x", 0o644)] {
        let id = host.open(&opening);
        assert_eq!(host.failure(id), ("EACCES".to_string(), "hello".to_string()));
    }
    let id = host.open(&message::Encoder::new(message::HELLO).number(1, 1).finish());
    assert_eq!(host.failure(id), ("EPROTO".to_string(), "hello".to_string()));
    let id = host.open(&hello(message::GENERATION));
    assert_eq!(host.answer(id).0, message::WELCOME);
    assert_eq!(std::fs::read_to_string(host.root.join("etc/machine-id")).unwrap(), "0123456789abcdef0123456789abcdef\n");
    assert_eq!(std::fs::read_to_string(host.root.join("etc/hostname")).unwrap(), "cell-1\n");
    let id = host.open(&hello(message::GENERATION));
    assert_eq!(host.failure(id).0, "EPROTO");
}

#[test]
fn a_request_nobody_knows_is_answered_and_a_broken_one_ends_the_session() {
    let mut host = Host::greeted("unknown");
    let id = host.open(&message::Encoder::new(0x7e).finish());
    assert_eq!(host.failure(id).0, "EOPNOTSUPP");
    host.open(&[0, 0, 0, 0]);
    host.until(|host| host.go_away.is_some());
    assert_eq!(host.go_away, Some(1));
    assert!(matches!(host.ending(), Ending::Violation(_)));
}

#[test]
fn a_frame_that_breaks_the_contract_ends_the_session_after_what_came_before_it() {
    let mut host = Host::greeted("violation");
    let process = host.start(&["cat"], true);
    host.frame(Kind::Data, 0, process.stdio, WINDOW_BYTES + 1, &[]);
    host.until(|host| host.go_away.is_some());
    assert!(matches!(host.ending(), Ending::Violation(_)));
}

#[test]
fn forty_processes_at_once_each_get_their_own_answer() {
    let mut host = Host::greeted("many");
    let all: Vec<(u32, Running)> = (0..40).map(|number| (number, host.sh(&format!("echo {}; exit {}", number, number)))).collect();
    for (number, process) in &all {
        assert_eq!(host.exit(process).code, u64::from(*number));
        assert_eq!(host.output(process.stdio), format!("{}\n", number));
    }
}

#[test]
fn a_thousand_processes_leave_nothing_open() {
    let mut host = Host::greeted("leaks");
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut before = 0;
    for round in 0..1000 {
        let process = host.start(&["true"], true);
        assert_eq!(host.exit(&process).code, 0);
        host.finish(process.control);
        host.finish(process.stdio);
        if round == 10 {
            before = descriptors();
        }
    }
    // Other tests run beside this one.
    assert!(descriptors() < before + 500, "{} descriptors, then {}", before, descriptors());
    assert_eq!(host.hang_up(), Ending::HostGone);
}
