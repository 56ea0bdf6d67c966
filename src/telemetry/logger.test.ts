import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayLogger, SluiceError, toSluiceError } from '../base/mod.ts';
import { createLogger } from './mod.ts';

const thrown = {
  ours: new SluiceError('CHUNK_CORRUPT', 'x: bad', { data: { sizeBytes: 7 } }),
  system: Object.assign(new Error('open /x: no such file'), { code: 'ENOENT' }),
  wrapped: toSluiceError(new TypeError('y is not a function')),
  'no error at all': 'gone',
};
const expected: Record<keyof typeof thrown, object> = {
  ours: { code: 'CHUNK_CORRUPT', message: 'x: bad', data: { sizeBytes: 7 } },
  system: { code: 'ENOENT', message: 'open /x: no such file' },
  wrapped: { code: 'INTERNAL', message: 'y is not a function', data: {} },
  'no error at all': { message: 'gone' },
};
const withoutStacks = ({ stack: _, cause: __, ...rest }: Record<string, unknown>) => rest;

for (const [what, error] of Object.entries(thrown)) {
  test(`a log line shows what was thrown, message and all: ${what}`, () => {
    const lines: string[] = [];
    const logger = createLogger('info', 'test', { write: (line) => void lines.push(line) });
    logger.error({ error, sandboxId: 'sb-1' }, 'it failed');
    const { error: shown, sandboxId, msg } = JSON.parse(lines[0] ?? '');
    assert.deepEqual([sandboxId, msg], ['sb-1', 'it failed']);
    assert.deepEqual(withoutStacks(shown), expected[what as keyof typeof thrown]);
    if (what === 'system') assert.match(shown.stack, /logger\.test\.ts/);
    if (what === 'wrapped') assert.match(shown.cause.stack, /TypeError: y is not a function/);

    const relay = new RelayLogger();
    relay.error({ error, sandboxId: 'sb-1' }, 'it failed');
    const [relayed] = relay.take();
    if (error instanceof Error)
      assert.deepEqual(relayed?.fields, { error: shown, sandboxId: 'sb-1' });
  });
}

test('a line below the level of the logger is not written', () => {
  const lines: string[] = [];
  const logger = createLogger('warn', 'test', { write: (line) => void lines.push(line) });
  logger.info({}, 'quiet');
  logger.warn({}, 'loud');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['loud'],
  );
});
