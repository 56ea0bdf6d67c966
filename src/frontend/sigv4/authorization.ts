import { ApiError } from '../api-error.ts';
import type { SignedRequest } from './canonical.ts';

/** What a request says about its signature; nothing of it is checked yet. */
export interface Authorization {
  readonly accessKeyId: string;
  /** `YYYYMMDD` of the credential scope. */
  readonly scopeDate: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly date: string;
  /** Seconds that a presigned URL is good for; undefined for a signed header. */
  readonly expiresSeconds: number | undefined;
  readonly securityToken: string | undefined;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const PRESIGNED_SECONDS_MAX = 604_800;

const incomplete = (message: string) => new ApiError('IncompleteSignatureException', message);

/** Reads the Authorization header, or the query of a presigned URL. */
export function readAuthorization(request: SignedRequest): Authorization {
  const header = request.headers.authorization;
  if (header !== undefined) return fromHeader(header, request);
  if (request.rawQuery.includes('X-Amz-Signature=')) return fromQuery(request);
  throw new ApiError('MissingAuthenticationTokenException', 'Missing Authentication Token');
}

function fromHeader(header: string, request: SignedRequest): Authorization {
  if (!header.startsWith(`${ALGORITHM} `)) {
    throw incomplete(`Authorization header must start with '${ALGORITHM}'.`);
  }
  const fields = new Map<string, string>();
  for (const part of header.slice(ALGORITHM.length).split(',')) {
    const at = part.indexOf('=');
    if (at > 0) fields.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  const date = request.headers['x-amz-date'];
  if (typeof date !== 'string') {
    throw incomplete("Authorization header requires existence of an 'X-Amz-Date' header.");
  }
  const token = request.headers['x-amz-security-token'];
  const field = (name: string) => {
    const value = fields.get(name);
    if (value) return value;
    throw incomplete(`Authorization header requires '${name}' parameter.`);
  };
  return assemble({
    credential: field('Credential'),
    signedHeaders: field('SignedHeaders'),
    signature: field('Signature'),
    date,
    expiresSeconds: undefined,
    securityToken: typeof token === 'string' ? token : undefined,
  });
}

function fromQuery(request: SignedRequest): Authorization {
  const query = new URLSearchParams(request.rawQuery);
  const field = (name: string) => {
    const value = query.get(name);
    if (value) return value;
    throw incomplete(`AWS query-string parameters must include '${name}'.`);
  };
  if (field('X-Amz-Algorithm') !== ALGORITHM) {
    throw incomplete(`X-Amz-Algorithm must be '${ALGORITHM}'.`);
  }
  const expiresSeconds = Number(field('X-Amz-Expires'));
  if (!(expiresSeconds >= 1 && expiresSeconds <= PRESIGNED_SECONDS_MAX)) {
    throw incomplete(`X-Amz-Expires must be from 1 to ${PRESIGNED_SECONDS_MAX} seconds.`);
  }
  return assemble({
    credential: field('X-Amz-Credential'),
    signedHeaders: field('X-Amz-SignedHeaders'),
    signature: field('X-Amz-Signature'),
    date: field('X-Amz-Date'),
    expiresSeconds,
    securityToken: query.get('X-Amz-Security-Token') ?? undefined,
  });
}

interface RawAuthorization {
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly date: string;
  readonly expiresSeconds: number | undefined;
  readonly securityToken: string | undefined;
}

function assemble(raw: RawAuthorization): Authorization {
  const scope = raw.credential.split('/');
  const [accessKeyId = '', scopeDate = '', region = '', service = '', terminator] = scope;
  if (scope.length !== 5 || terminator !== 'aws4_request') {
    throw incomplete(
      'Credential must have exactly 5 slash-delimited elements: keyid/date/region/service/term.',
    );
  }
  if (!/^\d{8}T\d{6}Z$/.test(raw.date)) {
    throw incomplete(`Date must be in ISO-8601 'basic format'. Got '${raw.date.slice(0, 64)}'.`);
  }
  const { expiresSeconds, securityToken, signature, date } = raw;
  const signedHeaders = raw.signedHeaders.split(';');
  return {
    ...{ accessKeyId, scopeDate, region, service },
    ...{ signedHeaders, signature, date, expiresSeconds, securityToken },
  };
}
