/** Starting a hypervisor as it is: a child of this process and of its user, held by nothing but its parent's life. */

import { startChild, withFiles } from './child.ts'
import { gateWords, openGate } from './gate.ts'
import type { Launcher } from './launcher.ts'
import { findProgram } from './program.ts'

/**
 * Where util-linux's setpriv is, the kernel ends the program when the thread that started it ends (prctl PR_SET_PDEATHSIG): that is the host being killed, or the
 * worker thread a pool lives in ending.
 */
export async function directLauncher(): Promise<Launcher> {
  const setpriv = process.platform === 'linux' ? await findProgram('setpriv') : undefined
  const shell = await findProgram('sh')
  const wrapper = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']
  return {
    launch: (launch) =>
      withFiles(launch, async () => {
        const gate = gateWords(shell === undefined ? undefined : [shell], launch)
        const launched = await startChild([...wrapper, ...gate, launch.program.hostPath, ...launch.args], launch)
        openGate(launched, launch)
        return launched
      }),
  }
}
