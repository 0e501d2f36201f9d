/** `pull-image CACHE HOST REFERENCE [https]`: pulls, and says how far it is and which image it has. */

import { pullImage } from '../../src/image/oci/index.ts'

const [cacheDirectory = '', host = '', reference = '', scheme = 'http'] = process.argv.slice(2)

const { digest } = await pullImage(reference, {
  cacheDirectory,
  architecture: 'x64',
  registries: { [host]: { plainHttp: scheme === 'http' } },
  onEvent: (event) => process.stdout.write(`${event.type} ${'doneBytes' in event ? event.doneBytes : ''}\n`),
})
process.stdout.write(`${digest}\n`)
