import { type ErrorCode, SluiceError } from '../../base/mod.ts';
import type {
  DataKeyContext,
  GeneratedDataKey,
  KeyService,
  WrappedDataKey,
} from '../../seal/mod.ts';
import { type KmsClient, KmsRefusal } from './kms-client.ts';

const CODES: Readonly<Record<string, [ErrorCode, string]>> = {
  NotFoundException: ['KEY_NOT_FOUND', 'KMS has no such key'],
  DisabledException: ['KEY_DISABLED', 'the key is disabled; enable it in KMS'],
  KMSInvalidStateException: ['KEY_DISABLED', 'the key is pending deletion or not ready'],
  InvalidCiphertextException: ['KEY_DENIED', 'the data key was wrapped for something else'],
  IncorrectKeyException: ['KEY_DENIED', 'the data key was wrapped by another key'],
  AccessDeniedException: ['KEY_DENIED', 'KMS does not let these credentials use the key'],
};

/**
 * Data keys wrapped by AWS KMS, one KMS key an account, with the account and the manifest as
 * encryption context: KMS itself refuses to unwrap a key for another manifest. `keyOf` answers an
 * account's key as id, ARN or alias; rotating means answering another one and rewrapping.
 */
export class KmsKeyService implements KeyService {
  readonly #client: KmsClient;
  readonly #keyOf: (accountId: string) => string;

  constructor(client: KmsClient, keyOf: (accountId: string) => string) {
    this.#client = client;
    this.#keyOf = keyOf;
  }

  async generateDataKey(context: DataKeyContext): Promise<GeneratedDataKey> {
    const KeyId = this.#keyOf(context.accountId);
    const EncryptionContext = encryptionContext(context);
    const answer = await named(KeyId, () =>
      this.#client.generateDataKey({ KeyId, EncryptionContext, KeySpec: 'AES_256' }),
    );
    return {
      keyId: answer.KeyId,
      plaintext: Buffer.from(answer.Plaintext, 'base64'),
      wrapped: Buffer.from(answer.CiphertextBlob, 'base64'),
    };
  }

  async unwrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<Buffer> {
    const request = {
      KeyId: key.keyId,
      EncryptionContext: encryptionContext(context),
      CiphertextBlob: key.wrapped.toString('base64'),
    };
    const { Plaintext } = await named(key.keyId, () => this.#client.decrypt(request));
    return Buffer.from(Plaintext, 'base64');
  }

  /** The data key never leaves KMS. */
  async rewrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<WrappedDataKey> {
    const request = {
      SourceKeyId: key.keyId,
      SourceEncryptionContext: encryptionContext(context),
      DestinationKeyId: this.#keyOf(context.accountId),
      DestinationEncryptionContext: encryptionContext(context),
      CiphertextBlob: key.wrapped.toString('base64'),
    };
    const answer = await named(key.keyId, () => this.#client.reEncrypt(request));
    return { keyId: answer.KeyId, wrapped: Buffer.from(answer.CiphertextBlob, 'base64') };
  }
}

function encryptionContext({ accountId, manifestId }: DataKeyContext): Record<string, string> {
  return { 'sluice:account': accountId, 'sluice:manifest': manifestId };
}

/** Turns what KMS refuses into our errors, which name the key. */
async function named<T>(keyId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KmsRefusal)) throw error;
    const [code, meaning] = CODES[error.type] ?? [
      error.status >= 500 || error.status === 429 ? 'KEY_SERVICE_UNAVAILABLE' : 'KEY_DENIED',
      'KMS refused',
    ];
    throw new SluiceError(code, `${keyId}: ${meaning} (${error.message})`, {
      data: { keyId, kmsError: error.type },
      cause: error,
    });
  }
}
