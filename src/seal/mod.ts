export type { ChunkName, ChunkRef, ChunkSink, ChunkSource, PutOutcome } from './chunk.ts';
