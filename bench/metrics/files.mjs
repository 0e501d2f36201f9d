// T13: files into a guest and out of it: one large one as bytes, and a tree of small ones.
import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { elapsedMs, takeTurns } from '../turns.mjs'
import { exercise, template, withPools } from '../warmcell.mjs'

const bytesPerMib = 1_048_576
const pieceBytes = 65_536

/** What fits the writable layer of a guest of 128 MiB twice: the new file and, until it is replaced, the old one. */
const fileMib = 24

/** A small project. */
const tree = { directories: 20, filesEach: 10, fileBytes: 2_000 }

export const files = {
  id: 'T13',
  title: 'files both ways',
  how: `a file of ${fileMib} MiB written from and read into a stream of 64 KiB pieces; a tree of ${tree.directories * tree.filesEach} files of ${tree.fileBytes} bytes uploaded and downloaded. \`spawn\` is cat on the host, into a file and out of it, through pipes`,
  measure: ({ plan, flavours, contenders }) =>
    withPools(flavours, {}, async (pools) => {
      const hostDirectory = await mkdtemp(join(tmpdir(), 'warmcell-bench-files-'))
      try {
        const hostTree = await makeTree(join(hostDirectory, 'tree'))
        const turns = []
        for (const { subject, pool } of pools) {
          const sandbox = await pool.createSandbox({ template })
          await exercise(sandbox)
          turns.push({ subject, run: () => transfers(sandbox, hostTree, join(hostDirectory, 'back')) })
        }
        const host = contenders
          .of('spawn')
          .map(({ name }) => ({ subject: name, run: () => hostRates(join(hostDirectory, 'file')) }))
        return {
          series: await takeTurns([...turns, ...host], {
            rounds: plan.longRounds,
            units: { write: 'MiB/s', read: 'MiB/s' },
            better: { write: 'higher', read: 'higher' },
          }),
        }
      } finally {
        await rm(hostDirectory, { recursive: true, force: true })
      }
    }),
}

async function transfers(sandbox, hostTree, hostBack) {
  const write = await rate(() => sandbox.files.write('/srv/large', pieces()))
  const read = await rate(async () => {
    for await (const _ of await sandbox.files.read('/srv/large', { format: 'stream' }));
  })
  const upload = await elapsedMs(() => sandbox.files.upload(hostTree, '/srv/tree'))
  const download = await elapsedMs(() => sandbox.files.download('/srv/tree', hostBack))
  await Promise.all([
    sandbox.files.remove('/srv/tree', { recursive: true }),
    sandbox.files.remove('/srv/large'),
    rm(hostBack, { recursive: true }),
  ])
  return { write, read, 'upload of a tree': upload, 'download of a tree': download }
}

async function hostRates(hostPath) {
  const write = await rate(() => {
    const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    return Promise.all([pipeline(pieces(), cat.stdin), pipeline(cat.stdout, createWriteStream(hostPath))])
  })
  const read = await rate(async () => {
    const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] })
    cat.stdout.resume()
    await pipeline(createReadStream(hostPath), cat.stdin)
  })
  return { write, read }
}

async function rate(work) {
  return fileMib / ((await elapsedMs(work)) / 1_000)
}

async function* pieces() {
  const piece = Buffer.alloc(pieceBytes, 'warmcell ')
  for (let i = 0; i < (fileMib * bytesPerMib) / pieceBytes; i++) yield piece
}

async function makeTree(hostPath) {
  for (let i = 0; i < tree.directories; i++) {
    const hostDirectory = join(hostPath, `directory-${i}`)
    await mkdir(hostDirectory, { recursive: true })
    for (let j = 0; j < tree.filesEach; j++)
      await writeFile(join(hostDirectory, `file-${j}`), Buffer.alloc(tree.fileBytes, `${i} ${j} `))
  }
  return hostPath
}
