//! Which system calls a tenant's programs may make: the filter as the kernel would run it, over every number, and put on a program for real.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::io::AsRawFd;
use warmcell_agent::sys::{self, Ended, Instruction, Plan, Spawned};
use warmcell_agent::tenant::filter::{program, Answer, Processor, Question, AARCH64, CALLS, LAST, THIS, X86_64};

const PASS: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
/// Of an i386 program, by `int 0x80`.
const I386: u32 = 0x4000_0003;
const ENOSYS: u32 = 0x5_0000 | 38;
const EPERM: u32 = 0x5_0000 | 1;
const EAFNOSUPPORT: u32 = 0x5_0000 | 97;

/// What the kernel would make of a call, and in how many steps.
fn run(filter: &[Instruction], processor: u32, number: u32, argument: u64) -> (u32, usize) {
    let (mut at, mut value, mut steps) = (0, 0, 0);
    loop {
        let instruction = filter[at];
        steps += 1;
        at += 1;
        let so = match instruction.code {
            0x20 => {
                value = match instruction.k {
                    0 => number,
                    4 => processor,
                    16 => argument as u32,
                    other => panic!("loads from {}", other),
                };
                continue;
            }
            0x06 => return (instruction.k, steps),
            0x15 => value == instruction.k,
            0x35 => value >= instruction.k,
            0x45 => value & instruction.k != 0,
            other => panic!("code {:#x}", other),
        };
        at += usize::from(if so { instruction.if_so } else { instruction.if_not });
    }
}

fn answer(processor: Processor, number: u32, argument: u64) -> u32 {
    run(&program(processor), processor.audit_name, number, argument).0
}

fn number(name: &str) -> u32 {
    CALLS.iter().find(|call| call.0 == name).and_then(|call| X86_64.number(call)).unwrap()
}

#[test]
fn what_is_listed_is_refused_and_all_else_passes() {
    for processor in [X86_64, AARCH64] {
        let listed: BTreeMap<u32, Answer> = CALLS.iter().filter_map(|call| Some((processor.number(call)?, call.2))).collect();
        for number in 0..=LAST {
            let said = answer(processor, number, 0);
            match listed.get(&number) {
                None => assert_eq!(said, PASS, "{}", number),
                Some(Answer::Refuse(error)) => assert_eq!(said, 0x5_0000 | error.0 as u32, "{}", number),
                // No flag, no personality but Linux's own; and no family, which is none of those that there are.
                Some(Answer::Ask(Question::OneOf(values, error))) if !values.contains(&0) => {
                    assert_eq!(said, 0x5_0000 | error.0 as u32, "{}", number)
                }
                Some(Answer::Ask(_)) => assert_eq!(said, PASS, "{}", number),
                Some(Answer::Pass) => panic!("{} is listed to pass", number),
            }
        }
    }
}

