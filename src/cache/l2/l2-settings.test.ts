import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { isSluiceError, noLogger, noMeter, systemClock, VirtualClock } from '../../base/mod.ts';
import type { ChunkRef } from '../../seal/mod.ts';
import { l2Primed, openL2, parseErasureCode } from './l2-settings.ts';
import { type ChunkLoad, readLoadTrace, tracedLoads } from './load-trace.ts';

const tools = { clock: systemClock, meter: noMeter, logger: noLogger };
const origin = { get: () => Promise.resolve(Buffer.from('from the origin')) };
const invalid = (error: unknown) => isSluiceError(error, 'CONFIG_INVALID');

test('a list or a file of nodes, a code and a secret file make an L2', async (t) => {
  const directory = temporaryDirectory(t, 'settings');
  const secretFile = join(directory, 'secret');
  writeFileSync(secretFile, 'one secret of sixteen\nthe next secret of it\n');
  writeFileSync(join(directory, 'nodes'), '127.0.0.1:1\n');
  for (const nodes of ['127.0.0.1:1,[::1]:2', `@${join(directory, 'nodes')}`]) {
    const l2 = await openL2(origin, { nodes, code: '4+2', secretFile }, tools);
    const chunk = await l2.get({ rootId: 'r', name: 'a'.repeat(64) });
    assert.equal(chunk.toString(), 'from the origin');
    l2.close();
  }
  for (const wrong of [
    { nodes: '127.0.0.1', code: '4+1', secretFile },
    { nodes: '@/nowhere', code: '4+1', secretFile },
    { nodes: '127.0.0.1:1', code: '4', secretFile },
    { nodes: '127.0.0.1:1', code: '0+1', secretFile },
    { nodes: '127.0.0.1:1', code: '4+1', secretFile: '/nowhere' },
  ]) {
    await assert.rejects(openL2(origin, wrong, tools), invalid, JSON.stringify(wrong));
  }
});

test('codes are K+M within the limits', () => {
  assert.equal(parseErasureCode('10+4').name, '10+4');
  for (const text of ['', '4-1', '4+0', '33+1', '4+9']) {
    assert.throws(() => parseErasureCode(text), invalid, text);
  }
});

test('priming puts what was stored, not what was present, and leaves the outcome alone', async () => {
  const outcomes = ['stored', 'present'] as const;
  const primed: ChunkRef[] = [];
  let puts = 0;
  const sink = l2Primed(
    { put: () => Promise.resolve(outcomes[puts++]!) },
    { prime: (ref) => Promise.resolve(primed.push(ref) > 0) },
  );
  const refs = ['a', 'b'].map((digit) => ({ rootId: 'r', name: digit.repeat(64) }));
  for (const [index, ref] of refs.entries()) {
    assert.equal(await sink.put(ref, Buffer.alloc(1)), outcomes[index]);
  }
  assert.deepEqual(primed, [refs[0]]);
});

test('a trace has a line for every load, which reads back', async (t) => {
  const clock = new VirtualClock(1_700_000_000_000);
  const lines: string[] = [];
  const source = tracedLoads(origin, clock, (line) => void lines.push(line));
  const names = ['a', 'b', 'a'].map((digit) => digit.repeat(64));
  for (const name of names) {
    await source.get({ rootId: 'r', name });
    clock.jump(250);
  }
  const file = join(temporaryDirectory(t, 'trace'), 'trace');
  writeFileSync(file, lines.join(''));
  const loads: ChunkLoad[] = [];
  for await (const load of readLoadTrace(file)) loads.push(load);
  assert.deepEqual(
    loads,
    names.map((chunkName, i) => ({ timeMs: 1_700_000_000_000 + i * 250, chunkName })),
  );
});
