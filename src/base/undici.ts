import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/**
 * The HTTP client undici, read when something is first sent: to read and compile it is a sixth of
 * what the start of a region or of a flattener takes, and many of them send nothing.
 */
export const undici = (): typeof import('undici') => load('undici');
