/** From a template to what the hypervisor is asked for. */

import type { Isolation, VmSpec } from '../hypervisor/index.ts'
import { type GuestImage, rootFormatOf } from '../image/index.ts'
import { isImage, type Template } from './template.ts'

/**
 * The spec of one microVM of this template. The agent reads what is its to do from the kernel's command line.
 *
 * @throws `IMAGE` when the template's disk image cannot be used.
 */
export async function planBoot(template: Template, image: GuestImage, isolation: Isolation, id: string): Promise<VmSpec> {
  const { root, resources } = template
  if (isImage(root)) throw new Error(`${root.oci} is not on this host yet`)
  const hostRootPath = root === 'base' ? image.hostBaseRootPath : root.hostPath
  const format = root === 'base' ? 'erofs' : await rootFormatOf(root.hostPath)
  return {
    id,
    isolation,
    vcpus: resources.vcpus,
    memoryMib: resources.memoryMib,
    hostKernelPath: image.hostKernelPath,
    hostInitramfsPath: image.hostInitramfsPath,
    hostRootPath,
    acpi: image.acpi,
    kernelArguments: [
      ...image.kernelArguments,
      `warmcell.rootfs=${format}`,
      `warmcell.disk_mib=${resources.diskMib}`,
      `warmcell.pids=${resources.pids}`,
    ],
  }
}
