/** Container images as roots, put together from the parts of this host. */

import { cacheDirectory, type Registries, RootImages, registriesOfEnvironment } from '../image/index.ts'

/** @throws `INVALID_ARGUMENT` when `WARMCELL_REGISTRIES` names no such file. */
export async function rootImages(registries: Registries | undefined): Promise<RootImages> {
  return new RootImages({ cacheDirectory: cacheDirectory(), registries: registries ?? (await registriesOfEnvironment()) })
}
