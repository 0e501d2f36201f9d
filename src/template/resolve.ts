/** From what a user says of a template to one with every default filled in, or to the reason why it cannot be. */

import { resolve } from 'node:path'
import { z } from 'zod'
import { assertValid, environment, plainText, port, whole } from '../common/validate.ts'
import { WarmcellError } from '../errors.ts'
import { parseReference } from '../image/index.ts'
import { isImage, type Template, type TemplateRoot, type TemplateSpec, unprivilegedUser } from './template.ts'

const nonEmpty = plainText.refine((text) => text !== '', 'it is empty')
const argv = z
  .array(plainText, { error: 'expected a program and its arguments' })
  .refine((words) => (words[0] ?? '') !== '', 'the program is missing')
const warmCount = whole(0, 100_000, 'clones')

const specSchema = z.strictObject({
  root: z
    .union(
      [
        z.literal('base'),
        z.strictObject({ hostPath: nonEmpty }),
        z.strictObject({ oci: nonEmpty, pull: z.enum(['missing', 'always'], "expected 'missing' or 'always'").optional() }),
      ],
      { error: "expected 'base', { oci } or { hostPath }" },
    )
    .optional(),
  resources: z
    .strictObject({
      vcpus: whole(1, 16, 'vCPUs').optional(),
      memoryMib: whole(96, 65_536, 'MiB').optional(),
      diskMib: whole(1, 65_536, 'MiB').optional(),
      pids: whole(8, 32_768, 'processes').optional(),
    })
    .optional(),
  env: environment.optional(),
  user: plainText.optional(),
  cwd: plainText.optional(),
  setup: z.array(nonEmpty, { error: 'expected a list of commands' }).optional(),
  start: z.union([nonEmpty, argv, z.tuple([])], { error: 'expected a command, or a program and its arguments' }).optional(),
  ready: z
    .union(
      [
        z.strictObject({ port }),
        z.strictObject({ exec: argv }),
        z.strictObject({ file: plainText.refine((path) => path.startsWith('/'), 'expected an absolute path') }),
      ],
      { error: 'expected one of { port }, { exec } and { file }' },
    )
    .optional(),
  interpreters: z
    .record(z.string().regex(/^[a-z][a-z0-9+#-]{0,31}$/, 'a language is 1 to 32 of a-z 0-9 + # -'), z.strictObject({ port }))
    .optional(),
  warm: z
    .union(
      [
        warmCount,
        z.strictObject({ min: warmCount, max: warmCount }).refine(({ min, max }) => min <= max, 'expected min to be at most max'),
      ],
      {
        error: 'expected a whole number of clones, or { min, max }',
      },
    )
    .optional(),
  sharing: z.enum(['global', 'tenant', 'none'], { error: "expected 'global', 'tenant' or 'none'" }).optional(),
})

/** @throws `INVALID_ARGUMENT` naming the template and the field. */
export function resolveTemplate(name: string, spec: TemplateSpec): Template {
  assertValid(specSchema, spec, `template '${name}'`)
  const { root = 'base', resources = {}, env = {}, user, cwd = '', warm = 0, sharing = 'global' } = spec
  const { vcpus = 1, memoryMib = 256, pids = 512 } = resources
  const { diskMib = Math.floor(memoryMib / 2) } = resources
  const resolved = resolveRoot(name, root)
  const template: Template = {
    name,
    root: resolved,
    resources: { vcpus, memoryMib, diskMib, pids },
    env,
    user: user ?? defaultUser(root),
    cwd,
    setup: spec.setup ?? [],
    // An empty one says something only where an image would start something by itself.
    start: spec.start?.length === 0 && !isImage(resolved) ? undefined : spec.start,
    ready: spec.ready,
    interpreters: { ...spec.interpreters },
    warm: typeof warm === 'number' ? { min: warm, max: warm } : warm,
    sharing,
  }
  assertFits(template)
  return template
}

function resolveRoot(name: string, root: NonNullable<TemplateSpec['root']>): TemplateRoot {
  if (root === 'base') return root
  if ('hostPath' in root) return { hostPath: resolve(root.hostPath) }
  try {
    parseReference(root.oci)
  } catch (cause) {
    throw new WarmcellError('INVALID_ARGUMENT', `template '${name}': ${(cause as Error).message}`, { cause })
  }
  return { oci: root.oci, pull: root.pull ?? 'missing' }
}

function defaultUser(root: NonNullable<TemplateSpec['root']>): string {
  if (root === 'base') return 'user'
  return 'oci' in root ? '' : unprivilegedUser
}

/** Every template of a pool, by name; `base` is always among them. @throws `INVALID_ARGUMENT` naming the template and the field. */
export function resolveTemplates(specs: Readonly<Record<string, TemplateSpec>>): Map<string, Template> {
  return new Map(Object.entries({ base: {}, ...specs }).map(([name, spec]) => [name, resolveTemplate(name, spec)]))
}

/** What is right by itself and does not go together. */
function assertFits({ name, root, resources, setup, start, ready, interpreters, warm, sharing }: Template): void {
  const { diskMib, memoryMib } = resources
  const refuse = (what: string, hint: string): never => {
    throw new WarmcellError('INVALID_ARGUMENT', `template '${name}': ${what}.`, { hint })
  }
  if (diskMib > memoryMib) {
    refuse(
      `diskMib (${diskMib}) is more than memoryMib (${memoryMib})`,
      "The writable layer lives in the guest's memory: raise memoryMib as well.",
    )
  }
  const mayStart = start === undefined ? isImage(root) : start.length > 0
  if (ready !== undefined && !mayStart && setup.length === 0) {
    refuse('there is nothing to be `ready`', 'Give it a `start` or a `setup`, or leave `ready` out.')
  }
  if (!mayStart && Object.keys(interpreters).length > 0) {
    refuse('nothing could answer at the ports of its `interpreters`', 'Give it a `start` that leaves them running.')
  }
  if (sharing === 'global') return
  if (warm.max > 0) {
    refuse(
      `sharing '${sharing}' has no warm stock`,
      "A clone that waits is taken by any tenant: leave `warm` out, or share the snapshot ('global').",
    )
  }
  if (sharing === 'none' && (setup.length > 0 || (start?.length ?? 0) > 0 || ready !== undefined)) {
    refuse(
      "sharing 'none' has no `setup`, `start` or `ready`",
      "Every sandbox boots by itself, and would run them before each first command: put what they make into the root image, or use 'tenant'.",
    )
  }
}
