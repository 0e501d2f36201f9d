/** The system calls that a hypervisor never needs, as a program for the kernel's filter: pure. */

import { type Architecture, deniedCalls, forkCalls } from './system-calls.ts'

/** One instruction of classic BPF, linux/filter.h: what to do, where to go when true and when false, and a number. */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number]

/** Load a word of what is known of a call; compare; return. BPF_LD+W+ABS, BPF_JMP+(JEQ, JGE, JSET)+K, BPF_RET+K. */
const load = 0x20
const jumpEqual = 0x15
const jumpAtLeast = 0x35
const jumpAnyBit = 0x45
const answer = 0x06

/** Where things are in `struct seccomp_data`, in bytes; of an argument the lower half, which holds all flags. */
const offsets = { number: 0, architecture: 4, firstArgument: 16 } as const

/** linux/seccomp.h: what becomes of a call. */
const allow = 0x7fff_0000
const kill = 0x8000_0000
const failWith = (errno: number): number => 0x0005_0000 | errno

/** errno-base.h and errno.h, the same on both architectures. */
const EPERM = 1
const ENOSYS = 38

/** Any of them makes a namespace: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, and NEWTIME. */
const namespaceFlags = 0x7e02_0080

/** linux/audit.h: a 64-bit little-endian machine of each kind. */
const auditArchitectures: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }

/** Calls of the x32 ABI have this bit: other numbers for the same calls. */
const x32Bit = 0x4000_0000

/**
 * The filter in the kernel's own form (`struct sock_filter`, seccomp(2)). Denied calls fail with EPERM, so that a library that only tries goes another way; a
 * call of another architecture, which would have other numbers, ends the process.
 */
export function systemCallFilter(architecture: Architecture): Buffer {
  const { clone, clone3 } = forkCalls[architecture]
  const program: Instruction[] = [
    [load, 0, 0, offsets.architecture],
    [jumpEqual, 1, 0, auditArchitectures[architecture]],
    [answer, 0, 0, kill],
    [load, 0, 0, offsets.number],
    [jumpAtLeast, 0, 1, x32Bit],
    [answer, 0, 0, kill],
    // Its flags are behind a pointer, where a filter cannot look; told that there is none, every libc goes back to clone.
    ...deny(clone3, ENOSYS),
    ...Object.values(deniedCalls[architecture]).flatMap((number) => deny(number, EPERM)),
    [jumpEqual, 0, 3, clone],
    [load, 0, 0, offsets.firstArgument],
    [jumpAnyBit, 0, 1, namespaceFlags],
    [answer, 0, 0, failWith(EPERM)],
    [answer, 0, 0, allow],
  ]
  const bytes = Buffer.alloc(program.length * instructionBytes)
  for (const [index, [code, whenTrue, whenFalse, value]] of program.entries()) {
    const at = index * instructionBytes
    bytes.writeUInt16LE(code, at)
    bytes.writeUInt8(whenTrue, at + 2)
    bytes.writeUInt8(whenFalse, at + 3)
    bytes.writeUInt32LE(value, at + 4)
  }
  return bytes
}

const instructionBytes = 8

const deny = (number: number, errno: number): Instruction[] => [
  [jumpEqual, 0, 1, number],
  [answer, 0, 0, failWith(errno)],
]
