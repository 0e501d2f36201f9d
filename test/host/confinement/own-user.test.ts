import { chmodSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { groupsOf } from '../../../src/host/confinement/own-user.ts'
import { Scratch } from '../../support/scratch.ts'

test('a device that its group may use gives that group, one that all may use none, and its owner’s alone is refused with what to do', async () => {
  using scratch = new Scratch()
  const device = scratch.file('kvm', '')
  chmodSync(device, 0o660)
  expect(await groupsOf([device])).toEqual([statSync(device).gid])
  chmodSync(device, 0o666)
  expect(await groupsOf([device])).toEqual([])
  chmodSync(device, 0o600)
  await expect(groupsOf([device])).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED', hint: expect.stringContaining('chmod 660') })
})
