//! The filter that every system call of a tenant's programs goes through, as a program for the kernel: made once, at boot.
//!
//! The kernel runs it over each of its numbers when it is put on a process, and remembers which always pass; so it is a search tree over the
//! numbers, ten steps to most of them, where a list would be sixty.

mod calls;

use crate::errno::Errno;
use crate::sys::Instruction;
pub use calls::{Call, CALLS, LAST, NONE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Pass,
    Refuse(Errno),
    /// It depends on the first argument.
    Ask(Question),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Passes with none of these bits; EPERM otherwise.
    NoneOf(u32),
    /// Passes with one of these values.
    OneOf(&'static [u32], Errno),
}

/// What the kernel calls the processor, and which of a call's numbers is its.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    pub audit_name: u32,
    column: usize,
}

pub const X86_64: Processor = Processor { audit_name: 0xc000_003e, column: 0 };
pub const AARCH64: Processor = Processor { audit_name: 0xc000_00b7, column: 1 };
pub const THIS: Processor = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };

impl Processor {
    pub fn number(&self, call: &Call) -> Option<u32> {
        Some(call.1[self.column]).filter(|&number| number != NONE)
    }
}

// Of struct seccomp_data: number, processor, instruction pointer, arguments of 8 bytes. Of the first argument all that is asked about is in
// its lower half, and the kernel itself looks at no more of it.
const NUMBER_AT: u32 = 0;
const PROCESSOR_AT: u32 = 4;
const ARGUMENT_AT: u32 = 16;

const LOAD: u16 = 0x20;
const IS_EQUAL: u16 = 0x15;
const IS_AT_LEAST: u16 = 0x35;
const HAS_BITS: u16 = 0x45;
const RETURN: u16 = 0x06;

const PASS: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000;
/// The whole process, by SIGSYS: a program for another processor than the machine's, such as one of 32 bits, gets nowhere by being told no.
const KILL: u32 = 0x8000_0000;

/// Of numbers from here to the next one's.
type Range = (u32, Answer);

pub fn program(processor: Processor) -> Vec<Instruction> {
    let mut code = vec![step(LOAD, PROCESSOR_AT), branch(IS_EQUAL, processor.audit_name, 1, 0), step(RETURN, KILL), step(LOAD, NUMBER_AT)];
    code.extend(search(&ranges(processor)));
    code
}

/// All numbers, in order, where neighbours with one answer are one.
fn ranges(processor: Processor) -> Vec<Range> {
    let answer_to = |number: u32| CALLS.iter().find(|call| processor.number(call) == Some(number)).map_or(Answer::Pass, |call| call.2);
    let all = (0..=LAST).map(|number| (number, answer_to(number))).chain([(LAST + 1, Answer::Refuse(calls::UNKNOWN))]);
    let mut ranges: Vec<Range> = Vec::new();
    for (number, answer) in all {
        if ranges.last().map_or(true, |(_, before)| *before != answer) {
            ranges.push((number, answer));
        }
    }
    ranges
}

fn search(ranges: &[Range]) -> Vec<Instruction> {
    if let [(_, answer)] = ranges {
        return give(*answer);
    }
    let (lower, upper) = ranges.split_at(ranges.len() / 2);
    let below = search(lower);
    let mut code = vec![branch(IS_AT_LEAST, upper[0].0, below.len(), 0)];
    code.extend(below);
    code.extend(search(upper));
    code
}

fn give(answer: Answer) -> Vec<Instruction> {
    let refuse = |error: Errno| step(RETURN, REFUSE | error.0 as u32);
    match answer {
        Answer::Pass => vec![step(RETURN, PASS)],
        Answer::Refuse(error) => vec![refuse(error)],
        Answer::Ask(Question::NoneOf(bits)) => {
            vec![step(LOAD, ARGUMENT_AT), branch(HAS_BITS, bits, 1, 0), step(RETURN, PASS), refuse(crate::errno::EPERM)]
        }
        Answer::Ask(Question::OneOf(values, error)) => {
            let mut code = vec![step(LOAD, ARGUMENT_AT)];
            // To the end, past the values that follow and the refusal.
            code.extend(values.iter().enumerate().map(|(at, &value)| branch(IS_EQUAL, value, values.len() - at, 0)));
            code.extend([refuse(error), step(RETURN, PASS)]);
            code
        }
    }
}

fn step(code: u16, k: u32) -> Instruction {
    Instruction { code, if_so: 0, if_not: 0, k }
}

/// So many instructions are left out if it is so, or if not. The kernel has a byte for it.
fn branch(code: u16, k: u32, if_so: usize, if_not: usize) -> Instruction {
    let byte = |count: usize| u8::try_from(count).unwrap_or_else(|_| panic!("a branch of the filter is {} instructions long", count));
    Instruction { code, if_so: byte(if_so), if_not: byte(if_not), k }
}
