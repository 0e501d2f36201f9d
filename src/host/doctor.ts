/** What this host can run, what it lacks, and the command that mends it. */

import { availableParallelism } from 'node:os'
import { WarmcellError } from '../errors.ts'
import type { Confinement } from './confinement/index.ts'
import { availableMemoryMib } from './memory.ts'
import { type HardwareVerdict, remedy } from './probe.ts'
import type { Reaped } from './reaper.ts'

export interface DoctorReport {
  /** Sandboxes can be created with the isolation that is asked for (`WARMCELL_ISOLATION`, 'hardware' by default). */
  ok: boolean
  /** The best that this host offers: 'hardware' only when a guest booted under the accelerator. */
  isolation: 'hardware' | 'emulated' | 'none'
  checks: DoctorCheck[]
}

export interface DoctorCheck {
  name: string
  status: 'pass' | 'warn' | 'fail'
  detail: string
  /** What to do about it. */
  fix?: string
}

/** Each fact is found by the room that knows it; a rejection is a finding, not a failure of the doctor. */
export interface DoctorFacts {
  readonly wanted: 'hardware' | 'emulated'
  /** The hypervisor's name and version. */
  readonly hypervisor: () => Promise<string>
  /** A sentence about the guest image. */
  readonly guestImage: () => Promise<string>
  /** The programs that make disks of container images: nothing else needs them. */
  readonly imageTools: () => Promise<string>
  readonly hardware: () => Promise<HardwareVerdict>
  /** What holds a microVM's process. */
  readonly confinement: () => Promise<Pick<Confinement, 'held' | 'missing'>>
  readonly stateDirectory: () => Promise<string>
  /** What processes that have ended left on this host. */
  readonly leftBehind: () => Promise<readonly Reaped[]>
  /** What an operator could still do for this host: none of it keeps a sandbox from being created. */
  readonly hardening: () => Promise<DoctorCheck[]>
}

/** The memory a microVM of the default template may take with its hypervisor, in MiB. */
const comfortableMemoryMib = 512

export async function examine(facts: DoctorFacts): Promise<DoctorReport> {
  const hypervisor = await finding('hypervisor', facts.hypervisor)
  const guestImage = await finding('guest image', facts.guestImage)
  const stateDirectory = await finding('state directory', facts.stateDirectory)
  const canRun = hypervisor.status === 'pass' && stateDirectory.status === 'pass'
  const canBoot = canRun && guestImage.status === 'pass'
  const hardware = canBoot ? await accelerator(facts) : undefined
  const checks: DoctorCheck[] = [
    system(),
    hypervisor,
    guestImage,
    await imageTools(facts),
    hardware ?? { name: 'accelerator', status: 'warn', detail: 'Not tried: no guest can be booted yet.' },
    ...(canRun ? await confinement(facts) : []),
    memory(),
    stateDirectory,
    await leftBehind(facts),
    ...(await facts.hardening()),
  ]
  const isolation = !canBoot ? 'none' : hardware?.status === 'pass' ? 'hardware' : 'emulated'
  return { ok: checks.every(({ status }) => status !== 'fail'), isolation, checks }
}

async function finding(name: string, find: () => Promise<string>): Promise<DoctorCheck> {
  try {
    return { name, status: 'pass', detail: await find() }
  } catch (error) {
    const { hint, message } = error as WarmcellError
    const fix = WarmcellError.is(error) ? hint : undefined
    return {
      name,
      status: 'fail',
      detail: fix === undefined ? message : message.replace(` ${fix}`, ''),
      ...(fix !== undefined && { fix }),
    }
  }
}

async function imageTools(facts: DoctorFacts): Promise<DoctorCheck> {
  const found = await finding('image tools', facts.imageTools)
  return found.status === 'fail' ? { ...found, status: 'warn' } : found
}

async function accelerator(facts: DoctorFacts): Promise<DoctorCheck> {
  const verdict = await facts
    .hardware()
    .catch((error: Error): HardwareVerdict => ({ works: false, detail: `It could not be tried: ${error.message}` }))
  const status = verdict.works ? 'pass' : facts.wanted === 'hardware' ? 'fail' : 'warn'
  return { name: 'accelerator', status, detail: verdict.detail, ...(!verdict.works && { fix: remedy(verdict) }) }
}

/** One finding for what holds, and one for each part that does not. */
async function confinement(facts: DoctorFacts): Promise<DoctorCheck[]> {
  const { held, missing } = await facts.confinement()
  const name = 'confinement'
  const holds =
    held.length === 0 ? 'Nothing holds the process of a microVM.' : `The process of a microVM is held by: ${held.join(', ')}.`
  return [
    { name, status: held.length === 0 ? 'warn' : 'pass', detail: holds },
    ...missing.map(({ part, detail, fix }): DoctorCheck => {
      return { name: `${name}: ${part}`, status: 'warn', detail, ...(fix !== undefined && { fix }) }
    }),
  ]
}

const nouns: Readonly<Record<Reaped['kind'], [one: string, many: string]>> = {
  microvm: ['microVM', 'microVMs'],
  entry: ['entry of the journal', 'entries of the journal'],
  template: ['half-made template', 'half-made templates'],
  place: ['place in memory of a state directory that is gone', 'places in memory of state directories that are gone'],
  ticket: ['ticket of a lock', 'tickets of locks'],
  group: ['control group', 'control groups'],
  file: ['half-written file', 'half-written files'],
}

/** Nothing of it stands in the way of a sandbox, and the next pool removes most of it. */
async function leftBehind(facts: DoctorFacts): Promise<DoctorCheck> {
  const name = 'left behind'
  try {
    const counts = new Map<Reaped['kind'], number>()
    for (const { kind } of await facts.leftBehind()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    if (counts.size === 0) return { name, status: 'pass', detail: 'Nothing is left of processes that have ended.' }
    const what = [...counts].map(([kind, count]) => `${count} ${nouns[kind][count === 1 ? 0 : 1]}`).join(', ')
    return { name, status: 'warn', detail: `Processes that have ended left ${what}.`, fix: 'Run `warmcell reap`.' }
  } catch (error) {
    return { name, status: 'warn', detail: `It cannot be looked for: ${(error as Error).message}.` }
  }
}

function system(): DoctorCheck {
  const detail = `${process.platform} ${process.arch}, Node ${process.versions.node}, ${availableParallelism()} cores`
  const known =
    (process.platform === 'linux' || process.platform === 'darwin') && (process.arch === 'x64' || process.arch === 'arm64')
  if (!known) return { name: 'system', status: 'fail', detail, fix: 'Use Linux or macOS on x86-64 or arm64.' }
  const tested = process.platform === 'linux' && process.arch === 'x64'
  return tested
    ? { name: 'system', status: 'pass', detail }
    : { name: 'system', status: 'warn', detail: `${detail}: not yet run on this system` }
}

function memory(): DoctorCheck {
  const availableMib = availableMemoryMib()
  const detail = `${availableMib} MiB are available.`
  if (availableMib >= comfortableMemoryMib) return { name: 'memory', status: 'pass', detail }
  return { name: 'memory', status: 'warn', detail, fix: `Free some: one default microVM may take ${comfortableMemoryMib} MiB.` }
}