#[test]
fn each_number_is_that_of_its_name() {
    // As the headers that the agent is compiled beside have them.
    let generic = numbers_in("/usr/include/asm-generic/unistd.h", "__NR3264_");
    let mut columns = vec![(AARCH64, generic)];
    if cfg!(target_arch = "x86_64") {
        columns.push((X86_64, numbers_in("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "__NR_")));
    }
    for (processor, numbers) in columns {
        let known: Vec<_> = CALLS.iter().filter(|call| numbers.contains_key(call.0)).collect();
        // Headers that are older than the youngest, or younger than what was taken out, lack a few.
        assert!(known.len() > 40, "{} of {:?}", known.len(), processor);
        for call in known {
            assert_eq!(processor.number(call), numbers.get(call.0).copied(), "{} on {:?}", call.0, processor);
        }
    }
}

fn numbers_in(path: &str, second_prefix: &str) -> BTreeMap<String, u32> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}, of linux-libc-dev: {}", path, error));
    let number = |line: &str| {
        let mut words = line.strip_prefix("#define ")?.split_whitespace();
        let name = words.next()?;
        let name = name.strip_prefix("__NR_").or_else(|| name.strip_prefix(second_prefix))?;
        Some((name.to_string(), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(number).collect()
}

#[test]
fn a_new_namespace_is_refused_and_a_thread_or_a_process_is_not() {
    const THREAD: u64 = 0x3d_0f00;
    const FORK: u64 = 0x0120_0011;
    for flags in [THREAD, FORK, 17] {
        assert_eq!(answer(X86_64, number("clone"), flags), PASS);
    }
    for namespace in [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(answer(X86_64, number("clone"), FORK | namespace), EPERM);
        assert_eq!(answer(X86_64, number("unshare"), namespace), EPERM);
    }
    assert_eq!(answer(X86_64, number("unshare"), 0x80), EPERM);
    assert_eq!(answer(X86_64, number("unshare"), 0x600), PASS);
    // Its flags are where a filter does not see them: libraries take clone instead.
    assert_eq!(answer(X86_64, number("clone3"), 0), ENOSYS);
}

#[test]
fn of_sockets_there_are_those_that_lead_somewhere() {
    for family in 0..64 {
        let there = [1, 2, 10, 16].contains(&family);
        assert_eq!(answer(X86_64, number("socket"), family), if there { PASS } else { EAFNOSUPPORT }, "{}", family);
    }
}

#[test]
fn a_personality_without_random_addresses_passes_as_debuggers_ask_for_it() {
    for persona in [0, 0x8, 0x4_0000, 0xffff_ffff] {
        assert_eq!(answer(X86_64, number("personality"), persona), PASS);
    }
    assert_eq!(answer(X86_64, number("personality"), 0x40_0000), EPERM);
}

#[test]
fn what_is_younger_than_the_list_is_not_there_and_neither_is_x32() {
    for number in [LAST + 1, 1000, 0x4000_0000, 0x4000_0000 + 39, u32::MAX] {
        assert_eq!(answer(X86_64, number, 0), ENOSYS);
    }
}

#[test]
fn a_program_for_another_processor_is_ended() {
    for number in [0, 11, 39, u32::MAX] {
        assert_eq!(run(&program(X86_64), I386, number, 0).0, KILL);
        assert_eq!(run(&program(X86_64), AARCH64.audit_name, number, 0).0, KILL);
    }
}

#[test]
fn the_way_to_a_number_is_short() {
    for processor in [X86_64, AARCH64] {
        let filter = program(processor);
        assert!(filter.len() < 256, "{} instructions", filter.len());
        let steps: Vec<usize> = (0..=LAST).map(|number| run(&filter, processor.audit_name, number, 0).1).collect();
        let mean = steps.iter().sum::<usize>() as f64 / steps.len() as f64;
        assert!(mean < 11.0 && steps.iter().max() < Some(&17), "{:.1} steps, at most {:?}", mean, steps.iter().max());
    }
}

/// Starts `sh -c script` as a tenant's program is started outside of a microVM, but filtered.
fn filtered(script: &str) -> (Spawned, String) {
    let text = |text: &str| sys::c_string(text).unwrap();
    let (reader, writer) = sys::pipe().unwrap();
    let nothing = File::open("/dev/null").unwrap();
    let process = sys::spawn(&Plan {
        programs: &[text("/bin/sh")],
        arguments: &["sh", "-c", script].map(text),
        environment: &[text("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), text("LC_ALL=C")],
        directories: &[text("/")],
        stdio: [nothing.as_raw_fd(), writer.as_raw_fd(), writer.as_raw_fd()],
        no_new_privileges: true,
        filter: &program(THIS),
        ..Plan::default()
    })
    .map_err(|(step, error)| format!("{:?}: {}", step, error))
    .unwrap();
    drop(writer);
    let mut said = String::new();
    File::from(reader).read_to_string(&mut said).unwrap();
    (process, said)
}

#[test]
fn a_program_runs_filtered_and_so_does_what_it_starts() {
    let (process, said) = filtered("grep Seccomp: /proc/self/status; sh -c 'grep NoNewPrivs /proc/self/status'; echo $((6 * 7))");
    assert_eq!(said, "Seccomp:\t2\nNoNewPrivs:\t1\n42\n");
    while sys::wait(&process.pidfd, false).unwrap().is_none() {}
    assert_eq!(sys::wait(&process.pidfd, true), Ok(Some(Ended::Exit(0))));
}

#[test]
fn the_kernel_refuses_what_the_filter_refuses() {
    let (process, said) = filtered("unshare -U true; mount -t tmpfs none /mnt; setarch -R echo as it was");
    sys::bury(&process.pidfd).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].contains("unshare failed: Operation not permitted"), "{}", said);
    assert!(lines[1..].iter().any(|line| line.contains("mount") && !line.contains("as it was")), "{}", said);
    assert_eq!(lines.last(), Some(&"as it was"));
}
