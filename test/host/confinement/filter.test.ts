import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { systemCallFilter } from '../../../src/host/confinement/filter.ts'
import { type Architecture, deniedCalls, forkCalls } from '../../../src/host/confinement/system-calls.ts'

const architectures: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }
const [allowed, killed, EPERM, ENOSYS] = [0x7fff_0000, 0x8000_0000, 0x0005_0001, 0x0005_0026]

/** What the kernel would answer, by the few instructions that filters have: Documentation/networking/filter.rst. */
function verdict(program: Buffer, architecture: number, call: number, firstArgument = 0): number {
  const data = new Map([
    [0, call],
    [4, architecture],
    [16, firstArgument],
  ])
  let accumulator = 0
  for (let at = 0; at < program.length / 8; at++) {
    const [code, value] = [program.readUInt16LE(at * 8), program.readUInt32LE(at * 8 + 4)]
    if (code === 0x20) accumulator = data.get(value) as number
    else if (code === 0x06) return value
    else {
      const holds = { 21: accumulator === value, 53: accumulator >= value, 69: (accumulator & value) !== 0 }[code]
      if (holds === undefined) throw new Error(`unknown instruction ${code}`)
      at += program.readUInt8(at * 8 + (holds ? 2 : 3))
    }
  }
  throw new Error('ran over the end')
}

test.each(['x64', 'arm64'] as const)('on %s what is denied fails, and nothing else does', (architecture) => {
  const program = systemCallFilter(architecture)
  const machine = architectures[architecture]
  const denied = new Set<number>(Object.values(deniedCalls[architecture]))
  const { clone, clone3 } = forkCalls[architecture]
  for (let call = 0; call < 600; call++) {
    const wanted = call === clone3 ? ENOSYS : denied.has(call) ? EPERM : allowed
    expect([call, verdict(program, machine, call)]).toEqual([call, wanted])
  }
  // A thread is made with CLONE_VM and others, a child with SIGCHLD; a namespace with any one of its flags.
  for (const flags of [0x3d_0f00, 17]) expect(verdict(program, machine, clone, flags)).toBe(allowed)
  for (const flag of [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]) {
    expect(verdict(program, machine, clone, flag | 17)).toBe(EPERM)
  }
  for (const foreign of [0x4000_0003, 0x4000_0028, 0]) expect(verdict(program, foreign, 39)).toBe(killed)
  expect(verdict(program, machine, 0x4000_0000 + 39)).toBe(killed)
})

/** The kernel's own tables, where the machine has its headers. */
const headers = { x64: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h', arm64: '/usr/include/asm-generic/unistd.h' } as const

test.for(['x64', 'arm64'] as const)('the numbers of %s are those of the kernel’s headers', (architecture, context) => {
  const header = headers[architecture]
  if (!existsSync(header)) context.skip(`${header} is not installed`)
  const text = readFileSync(header, 'utf8')
  for (const [name, number] of Object.entries({ ...deniedCalls[architecture], ...forkCalls[architecture] })) {
    // Newer than the headers, perhaps.
    const known = new RegExp(`^#define __NR3?_?${name}\\s+(\\d+)$`, 'm').exec(text)?.[1]
    if (known !== undefined || number < 424) expect([name, Number(known)]).toEqual([name, number])
  }
})
