import { limits } from '../base/mod.ts';
import { ApiError, invalidParameter } from './api-error.ts';
import type { ApiRequest } from './operation.ts';
import { number, validate } from './shapes.ts';

export interface Page<P> {
  /** The position after which the page begins. */
  readonly after: P | undefined;
  readonly limit: number;
}

/** Reads `Marker` and `MaxItems`; a page is never longer than the service's own limit. */
export function readPage<P>(
  request: ApiRequest,
  maxItems: number,
  isPosition: (value: Partial<Record<keyof P, unknown>>) => boolean,
): Page<P> {
  const given = request.query.get('MaxItems');
  let limit: number = limits.lambda.listPageItems;
  if (given !== null && given !== '') {
    if (!/^-?\d{1,9}$/.test(given)) {
      throw new ApiError('SerializationException', 'STRING_VALUE can not be converted to Integer');
    }
    limit = Math.min(limit, validate(number({ max: maxItems, min: 1 }), Number(given), 'maxItems'));
  }
  const marker = request.query.get('Marker');
  return { after: marker ? readMarker<P>(marker, isPosition) : undefined, limit };
}

/** Markers are opaque to clients: base64url of the last position listed. */
export function writeMarker<P>(position: P): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function readMarker<P>(
  marker: string,
  isPosition: (value: Partial<Record<keyof P, unknown>>) => boolean,
): P {
  try {
    const position: unknown = JSON.parse(Buffer.from(marker, 'base64url').toString('utf8'));
    if (typeof position === 'object' && position !== null && isPosition(position)) {
      return position as P;
    }
  } catch {
    // Falls through to the one answer for every marker that is not ours.
  }
  throw invalidParameter('The Marker value is not valid. Use the NextMarker of a previous answer.');
}
