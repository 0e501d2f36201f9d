/** The moments at which a test may let a fake guest crash or hang. */

/** What a host asks about files. */
export const fileRequests = [
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
] as const

const otherRequests = ['Hello', 'Start', 'Attach', 'SetClock', 'Quiesce', 'Connect', 'AwaitPort', 'Measure', 'Limit'] as const

/** What a host asks of a guest: to load its snapshot, or what the message of that name does (protocol/protocol.md). */
export type FakeStep = 'load' | (typeof fileRequests)[number] | (typeof otherRequests)[number]

const steps: ReadonlySet<string> = new Set<string>([...fileRequests, ...otherRequests])

export function isStep(type: string): type is FakeStep {
  return steps.has(type)
}
