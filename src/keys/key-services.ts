import { SluiceError, systemClock, systemRandom } from '../base/mod.ts';
import type { DataDirectory, KeySettings } from '../config/mod.ts';
import { KmsKeyService, kmsClient, LocalKeyService } from '../origin/mod.ts';
import type { KeyService } from '../seal/mod.ts';

const AWS_VARIABLES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const;

/** The environment of a process that opens the key service: nothing of ours except access to KMS. */
export function keyEnvironment({ kind }: KeySettings): NodeJS.ProcessEnv {
  const given = kind === 'kms' ? AWS_VARIABLES.filter((name) => process.env[name]) : [];
  return Object.fromEntries(given.map((name) => [name, process.env[name]]));
}

function environmentCredentials() {
  const accessKeyId = process.env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = process.env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = process.env['AWS_SESSION_TOKEN'];
  if (!accessKeyId || !secretAccessKey) {
    throw new SluiceError(
      'KEY_DENIED',
      'KMS: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

/** Who keeps the accounts' keys: files of the data directory, or AWS KMS. */
export function openKeyService(settings: KeySettings, data: DataDirectory): KeyService {
  if (settings.kind === 'local') return openLocalKeys(data);
  const { region, endpoint, keys } = settings;
  const client = kmsClient(
    { region, ...(endpoint && { endpoint }), credentials: async () => environmentCredentials() },
    systemClock,
  );
  return new KmsKeyService(client, (accountId) => {
    const key = keys[accountId] ?? keys['default'];
    if (key !== undefined) return key;
    throw new SluiceError('KEY_NOT_FOUND', `${accountId}: no KMS key is set; see keys.keys`);
  });
}

/** The data directory's own keys; it also keeps the region's deduplication secret. */
export function openLocalKeys(data: DataDirectory): LocalKeyService {
  return new LocalKeyService(data.keys, systemClock, systemRandom);
}
