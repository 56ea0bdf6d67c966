import { type ClientCase, sharing } from '../case.ts';

/** Handlers that write their response. */
const written: Readonly<Record<string, string>> = {
  streamText: 'async (e, s) => { s.write("one "); s.write("two"); s.end(); }',
  streamEnd: 'async (e, s) => { s.end("all"); }',
  streamNothing: 'async (e, s) => { s.end(); }',
  streamBytes: 'async (e, s) => { s.write(Buffer.from([104, 105])); s.end(); }',
  streamObject: 'async (e, s) => { s.write({ a: 1 }); s.write([2]); s.end(); }',
  streamType: 'async (e, s) => { s.setContentType("text/plain"); s.write("x"); s.end(); }',
  streamTypeLate: 'async (e, s) => { s.write("x"); s.setContentType("text/plain"); s.end(); }',
  streamHttp:
    'async (e, s) => { s = awslambda.HttpResponseStream.from(s, { statusCode: 201, headers: { a: "b" } }); s.write("body"); s.end(); }',
  streamPipeline:
    'async (e, s) => { await require("node:stream/promises").pipeline(require("node:stream").Readable.from(["a", "b"]), s); }',
  streamLarge:
    'async (e, s) => { for (let i = 0; i < 40; i++) s.write("x".repeat(10000)); s.end(); }',
  streamLater:
    'async (e, s) => { s.write("a"); await new Promise((r) => setTimeout(r, 5)); s.write("b"); s.end(); }',
  streamThrowsBefore: 'async () => { throw new RangeError("before"); }',
  streamThrowsAfter:
    'async (e, s) => { s.write("begun"); await new Promise((r) => setTimeout(r, 20)); throw new RangeError("after"); }',
  streamThrowsHttp:
    'async (e, s) => { awslambda.HttpResponseStream.from(s, { statusCode: 201 }); throw new RangeError("prelude"); }',
  streamThrowsText: 'async () => { throw "text"; }',
  streamReturns: 'async (e, s) => { s.write("x"); s.end(); return "ignored"; }',
  streamContext: 'async (e, s, c) => { s.write(JSON.stringify(Object.keys(c).sort())); s.end(); }',
  streamIs:
    'async (e, s) => { s.write(JSON.stringify([s.writableEnded, s.writable, typeof s.cork, typeof s.once])); s.end(); }',
};

const words = { parts: ['errorMessage', 'frames', 'log'], reason: 'the words are ours' } as const;

export const streams: readonly ClientCase[] = sharing('streams', written, {
  streamTypeLate: words,
  streamReturns: { parts: ['log'], reason: 'the words are ours' },
  streamThrowsBefore: {
    parts: ['outcome'],
    reason:
      'an error before the first byte is posted as one; Lambda’s client sends an empty stream with it behind',
  },
  streamThrowsHttp: {
    parts: ['outcome'],
    reason:
      'an error before the first byte is posted as one; Lambda’s client sends an empty stream with it behind',
  },
  streamThrowsText: {
    parts: ['outcome'],
    reason:
      'an error before the first byte is posted as one; Lambda’s client sends an empty stream with it behind',
  },
});
