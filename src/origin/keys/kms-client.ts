import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Clock, limits, SluiceError, withDeadline } from '../../base/mod.ts';

export interface KmsLocation {
  readonly region: string;
  /** For what speaks KMS and is not AWS; `https://kms.<region>.amazonaws.com` when left out. */
  readonly endpoint?: string;
  /** Asked for each call, so that credentials may expire and be renewed. */
  readonly credentials: () => Promise<KmsCredentials>;
}

export interface KmsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The three calls of AWS KMS that a key service makes; blobs are base64. */
export interface KmsClient {
  generateDataKey(request: {
    KeyId: string;
    EncryptionContext: Record<string, string>;
    KeySpec: 'AES_256';
  }): Promise<{ KeyId: string; Plaintext: string; CiphertextBlob: string }>;
  decrypt(request: {
    KeyId: string;
    EncryptionContext: Record<string, string>;
    CiphertextBlob: string;
  }): Promise<{ KeyId: string; Plaintext: string }>;
  reEncrypt(request: {
    SourceKeyId: string;
    SourceEncryptionContext: Record<string, string>;
    DestinationKeyId: string;
    DestinationEncryptionContext: Record<string, string>;
    CiphertextBlob: string;
  }): Promise<{ KeyId: string; CiphertextBlob: string }>;
}

/** What KMS refused, by the name in its answer (KMS API reference, common errors). */
export class KmsRefusal extends Error {
  readonly type: string;
  readonly status: number;

  constructor(type: string, status: number, message: string) {
    super(`${type}: ${message}`);
    this.name = 'KmsRefusal';
    this.type = type;
    this.status = status;
  }
}

/** KMS over its JSON 1.1 protocol, signed with SigV4: three calls need no SDK of their own. */
export function kmsClient(location: KmsLocation, clock: Clock): KmsClient {
  const { region } = location;
  const endpoint = new URL(location.endpoint ?? `https://kms.${region}.amazonaws.com`);
  const signer = new SignatureV4({
    credentials: location.credentials,
    region,
    service: 'kms',
    sha256: Sha256,
  });
  const call = async (operation: string, request: object): Promise<unknown> => {
    const body = JSON.stringify(request);
    const signed = await signer.sign(
      {
        method: 'POST',
        protocol: endpoint.protocol,
        hostname: endpoint.hostname,
        path: '/',
        headers: {
          host: endpoint.host,
          'content-type': 'application/x-amz-json-1.1',
          'x-amz-target': `TrentService.${operation}`,
        },
        body,
      },
      { signingDate: new Date(clock.nowMs()) },
    );
    return await withDeadline(clock, limits.origin.requestMs, `KMS ${operation}`, (signal) =>
      post(endpoint, signed.headers, body, signal),
    );
  };
  return {
    generateDataKey: (request) => call('GenerateDataKey', request) as never,
    decrypt: (request) => call('Decrypt', request) as never,
    reEncrypt: (request) => call('ReEncrypt', request) as never,
  };
}

async function post(
  endpoint: URL,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(endpoint, { method: 'POST', headers, body, signal });
  } catch (error) {
    throw new SluiceError('KEY_SERVICE_UNAVAILABLE', `${endpoint.origin}: KMS did not answer`, {
      cause: error,
    });
  }
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.ok) return answer;
  const type = String(answer['__type'] ?? 'Unknown').replace(/^.*#/, '');
  const message = String(answer['message'] ?? answer['Message'] ?? '');
  throw new KmsRefusal(type, response.status, message);
}
