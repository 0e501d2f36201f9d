/** What one pull works with. */

import type { ImageEvent } from './contract.ts'
import type { ImageReference } from './reference.ts'
import type { ImageSource } from './source/contract.ts'
import type { BlobStore } from './store/store.ts'
import type { Timing } from './timing.ts'

export interface Pull {
  /** The reference as it was asked for. */
  readonly asked: string
  readonly reference: ImageReference
  readonly policy: 'missing' | 'always'
  /** In Go's words. */
  readonly architecture: string
  readonly source: ImageSource
  readonly store: BlobStore
  readonly timing: Timing
  readonly signal: AbortSignal
  readonly announce: (event: ImageEvent) => void
}
