import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execute } from './device-rig.ts';

export interface NumpyImage {
  /** OCI layout with one layer, tag `latest`. */
  readonly layout: string;
  /** The same, flattened: a plain file with an ext4. */
  readonly disk: string;
}

/** Debian with Python 3 and NumPy, built once a machine (mmdebstrap takes minutes) and kept. */
export async function numpyImage(): Promise<NumpyImage> {
  const kept = join(tmpdir(), 'sluice-bench-numpy');
  const image = { layout: join(kept, 'layout'), disk: join(kept, 'disk.ext4') };
  if (existsSync(kept)) return image;
  const building = `${kept}.building`;
  await rm(building, { recursive: true, force: true });
  await mkdir(building);
  const tar = join(building, 'base.tar');
  const layout = join(building, 'layout');
  const packages = ['--variant=minbase', '--include=python3-numpy', 'bookworm', tar];
  await execute('mmdebstrap', ['--quiet', ...packages]);
  await execute('umoci', ['init', '--layout', layout]);
  await execute('umoci', ['new', '--image', `${layout}:latest`]);
  await execute('umoci', ['raw', 'add-layer', '--image', `${layout}:latest`, tar]);
  const sluice = resolve(import.meta.dirname, '../../bin/sluice');
  const disk = join(building, 'disk.ext4');
  await execute(sluice, ['image', 'flatten', `oci:${layout}:latest`, '--output', disk]);
  await rm(tar);
  await rename(building, kept);
  return image;
}
