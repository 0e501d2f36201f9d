/** What a template's snapshot depends on, looked up on this host. */

import { cpus } from 'node:os'
import { definedOnly } from '../common/defined.ts'
import { WarmcellError } from '../errors.ts'
import { knownDigest } from '../host/index.ts'
import type { Hypervisor, VmSpec } from '../hypervisor/index.ts'
import type { GuestImage } from '../image/index.ts'
import { formatVersion, type HostInputs, type KeyInputs } from './key.ts'
import { isImage, type Template, type TemplateRoot } from './template.ts'

export function hostInputs(hypervisor: Hypervisor, image: GuestImage): HostInputs {
  return {
    formatVersion,
    architecture: process.arch,
    processor: cpus()[0]?.model ?? 'unknown',
    hypervisor: hypervisor.name,
    guestImage: image.key,
  }
}

/** @throws `IMAGE` when the template's disk image cannot be read. */
export async function keyInputs(
  hypervisor: Hypervisor,
  host: HostInputs,
  template: Template,
  plan: VmSpec,
  tenant: string | undefined,
  signal?: AbortSignal,
): Promise<KeyInputs> {
  const { root, resources, env, user, cwd, setup, start, ready, sharing } = template
  return {
    host,
    isolation: plan.isolation,
    machine: hypervisor.describe(plan),
    root: await rootInput(root, signal),
    resources,
    env: definedOnly(env),
    user,
    cwd,
    setup,
    start: start ?? null,
    ready: ready ?? null,
    tenant: sharing === 'tenant' ? (tenant ?? '') : null,
  }
}

async function rootInput(root: TemplateRoot, signal: AbortSignal | undefined): Promise<KeyInputs['root']> {
  if (root === 'base') return root
  if (isImage(root)) throw new Error(`${root.oci} is not on this host yet`)
  return root.key === undefined ? { sha256: await rootDigest(root.hostPath, signal) } : { image: root.key }
}

async function rootDigest(hostPath: string, signal: AbortSignal | undefined): Promise<string> {
  return knownDigest(hostPath, signal).catch((cause: unknown) => {
    signal?.throwIfAborted()
    throw new WarmcellError('IMAGE', `The disk image ${hostPath} cannot be read: ${(cause as Error).message}.`, { cause })
  })
}
