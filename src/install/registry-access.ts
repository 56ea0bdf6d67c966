import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { SluiceError, systemClock } from '../base/mod.ts';
import {
  type CertificateAuthorities,
  findCredentials,
  type OpenImageOptions,
  parseImageReference,
  registryAuthFiles,
} from '../oci/mod.ts';

/** The certificates in `files`, by host. Throws `CONFIG_INVALID` for a file that cannot be read. */
export async function readAuthorities(
  files: Readonly<Record<string, string>>,
): Promise<CertificateAuthorities> {
  const authorities: Record<string, string> = {};
  for (const [host, path] of Object.entries(files)) {
    authorities[host] = await readFile(path, 'utf8').catch((cause: unknown) => {
      const what = `registries.ca: ${host}: ${path}: it cannot be read`;
      throw new SluiceError('CONFIG_INVALID', what, { cause });
    });
  }
  return authorities;
}

/** What whoever runs this process has for an image's registry, and the settings' certificates. */
export async function operatorsAccess(
  imageUri: string,
  registryCa: Readonly<Record<string, string>>,
): Promise<Pick<OpenImageOptions, 'credentials' | 'certificateAuthorities'>> {
  const reference = parseImageReference(imageUri);
  if (reference.kind !== 'registry') return {};
  const files = registryAuthFiles(process.env, homedir());
  const credentials = await findCredentials(reference, files, systemClock);
  const certificateAuthorities = await readAuthorities(registryCa);
  return { certificateAuthorities, ...(credentials && { credentials }) };
}
