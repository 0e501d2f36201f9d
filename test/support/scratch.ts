/** A directory of one test's own, gone when the test is over. */

import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export class Scratch implements Disposable {
  readonly hostPath: string = mkdtempSync(join(tmpdir(), 'warmcell-test-'))

  join(name: string): string {
    return join(this.hostPath, name)
  }

  /** Writes a file, and makes the directories it is in; returns its path. */
  file(name: string, content: string | Uint8Array, mode = 0o644): string {
    mkdirSync(dirname(this.join(name)), { recursive: true })
    writeFileSync(this.join(name), content, { mode })
    return this.join(name)
  }

  /** Writes a shell script that can be run; returns its path. */
  script(name: string, text: string): string {
    return this.file(name, `#!/bin/sh\n${text}\n`, 0o755)
  }

  [Symbol.dispose](): void {
    // What is sealed against writing has to be opened first, also by its owner.
    for (const entry of readdirSync(this.hostPath, { recursive: true, withFileTypes: true }))
      if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700)
    rmSync(this.hostPath, { recursive: true, force: true })
  }
}
