import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, type Logger, noLogger, SluiceError } from '../base/mod.ts';
import { reportingDamage } from './reporting-damage.ts';

test('a read that fails by a damaged or lost chunk leaves its name in the log', async () => {
  const lines: object[] = [];
  const logger: Logger = { ...noLogger, error: (fields) => void lines.push(fields) };
  const read = async (code: ErrorCode) => {
    const get = async () => {
      throw new SluiceError(code, 'no chunk');
    };
    const ref = { rootId: 'root', name: 'a'.repeat(64) };
    await assert.rejects(reportingDamage({ get }, logger).get(ref), { code });
  };
  for (const code of ['CHUNK_CORRUPT', 'CHUNK_MISSING', 'ORIGIN_UNAVAILABLE'] as const) {
    await read(code);
  }
  assert.equal(lines.length, 2);
  for (const line of lines) assert.equal((line as { chunk: string }).chunk, 'a'.repeat(64));
});
