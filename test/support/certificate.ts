/** A key, and a certificate that it has signed itself, for 127.0.0.1 and for a name that nobody has. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Scratch } from './scratch.ts'

/** No resolver knows it: RFC 6761. */
export const nowhereName = 'registry.test'

export interface Certificate {
  readonly keyPath: string
  readonly certificatePath: string
}

export async function makeCertificate(scratch: Scratch): Promise<Certificate> {
  const [keyPath, certificatePath] = [scratch.join('key.pem'), scratch.join('certificate.pem')]
  const names = ['-subj', '/CN=test', '-addext', `subjectAltName=IP:127.0.0.1,DNS:${nowhereName}`, '-days', '1']
  const curve = ['-newkey', 'rsa:2048', '-nodes', '-keyout', keyPath, '-out', certificatePath]
  await promisify(execFile)('openssl', ['req', '-x509', ...names, ...curve])
  return { keyPath, certificatePath }
}
