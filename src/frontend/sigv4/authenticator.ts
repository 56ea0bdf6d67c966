import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Credential, CredentialStore } from '../../accounts/mod.ts';
import { type Clock, limits } from '../../base/mod.ts';
import { ApiError } from '../api-error.ts';
import { type Authorization, readAuthorization } from './authorization.ts';
import { canonicalRequest, type SignedRequest, sha256Hex } from './canonical.ts';
import { SigningKeys } from './signing-keys.ts';

const SERVICE = 'lambda';
const emptyHash = sha256Hex('');
const hexHash = /^[0-9a-f]{64}$/;

const invalid = (message: string) => new ApiError('InvalidSignatureException', message);
const unknownToken = () =>
  new ApiError(
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  );

const mismatch = () =>
  invalid(
    'The request signature we calculated does not match the signature you provided. Check your ' +
      'AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );

/** A caller whose signature is right as far as it can be told before the body has arrived. */
export interface PendingCaller {
  readonly credential: Credential;
  /** True when the signature is verified already and only the body's hash is left to compare. */
  readonly verified: boolean;
  /** Throws when the body is not the one that was signed. */
  finish(body: Buffer): void;
}

/**
 * Verifies AWS Signature Version 4 by making the signature again. The payload has to be signed:
 * `UNSIGNED-PAYLOAD` is refused, since over plain HTTP anybody on the way could change the body.
 */
export class Authenticator {
  readonly #credentials: Pick<CredentialStore, 'find'>;
  readonly #region: string;
  readonly #clock: Clock;
  readonly #keys = new SigningKeys(limits.http.signingKeys);

  constructor(credentials: Pick<CredentialStore, 'find'>, region: string, clock: Clock) {
    this.#credentials = credentials;
    this.#region = region;
    this.#clock = clock;
  }

  /** Checks all that needs no body. Rejects with the API's authentication errors. */
  async begin(request: SignedRequest): Promise<PendingCaller> {
    const authorization = readAuthorization(request);
    const credential = await this.#credentials.find(authorization.accessKeyId);
    if (credential === undefined || credential.disabled === true) throw unknownToken();
    if (authorization.securityToken !== credential.sessionToken) throw unknownToken();
    this.#checkScope(authorization);
    this.#checkTime(authorization);
    checkSignedHeaders(request, authorization);
    const claimed = request.headers['x-amz-content-sha256'];
    if (claimed === undefined) {
      return {
        credential,
        verified: false,
        finish: (body) => {
          const hash = body.length === 0 ? emptyHash : sha256Hex(body);
          this.#verify(request, authorization, credential, hash);
        },
      };
    }
    if (typeof claimed !== 'string' || !hexHash.test(claimed)) {
      throw invalid("'X-Amz-Content-Sha256' must be the SHA-256 of the body in hexadecimal.");
    }
    this.#verify(request, authorization, credential, claimed);
    return {
      credential,
      verified: true,
      finish: (body) => {
        if (sha256Hex(body) !== claimed) throw mismatch();
      },
    };
  }

  #checkScope({ region, service, scopeDate, date }: Authorization): void {
    if (region !== this.#region) {
      throw invalid(`Credential should be scoped to a valid region, not '${region}'.`);
    }
    if (service !== SERVICE) {
      throw invalid(`Credential should be scoped to correct service: '${SERVICE}'.`);
    }
    if (!date.startsWith(scopeDate)) {
      throw invalid(
        'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from ' +
          `HTTP: '${scopeDate}' != '${date.slice(0, 8)}', from '${date}'.`,
      );
    }
  }

  #checkTime({ date, expiresSeconds }: Authorization): void {
    const signedMs = parseDate(date);
    const nowMs = this.#clock.nowMs();
    const skewMs = limits.lambda.clockSkewMs;
    const lifeMs = expiresSeconds === undefined ? skewMs : expiresSeconds * 1000;
    if (signedMs > nowMs + skewMs) {
      const bound = `${formatDate(nowMs + skewMs)} (${formatDate(nowMs)} + 5 min.)`;
      throw invalid(`Signature not yet current: ${date} is still later than ${bound}`);
    }
    if (signedMs < nowMs - lifeMs) {
      const minutes = Math.round(lifeMs / 60_000);
      const bound = `${formatDate(nowMs - lifeMs)} (${formatDate(nowMs)} - ${minutes} min.)`;
      throw invalid(`Signature expired: ${date} is now earlier than ${bound}`);
    }
  }

  #verify(
    request: SignedRequest,
    { accessKeyId, scopeDate, region, service, signedHeaders, date, signature }: Authorization,
    credential: Credential,
    payloadHash: string,
  ): void {
    const scope = `${scopeDate}/${region}/${service}/aws4_request`;
    const canonical = sha256Hex(canonicalRequest(request, signedHeaders, payloadHash));
    const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${canonical}`;
    const parts = { date: scopeDate, region, service };
    const key = this.#keys.get(accessKeyId, credential.secretAccessKey, parts);
    const expected = createHmac('sha256', key).update(text).digest();
    const given = hexHash.test(signature) ? Buffer.from(signature, 'hex') : Buffer.alloc(32);
    if (!timingSafeEqual(expected, given)) throw mismatch();
  }
}

/** What changes a request's meaning must be signed: the host and every `x-amz-` header sent. */
function checkSignedHeaders(request: SignedRequest, { signedHeaders }: Authorization): void {
  const required = (name: string) =>
    invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  if (!signedHeaders.includes('host')) throw required('host');
  for (const name in request.headers) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) throw required(name);
  }
}

function parseDate(date: string): number {
  const [, y, mo, d, h, mi, s] = /^(....)(..)(..)T(..)(..)(..)Z$/.exec(date) ?? [];
  return Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s));
}

function formatDate(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}
