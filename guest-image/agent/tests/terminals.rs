//! Programs on terminals, through the real session: what a person at one would see.

mod support;

use std::time::Duration;
use support::*;
use warmcell_agent::message;
use warmcell_agent::yamux::WINDOW_BYTES;

#[test]
fn a_program_finds_itself_on_a_terminal() {
    let mut host = Host::greeted("terminal");
    let process = sh(&mut host, "test -t 0 && test -t 1 && test -t 2 && echo all; tty; stty size; echo $TERM; exit 7");
    assert_eq!(host.exit(&process), Exit { code: 7, signal: 0 });
    let lines: Vec<String> = host.output(process.stdio).lines().map(str::to_string).collect();
    assert_eq!((lines[0].as_str(), lines[2].as_str(), lines[3].as_str()), ("all", "24 80", "xterm-256color"));
    assert!(lines[1].starts_with("/dev/pts/"), "{}", lines[1]);
    host.until(|host| host.streams[&process.stdio].finished && host.streams[&process.control].finished);
}

#[test]
fn an_environment_that_names_a_terminal_keeps_it() {
    let mut host = Host::greeted("term");
    let process = terminal(&mut host, &["env", "TERM=dumb", "sh", "-c", "echo $TERM"]);
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.output(process.stdio), "dumb\r\n");
    let process = host.sh("echo .$TERM.");
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.output(process.stdio), "..\n", "without a terminal there is nothing to name");
}

#[test]
fn there_is_no_error_channel_and_a_second_stdio_neither() {
    let mut host = Host::greeted("no-stderr");
    let process = sh(&mut host, "echo out; echo err >&2; read line");
    seen(&mut host, &process, "err\r\n");
    for wrong in [attach(process.control, 2), attach(process.control, 1)] {
        let id = host.open(&wrong);
        host.until(|host| host.streams[&id].reset);
    }
    host.send(process.stdio, b"\n");
    assert_eq!(host.exit(&process).code, 0);
}

#[test]
fn a_shell_runs_jobs_and_control_c_ends_the_one_in_front() {
    let mut host = Host::greeted("jobs");
    let process = terminal(&mut host, &["sh", "-i"]);
    seen(&mut host, &process, "$ ");
    assert!(!host.output(process.stdio).contains("job control"), "{}", host.output(process.stdio));
    // One after the other, as a person would: a shell throws away what was typed before it heard of an interruption.
    host.send(process.stdio, b"sleep 1234\n");
    wait_for_child(&mut host, process.pid, "sleep");
    host.send(process.stdio, b"\x03");
    seen(&mut host, &process, "^C\r\n$ ");
    host.send(process.stdio, b"echo code $?\n");
    seen(&mut host, &process, "code 130\r\n$ ");
    host.send(process.stdio, b"sleep 1235\n");
    wait_for_child(&mut host, process.pid, "sleep");
    host.send(process.stdio, b"\x1a");
    seen(&mut host, &process, "Stopped");
    seen(&mut host, &process, "sleep 1235\r\n$ ");
    host.send(process.stdio, b"fg\n");
    seen(&mut host, &process, "fg\r\nsleep 1235\r\n");
    host.pause(Duration::from_millis(100));
    host.send(process.stdio, b"\x03");
    seen(&mut host, &process, "1235\r\n^C\r\n$ ");
    host.send(process.stdio, b"exit 4\n");
    assert_eq!(host.exit(&process), Exit { code: 4, signal: 0 });
}

#[test]
fn a_new_size_is_told_to_the_program_in_front() {
    let mut host = Host::greeted("resize");
    let process = sh(&mut host, "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done");
    seen(&mut host, &process, "ready");
    host.send(process.control, &resize(132, 50));
    assert_eq!(host.exit(&process).code, 3);
    assert_eq!(host.output(process.stdio), "ready\r\n50 132\r\n");
    // What has no terminal has no size, and what has ended is not asked.
    let process = host.sh("read line; echo still here");
    host.send(process.control, &resize(1, 65_535));
    assert_eq!(host.exit(&process).code, 0);
    host.send(process.control, &resize(1, 65_535));
    host.ping();
}

