import { isSluiceError } from '../base/mod.ts';
import type { CodeObjects, ZipSupport } from '../install/mod.ts';
import type { CodeSource, PackageType } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';
import type { CodeInput } from './function-inputs.ts';
import type { Services } from './services.ts';
import { requireZip } from './zip-archive.ts';

/** What zip functions and layers need; throws where the region has none of it. */
export function zipSupport(services: Services): ZipSupport {
  if (services.zip) return services.zip;
  throw invalidParameter('Functions with packageType Zip are not supported here; use an image.');
}

/**
 * Where the code comes from. An archive is checked and stored now, so that the install finds it
 * whatever happens in between. Throws for a source that does not fit the package type.
 */
export async function resolveSource(
  services: Services,
  accountId: string,
  packageType: PackageType,
  code: CodeInput,
  verb: 'creating' | 'updating',
): Promise<CodeSource> {
  const other = code.ZipFile ?? code.S3Bucket ?? code.S3Key ?? code.S3ObjectVersion;
  if (packageType === 'Zip') {
    if (code.ImageUri !== undefined) {
      throw invalidParameter(
        `Please don't provide ImageUri when ${verb} a function with packageType Zip.`,
      );
    }
    return storeArchive(services, accountId, code);
  }
  if (!code.ImageUri || other !== undefined) {
    throw invalidParameter(
      `Please provide ImageUri when ${verb} a function with packageType Image.`,
    );
  }
  return { kind: 'image', imageUri: code.ImageUri };
}

/** Checks and stores the archive that came with the request, or that it names in S3. */
export async function storeArchive(
  services: Services,
  accountId: string,
  code: Pick<CodeInput, 'ZipFile' | 'S3Bucket' | 'S3Key' | 'S3ObjectVersion'>,
): Promise<CodeSource & { kind: 'zip' }> {
  const { archive, objects } = zipSupport(services);
  const bytes =
    code.ZipFile === undefined
      ? await readObject(objects, code)
      : Buffer.from(code.ZipFile, 'base64');
  if (bytes.length === 0) throw invalidParameter('Uploaded file must be a non-empty zip');
  const unzippedBytes = requireZip(bytes);
  const sha256 = await archive.put(accountId, bytes);
  return { kind: 'zip', sha256, sizeBytes: bytes.length, unzippedBytes };
}

async function readObject(
  objects: CodeObjects | undefined,
  { S3Bucket, S3Key, S3ObjectVersion }: Pick<CodeInput, 'S3Bucket' | 'S3Key' | 'S3ObjectVersion'>,
): Promise<Buffer> {
  if (!S3Bucket || !S3Key) throw invalidParameter('Please provide a source for function code.');
  if (!objects) {
    throw invalidParameter(
      'S3Bucket and S3Key are not supported here: no bucket is configured for code (setting ' +
        'code.s3). Send the archive as ZipFile.',
    );
  }
  try {
    return await objects.read(S3Bucket, S3Key, S3ObjectVersion);
  } catch (error) {
    if (!isSluiceError(error, 'CODE_NOT_FOUND')) throw error;
    const { code, reason } = error.data;
    throw invalidParameter(
      `Error occurred while GetObject. S3 Error Code: ${code}. S3 Error Message: ${reason}`,
    );
  }
}
