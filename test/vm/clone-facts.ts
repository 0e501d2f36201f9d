/** What must be a clone's own, asked from inside. */

/** One line for each thing. The last is where the kernel put a stack: ASLR. */
export const cloneFacts: string = [
  'head -c 16 /dev/urandom | od -An -tx1',
  'cat /proc/sys/kernel/random/uuid /proc/sys/kernel/random/boot_id /etc/machine-id /run/warmcell/generation-id',
  'hostname',
  'grep stack /proc/self/maps',
].join('; ')

/** How many lines they are. */
export const cloneFactLines = 7
