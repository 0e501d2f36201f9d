/** How a hypervisor's process comes to run on this host, and what it may reach there: the interface that hypervisors start it through. */

import type { Duplex, Readable, Writable } from 'node:stream'
import type { VmEnd } from './hypervisor.ts'

/** Where a child's inheritance begins: behind its standard streams. */
export const firstDescriptor = 3

/** A program with everything that it needs of the host. What is not named here, one that a guest has taken over need not find. */
export interface Launch {
  /** The microVM, for messages and for the record of what runs. */
  readonly id: string
  /** The program, and the files that belong to it wherever it runs. */
  readonly program: LaunchedProgram
  readonly args: readonly string[]
  /** Whether its standard input and output are its holder's, as pipes. Otherwise they lead nowhere. */
  readonly standard?: boolean
  /** How many two-way pipes it inherits, from {@link firstDescriptor} on. */
  readonly pipes: number
  /**
   * Which of them brings it a line break before all else, once everything is in place that ends it with its host; until then it does not begin, and if its host dies it never does. Of no
   * meaning to it: blank space.
   */
  readonly gate?: number
  /** Files that it inherits, open for reading, from the descriptor behind the pipes on: its own user need not be allowed to open them. */
  readonly opens: readonly string[]
  /** Files that it opens by path, for reading. */
  readonly reads: readonly string[]
  /** New files that it writes. They are made before it starts, and are their holder's once it has ended. */
  readonly writes: readonly string[]
  /** Files that are there, and that it writes: their holder's again once it has ended. */
  readonly updates: readonly string[]
  /** Devices of the host that it opens by path. */
  readonly devices: readonly string[]
  readonly limits: LaunchLimits
}

export interface LaunchedProgram {
  readonly hostPath: string
  /** What it reads of its own installation, such as firmware, by the path that it is told. */
  readonly hostDataPaths: readonly string[]
}

/** More than this it never needs. */
export interface LaunchLimits {
  readonly memoryMib: number
  readonly threads: number
  /** Of processors, in whole ones. */
  readonly cpus: number
  /** Of each file that it writes. */
  readonly fileMib: number
}

/** A program's standard input and output, from the other side. What is left unread in the output is the reader's to end. */
export interface StandardStreams {
  readonly input: Writable
  readonly output: Readable
}

/** A program that runs. Whoever holds it ends it. */
export interface Launched {
  /** Of the program itself, whatever stands between it and this process. */
  readonly pid: number
  readonly pipes: readonly Duplex[]
  /** Where its launch asked for them. */
  readonly standard?: StandardStreams | undefined
  /** Resolves when it has ended and nothing of it is left; never rejects. */
  readonly ended: Promise<VmEnd>
  /** The end of what it has written to its standard error, as it is: it may be hostile. */
  logTail(): string
  /** Ends it when it is `SIGKILL`, stops it or lets it go on otherwise. Nothing happens to one that has ended. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
}

export interface Launcher {
  /**
   * Resolves once the program has been started; that it works is for the caller to see.
   *
   * @throws `BOOT_FAILED` when it could not be started, with what to do; nothing is left behind.
   */
  launch(launch: Launch): Promise<Launched>
}
