/** One layer's tar file as it comes out of its blob: bounded, and checked against its digest at its end. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { WarmcellError } from '../../errors.ts'
import type { PulledLayer } from '../oci/contract.ts'
import { Refusal } from '../tar/index.ts'
import type { Tools } from '../tool.ts'
import type { LayerLimits } from './limits.ts'

/** Read, and unpacked, at a time: 0.2 ms of the event loop with its digest. */
const pieceBytes = 131_072

/** What zstd may look back in what it has unpacked: its own default, which anything that is not packed for long ranges keeps to. */
const zstdWindowMib = 128

/** The whole of it: the window, and its own. */
const zstdMemoryMib = 2 * zstdWindowMib

/**
 * The tar file, piece by piece.
 *
 * @param onRead told of each so many bytes of the blob
 * @throws {@link Refusal} when it unpacks to too much, or to something else than its digest says
 */
export async function* unpacked(
  layer: PulledLayer,
  limits: LayerLimits,
  tools: Tools,
  onRead: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  const free = Math.max(limits.unpackedBytesFree, layer.sizeBytes * limits.compressionRatioMax)
  const digest = createHash('sha256')
  let bytes = 0
  for await (const piece of streams[layer.compression](readBlob(layer.hostPath, onRead), tools)) {
    bytes += piece.length
    if (bytes > limits.layerBytesMax) throw new Refusal(`unpacks to more than ${limits.layerBytesMax} bytes`)
    if (bytes > free) throw new Refusal(`unpacks to more than ${limits.compressionRatioMax} times its ${layer.sizeBytes} bytes`)
    digest.update(piece)
    yield piece
  }
  const found = `sha256:${digest.digest('hex')}`
  if (found !== layer.diffId) throw new Refusal(`unpacks to ${found}, and the image says ${layer.diffId}`)
}

async function* readBlob(hostPath: string, onRead: (bytes: number) => void): AsyncGenerator<Buffer, void, void> {
  for await (const piece of createReadStream(hostPath, { highWaterMark: pieceBytes })) {
    onRead((piece as Buffer).length)
    yield piece as Buffer
  }
}

type Unpack = (blob: AsyncGenerator<Buffer, void, void>, tools: Tools) => AsyncIterable<Buffer>

const streams: Readonly<Record<PulledLayer['compression'], Unpack>> = { none: (blob) => blob, gzip: gunzipped, zstd: unzstd }

/** Also of several members, one behind the other. */
function gunzipped(blob: AsyncGenerator<Buffer, void, void>): AsyncIterable<Buffer> {
  const gunzip = createGunzip({ chunkSize: pieceBytes })
  // What goes wrong with either is told to whoever reads the second.
  pipeline(blob, gunzip, () => {})
  return gunzip
}

/** By the program: Node 20 has no zstd. It is a process of its own, so a window of its full size costs this one nothing. */
async function* unzstd(blob: AsyncGenerator<Buffer, void, void>, tools: Tools): AsyncGenerator<Buffer, void, void> {
  const args = ['--decompress', '--stdout', '--quiet', '--no-progress', `--memory=${zstdWindowMib}MB`]
  const tool = await tools.start('zstd', { args, memoryMib: zstdMemoryMib })
  let failed: unknown
  pipeline(blob, tool.stdin, (error) => {
    // That it closed its input before the end, it says itself.
    if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') failed = error
  })
  try {
    for await (const piece of tool.stdout) yield piece as Buffer
    if (failed !== undefined) throw failed
    await tool.ended.catch((cause: unknown) => {
      throw WarmcellError.is(cause) && cause.code === 'IMAGE' ? new Refusal(`is damaged, or no zstd (${cause.message})`) : cause
    })
  } finally {
    await tool.kill()
  }
}
