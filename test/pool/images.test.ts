import { expect, test } from 'vitest'
import { createFakePool } from '../../src/testing/index.ts'

test.each(['global', 'tenant', 'none'] as const)(
  'a template on an image is one with what the image says by the time its sandboxes are there, with sharing %s',
  async (sharing) => {
    await using pool = createFakePool({ templates: { app: { root: { oci: 'example.org/app:1' }, sharing } } })
    const sandbox = await pool.createSandbox({ template: 'app', tenant: 'alice' })
    expect(sandbox.info().origin).toBe(sharing === 'none' ? 'boot' : 'clone')
    // The image of the fake says nothing: nobody in particular, at the home that every disk has.
    expect((await sandbox.exec('pwd; echo $HOME $USER')).stdout).toBe('/home/user\n/home/user user\n')
  },
)

test('a template on an image may take the place of another, and another of it', async () => {
  await using pool = createFakePool({ templates: { app: {} } })
  await pool.updateTemplate('app', { root: { oci: 'example.org/app:2' } })
  expect((await (await pool.createSandbox({ template: 'app' })).exec('echo $LOGNAME')).stdout).toBe('user\n')
  await pool.updateTemplate('app', { sharing: 'none' })
  expect((await pool.createSandbox({ template: 'app' })).info().origin).toBe('boot')
})
