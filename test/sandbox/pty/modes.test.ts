import { expect, test } from 'vitest'
import { Modes } from '../../../src/sandbox/pty/modes.ts'

function after(...pieces: string[]): string {
  const modes = new Modes()
  for (const piece of pieces) modes.note(Buffer.from(piece))
  return modes.sequence()
}

test('the last switch of each mode is remembered, whatever else was printed, and screens come first', () => {
  expect(after('text\x1b[?25l more \x1b[?2004h\x1b[?1049h\x1b[31mred\x1b[?25h')).toBe('\x1b[?1049h\x1b[?25h\x1b[?2004h')
  expect(after('\x1b[?1;1006h', '\x1b[?1l')).toBe('\x1b[?1l\x1b[?1006h')
  expect(after('nothing')).toBe('')
})

test('a reset forgets them', () => {
  expect(after('\x1b[?1049h\x1bc\x1b[?7l')).toBe('\x1b[?7l')
})

test('a switch that is cut anywhere is found, and once', () => {
  const all = 'before\x1b[?1049;25hafter\x1bc\x1b[?2004hend'
  for (let first = 0; first <= all.length; first++)
    for (let second = first; second <= all.length; second += 3)
      expect(after(all.slice(0, first), all.slice(first, second), all.slice(second))).toBe('\x1b[?2004h')
  const switches = 'x\x1b[?25ly'
  for (let at = 0; at <= switches.length; at++) expect(after(switches.slice(0, at), switches.slice(at))).toBe('\x1b[?25l')
})

test('what no terminal knows is not remembered, however much of it comes', () => {
  const modes = new Modes()
  for (let mode = 0; mode < 100_000; mode++) modes.note(Buffer.from(`\x1b[?${mode}h`))
  expect(modes.sequence().length).toBeLessThan(200)
  expect(after(`\x1b[?${'1;'.repeat(100_000)}h`)).toBe('')
})
