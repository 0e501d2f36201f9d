/** The last link before a program: it waits for a word of the host, so that nothing begins for a host that has died meanwhile. */

import { firstDescriptor, type Launch, type Launched } from './launcher.ts'

/**
 * A shell that reads a line from the launch's gate and then becomes the program; at the end of the pipe, which is the host's, it ends. It reads byte by byte: what comes behind the
 * line is the program's.
 *
 * @param shell the command that runs a POSIX shell
 */
export function gateWords(shell: readonly string[] | undefined, { gate }: Launch): string[] {
  if (shell === undefined || gate === undefined) return []
  return [...shell, '-c', `read -r _ <&${firstDescriptor + gate} && exec "$@"`, 'gate']
}

/** To be called when everything that ends the program with its host is in place. */
export function openGate(launched: Pick<Launched, 'pipes'>, { gate }: Launch): void {
  if (gate !== undefined) launched.pipes[gate]?.write('\n')
}