#[test]
fn what_is_printed_last_is_not_lost() {
    let mut host = Host::greeted("last-words");
    for round in 0..60 {
        let process = sh(&mut host, "stty -opost; head -c 102400 /dev/zero; echo END");
        assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
        let bytes = &host.streams[&process.stdio].bytes;
        assert!(bytes.len() == 102_404 && bytes.ends_with(b"\0END\n"), "{} bytes in round {}", bytes.len(), round);
    }
}

#[test]
fn a_reader_that_is_slow_holds_the_program_up_and_loses_nothing() {
    let mut host = Host::greeted("slow-reader");
    host.granting = false;
    let process = sh(&mut host, "stty -opost; head -c 1000000 /dev/zero; echo END");
    host.until(|host| host.streams[&process.stdio].bytes.len() == WINDOW_BYTES as usize);
    host.pause(Duration::from_millis(200));
    assert!(runs(process.pid));
    assert_eq!(host.output(process.control), "");
    host.granting = true;
    host.grant(process.stdio, WINDOW_BYTES);
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.streams[&process.stdio].bytes.len(), 1_000_004);
}

#[test]
fn the_end_waits_for_a_reader_that_comes_late() {
    let mut host = Host::greeted("late-reader");
    let control = host.open(&start_on_terminal(&["echo", "early"], 80, 24));
    assert_eq!(host.answer(control).0, message::STARTED);
    host.pause(Duration::from_millis(200));
    assert_eq!(host.output(control), "");
    let stdio = host.open(&attach(control, 1));
    assert_eq!(host.answer(control).0, message::EXITED);
    assert_eq!(host.output(stdio), "early\r\n");
}

#[test]
fn a_large_paste_arrives_whole_at_a_slow_program() {
    let mut host = Host::greeted("paste");
    let line = "0123456789abcdefghijklmnopqrstuvwxyz\n";
    let lines = (1 << 20) / line.len();
    let process = sh(&mut host, "stty -echo; echo ready; sleep 0.5; head -n 28000 | md5sum; head -n 339 | wc -l");
    seen(&mut host, &process, "ready");
    assert_eq!(lines, 28_339);
    host.send(process.stdio, line.repeat(lines).as_bytes());
    assert_eq!(host.exit(&process).code, 0);
    let reference = host.sh(&format!("yes {} | head -n 28000 | md5sum; echo 339", line.trim_end()));
    assert_eq!(host.exit(&reference).code, 0);
    assert_eq!(host.output(process.stdio).replace('\r', ""), format!("ready\n{}", host.output(reference.stdio)));
}

#[test]
fn a_program_without_lines_takes_a_paste_byte_by_byte() {
    let mut host = Host::greeted("raw-paste");
    let process = sh(&mut host, "stty raw -echo; echo ready; for n in 1 2 3 4; do sleep 0.1; head -c 250000 | wc -c; done");
    seen(&mut host, &process, "ready");
    host.send(process.stdio, &vec![b'x'; 1_000_000]);
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.output(process.stdio).matches("250000").count(), 4, "{}", host.output(process.stdio));
}

#[test]
fn a_line_that_is_too_long_is_cut_and_holds_nothing_up() {
    let mut host = Host::greeted("long-line");
    let process = sh(&mut host, "stty -echo; echo ready; read line; echo ${#line}");
    seen(&mut host, &process, "ready");
    host.send(process.stdio, &[&vec![b'x'; 200_000][..], b"\n"].concat());
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.output(process.stdio), "ready\r\n4095\r\n");
}

#[test]
fn what_a_program_does_not_read_earns_no_credit() {
    let mut host = Host::greeted("unread");
    let process = sh(&mut host, "stty raw -echo; echo ready; sleep 60");
    seen(&mut host, &process, "ready");
    let credit = host.credit(process.stdio);
    host.send(process.stdio, &vec![b'x'; credit as usize]);
    host.pause(Duration::from_millis(200));
    assert!(host.credit(process.stdio) < 40_000);
    host.reset(process.control);
    host.until(|host| host.streams[&process.stdio].finished);
}

#[test]
fn the_host_s_end_of_typing_changes_nothing() {
    let mut host = Host::greeted("fin");
    let process = sh(&mut host, "read a; timeout --foreground 0.5 cat; echo $a $?");
    host.send(process.stdio, b"one\n");
    host.finish(process.stdio);
    assert_eq!(host.exit(&process).code, 0);
    assert!(host.output(process.stdio).ends_with("one 124\r\n"), "{}", host.output(process.stdio));
}
