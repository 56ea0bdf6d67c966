import { ApiError } from './api-error.ts';

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'START_ARRAY';
  if (typeof value === 'object') return 'START_OBJECT';
  if (typeof value === 'boolean') return value ? 'TRUE_VALUE' : 'FALSE_VALUE';
  return `${typeof value}_VALUE`.toUpperCase();
}

/** Throws what the API says of a value of another JSON type. */
export function wrongType(value: unknown, wanted: string): never {
  const message = `${jsonType(value)} can not be converted to ${wanted}`;
  throw new ApiError('SerializationException', message);
}

/** How the API prints a value in a message: lists as `[a, b]`, maps as `{k=v}`. */
export function print(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(print).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, each]) => `${key}=${print(each)}`)
      .join(', ')}}`;
  }
  return String(value);
}

/** A breach in the words of the API. */
export function report(value: unknown, path: string, text: string, printed = print(value)): string {
  const shown = value === undefined ? 'null' : `'${printed.slice(0, 1024)}'`;
  return `Value ${shown} at '${path}' failed to satisfy constraint: ${text}`;
}

/** Throws one `ValidationException` that lists all breaches. */
export function throwBreaches(breaches: readonly string[]): void {
  if (breaches.length === 0) return;
  const count =
    breaches.length === 1 ? '1 validation error' : `${breaches.length} validation errors`;
  throw new ApiError('ValidationException', `${count} detected: ${breaches.join('; ')}`);
}
