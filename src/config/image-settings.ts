import { z } from 'zod';
import { MIB } from '../base/mod.ts';

/** Of the registries that images come from. */
export const registrySettings = z.strictObject({
  /** Files of PEM with those who sign a host's certificate, by `host` or `host:port`. */
  ca: z.record(z.string().min(1), z.string().startsWith('/', 'is no absolute path')).default({}),
});

const roomBytes = z.int().min(16 * MIB);

/** Room of the caches on this host; shares of it where nothing is said. */
export const cacheSettings = z.strictObject({
  /** Of each agent's memory tier. */
  memoryBytes: roomBytes.optional(),
  /** Of the slab that all agents share. Another size is another slab, which starts empty. */
  slabBytes: roomBytes.optional(),
});
