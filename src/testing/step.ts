/** The moments at which a test may let a fake guest crash or hang. */

/** What a host asks of a guest: to load its snapshot, or what the message of that name does (protocol/protocol.md). */
export type FakeStep =
  | 'load'
  | 'Hello'
  | 'Start'
  | 'Attach'
  | 'SetClock'
  | 'Quiesce'
  | 'WriteFile'
  | 'ReadFile'
  | 'Stat'
  | 'List'
  | 'MakeDirectory'
  | 'Rename'
  | 'Remove'
  | 'Watch'
  | 'ReadTree'
  | 'WriteTree'
  | 'Connect'
  | 'AwaitPort'
  | 'Measure'
  | 'Limit'

const steps: ReadonlySet<string> = new Set<FakeStep>([
  'Hello',
  'Start',
  'Attach',
  'SetClock',
  'Quiesce',
  'WriteFile',
  'ReadFile',
  'Stat',
  'List',
  'MakeDirectory',
  'Rename',
  'Remove',
  'Watch',
  'ReadTree',
  'WriteTree',
  'Connect',
  'AwaitPort',
  'Measure',
  'Limit',
])

export function isStep(type: string): type is FakeStep {
  return steps.has(type)
}
