//! A template's agent forgets its host, and each clone begins a session of its own as somebody else.

mod support;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::time::{Duration, Instant};
use support::*;
use warmcell_agent::agent::Ending;
use warmcell_agent::message::{self, Encoder, GENERATION};
use warmcell_agent::yamux::{Kind, SYN};

fn template(name: &str) -> Host {
    let mut host = Host::connect(name);
    let id = host.open(&hello_of(GENERATION, 0, true));
    let (kind, fields) = host.answer(id);
    assert_eq!((kind, fields[3].1.len()), (message::WELCOME, 0), "a template has no boot id");
    host
}

fn hook(host: &Host, name: &str, text: &str, mode: u32) {
    let directory = host.root.join("etc/warmcell/clone.d");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
    fs::set_permissions(directory.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

/// What the handshake of a clone is answered.
fn greet(host: &mut Host, generation_id: u64) -> (u8, Vec<String>) {
    let id = host.open(&hello_of(GENERATION, generation_id, false));
    let (kind, fields) = host.answer(id);
    (kind, fields.into_iter().map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect())
}

#[test]
fn after_quiescing_a_new_session_begins_with_a_new_handshake() {
    let mut host = template("template");
    let process = host.sh("echo set up");
    assert_eq!(host.exit(&process).code, 0);
    assert_eq!(host.quiesce(), 0);
    host.begin_again();
    host.ping();
    let id = host.open(&start(&["true"], "/", "root", false));
    assert_eq!((id, host.failure(id).0), (1, "EACCES".to_string()));
    assert_eq!(greet(&mut host, 77).0, message::WELCOME);
    assert_eq!(fs::read_to_string(host.root.join("run/warmcell/generation-id")).unwrap(), "77\n");
    let process = host.sh("echo clone");
    assert_eq!(host.exit(&process), Exit { code: 0, signal: 0 });
    assert_eq!(host.output(process.stdio), "clone\n");
    let id = host.open(&hello_of(GENERATION, 78, false));
    assert_eq!(host.failure(id).0, "EPROTO");
    assert_eq!(host.hang_up(), Ending::HostGone);
}

#[test]
fn a_clone_can_be_a_template_again() {
    let mut host = template("again");
    for generation_id in 1..4 {
        host.quiesce();
        host.begin_again();
        assert_eq!(greet(&mut host, generation_id).0, message::WELCOME);
        assert_eq!(fs::read_to_string(host.root.join("run/warmcell/generation-id")).unwrap(), format!("{}\n", generation_id));
    }
}

#[test]
fn a_template_can_be_greeted_as_one_again_at_each_stage_of_its_setup() {
    let mut host = template("stages");
    let log = host.root.join("hooked");
    hook(&host, "hook", &format!("#!/bin/sh\ntouch {}\n", log.display()), 0o755);
    for stage in 0..3 {
        let process = host.sh(&format!("sleep 60 & echo $! > {}/stage-{}", host.root.display(), stage));
        assert_eq!(host.exit(&process).code, 0);
        assert_eq!(host.quiesce(), 0);
        host.begin_again();
        let id = host.open(&hello_of(GENERATION, 0, true));
        let (kind, fields) = host.answer(id);
        assert_eq!((kind, fields[3].1.len()), (message::WELCOME, 0), "still no boot id");
        assert_eq!(fs::read_to_string(host.root.join("run/warmcell/generation-id")).unwrap(), "0\n");
    }
    assert!(!log.exists(), "hooks are for clones");
    for stage in 0..3 {
        let pid: i32 = fs::read_to_string(host.root.join(format!("stage-{}", stage))).unwrap().trim().parse().unwrap();
        assert!(runs(pid), "what a stage has left running goes on");
        let kill = host.sh(&format!("kill -9 {}", pid));
        assert_eq!(host.exit(&kill).code, 0);
    }
    assert_eq!(host.quiesce(), 0);
    host.begin_again();
    assert_eq!(greet(&mut host, 9).0, message::WELCOME);
    assert!(log.exists());
}

#[test]
fn nothing_is_forgotten_before_the_host_has_said_all() {
    let mut host = template("said-all");
    let id = host.open(&quiesce());
    host.pause(Duration::from_millis(100));
    assert!(host.streams[&id].bytes.is_empty());
    let process = host.sh("exit 3");
    assert_eq!(host.exit(&process).code, 3);
    host.finish(id);
    assert_eq!(host.answer(id).0, message::QUIESCED);
}

#[test]
fn quiescing_waits_for_nobody_and_is_refused_while_something_is_under_way() {
    let mut host = template("busy");
    let file = host.open(&write_file("/half", 0o644));
    let id = host.open(&quiesce());
    host.finish(id);
    assert_eq!(host.failure(id), ("EBUSY".to_string(), "quiesce".to_string()));
    host.finish(file);
    assert_eq!(host.answer(file).0, message::WRITTEN);
    // A stream that has not yet said what it is.
    host.frame(Kind::WindowUpdate, SYN, 101, 0, &[]);
    host.streams.insert(101, Incoming::default());
    host.skip_to(103);
    let id = host.open(&quiesce());
    host.finish(id);
    assert_eq!(host.failure(id).0, "EBUSY");
    host.reset(101);
    assert_eq!(host.quiesce(), 0);
}

#[test]
fn processes_go_on_unheard_unread_and_with_nothing_to_read() {
    let mut host = template("orphans");
    let reader = host.start(&["sh", "-c", "cat; echo end of stdin >&2; sleep 60"], true);
    let printer = host.sh("trap 'touch heard' HUP; head -c 300000 /dev/zero; echo $$ > printed; sleep 60");
    let ended = host.open(&start(&["true"], "/", "root", false));
    assert_eq!(host.answer(ended).0, message::STARTED);
    host.until(|host| !host.streams[&printer.stdio].bytes.is_empty());
    host.pause(Duration::from_millis(100));
    assert_eq!(host.quiesce(), 2);
    host.begin_again();
    // What was said on the old session meanwhile means nothing to the new.
    host.frame(Kind::WindowUpdate, 0, printer.stdio, 4096, &[]);
    assert_eq!(greet(&mut host, 5).0, message::WELCOME);
    for process in [2, 4, 6, u64::from(reader.control)] {
        let id = host.open(&Encoder::new(message::ATTACH).number(1, process).number(2, 1).finish());
        host.until(|host| host.streams[&id].reset);
    }
    assert!(runs(reader.pid) && runs(printer.pid));
    let cat_is_done = || fs::read_dir(format!("/proc/{}/task/{}", reader.pid, reader.pid)).is_ok() && children(reader.pid) == ["sleep"];
    wait_for(cat_is_done);
    for process in [&reader, &printer] {
        let kill = host.sh(&format!("kill -9 -{}", process.pid));
        assert_eq!(host.exit(&kill).code, 0);
    }
    // Reaped: not even a zombie is left.
    wait_for(|| [&reader, &printer].iter().all(|process| fs::metadata(format!("/proc/{}", process.pid)).is_err()));
    let again = host.start(&["cat"], true);
    assert_eq!(host.quiesce(), 1);
    wait_for(|| !runs(again.pid));
}

fn children(pid: i32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{}/task/{}/children", pid, pid)).unwrap_or_default();
    text.split_whitespace()
        .map(|child| fs::read_to_string(format!("/proc/{}/comm", child)).unwrap_or_default().trim().to_string())
        .collect()
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "it did not happen in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn hooks_run_in_the_order_of_their_names_and_only_in_a_clone() {
    let mut host = Host::connect("hooks");
    let log = host.root.join("log");
    let say = |what: &str| format!("#!/bin/sh\necho {} $WARMCELL_GENERATION_ID $HOME $PWD $# >> {}\n", what, log.display());
    hook(&host, "20-second", &say("second"), 0o755);
    hook(&host, "10-first", &say("first"), 0o700);
    hook(&host, "05-not-executable", &say("not executable"), 0o644);
    hook(&host, "elsewhere", &say("linked"), 0o755);
    let directory = host.root.join("etc/warmcell/clone.d");
    fs::rename(directory.join("elsewhere"), host.root.join("elsewhere")).unwrap();
    symlink("../../../elsewhere", directory.join("30-link")).unwrap();
    fs::create_dir(directory.join("40-directory")).unwrap();
    assert_eq!(greet(&mut host, 0).0, message::WELCOME);
    assert!(!log.exists());
    host.quiesce();
    host.begin_again();
    assert_eq!(greet(&mut host, u64::MAX).0, message::WELCOME);
    assert_eq!(fs::read_to_string(&log).unwrap(), format!("first {} / / 0\nsecond {} / / 0\n", u64::MAX, u64::MAX));
}

#[test]
fn a_hook_that_fails_fails_the_handshake_and_is_named() {
    let cases = [
        ("exits", "#!/bin/sh\necho to stdout; echo the reason >&2; exit 3", "EIO", "ended with 3: to stdout\nthe reason"),
        ("is-killed", "#!/bin/sh\nkill -TERM $$", "EIO", "signal 15"),
        ("has-no-interpreter", "#!/no/such/interpreter\n", "ENOENT", "cannot be started"),
        ("is-no-program", "text", "ENOEXEC", "cannot be started"),
        ("prints", "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x; echo last words; exit 1", "EIO", "last words"),
    ];
    for (name, text, errno, words) in cases {
        let mut host = Host::connect(&format!("hook-{}", name));
        hook(&host, name, text, 0o755);
        let (kind, fields) = greet(&mut host, 1);
        assert_eq!((kind, &fields[0][..], &fields[1][..]), (message::FAILED, errno, "hook"), "{:?}", fields);
        assert!(fields[2].contains(name) && fields[2].contains(words), "{}", fields[2]);
        assert!(fields[2].len() < 2000);
        let id = host.open(&start(&["true"], "/", "root", false));
        assert_eq!(host.failure(id).0, "EACCES", "a clone that is not itself serves nobody");
    }
}

#[test]
fn a_hook_that_takes_too_long_is_killed_with_its_group() {
    let mut host = Host::connect("hook-slow");
    let pids = host.root.join("pids");
    hook(&host, "slow", &format!("#!/bin/sh\nsleep 60 & echo $! $$ > {}; wait", pids.display()), 0o755);
    let began = Instant::now();
    let (kind, fields) = greet(&mut host, 1);
    assert_eq!((kind, &fields[0][..]), (message::FAILED, "ETIMEDOUT"));
    assert!(began.elapsed() >= Duration::from_secs(5) && began.elapsed() < Duration::from_secs(15));
    for pid in fs::read_to_string(&pids).unwrap().split_whitespace() {
        wait_for(|| !runs(pid.parse().unwrap()));
    }
}

#[test]
fn what_a_hook_leaves_in_its_group_goes_with_it() {
    let mut host = Host::connect("hook-leaves");
    let pid = host.root.join("pid");
    hook(&host, "leaves", &format!("#!/bin/sh\nsleep 60 & echo $! > {}", pid.display()), 0o755);
    assert_eq!(greet(&mut host, 1).0, message::WELCOME);
    let pid: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    wait_for(|| !runs(pid));
}

#[test]
fn a_clone_has_its_own_name_where_its_template_had_one() {
    let mut host = template("names");
    assert_eq!(fs::read_to_string(host.root.join("etc/hosts")).unwrap(), "127.0.0.1 localhost cell-1\n::1 localhost\n");
    host.quiesce();
    host.begin_again();
    let hello = Encoder::new(message::HELLO)
        .number(1, GENERATION)
        .bytes(2, &[8; 32])
        .number(3, 1)
        .text(4, "cell-2")
        .text(5, "abcdefabcdefabcdefabcdefabcdefab")
        .number(6, 9)
        .number(7, 0)
        .finish();
    let id = host.open(&hello);
    assert_eq!(host.answer(id).0, message::WELCOME);
    for (path, text) in [
        ("etc/hosts", "127.0.0.1 localhost cell-2\n::1 localhost\n"),
        ("etc/hostname", "cell-2\n"),
        ("etc/machine-id", "abcdefabcdefabcdefabcdefabcdefab\n"),
    ] {
        assert_eq!(fs::read_to_string(host.root.join(path)).unwrap(), text);
    }
}

#[test]
fn the_clock_is_set_after_the_handshake_only() {
    let set_clock = Encoder::new(message::SET_CLOCK).number(1, 1_800_000_000_000_000_000).finish();
    let mut host = Host::connect("clock");
    let id = host.open(&set_clock);
    assert_eq!(host.failure(id), ("EACCES".to_string(), "hello".to_string()));
    assert_eq!(greet(&mut host, 1).0, message::WELCOME);
    let id = host.open(&set_clock);
    assert_eq!(host.answer(id), (message::CLOCK_SET, vec![]));
    host.until(|host| host.streams[&id].finished);
}
