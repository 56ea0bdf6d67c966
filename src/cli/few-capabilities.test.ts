import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptCapabilities } from './few-capabilities.ts';

const status = (bounds: string, noNewPrivileges = 0, uid = 0) =>
  `Name:\tnode\nUid:\t${uid}\t${uid}\nCapBnd:\t${bounds}\nNoNewPrivs:\t${noNewPrivileges}\n`;
const all = '000001ffffffffff';
const kept = '0000000009a811e3';

test('a region keeps what it needs of what there is, and the low ports only if it listens there', () => {
  const few = keptCapabilities(status(all), 9400) ?? assert.fail();
  assert.equal(few.length, 12);
  assert.ok(few.includes('sys_admin'));
  for (const never of [
    'sys_module',
    'sys_rawio',
    'sys_boot',
    'net_raw',
    'bpf',
    'net_bind_service',
  ]) {
    assert.ok(!few.includes(never), never);
  }
  assert.ok(keptCapabilities(status(all), 443)?.includes('net_bind_service'));
  assert.deepEqual(keptCapabilities(status('0000000000200000'), 9400), ['sys_admin']);
});

test('nothing is taken twice, nor from who is not root', () => {
  assert.equal(keptCapabilities(status(kept, 1), 9400), undefined);
  assert.notEqual(keptCapabilities(status(kept, 0), 9400), undefined);
  assert.equal(keptCapabilities(status(all, 0, 1000), 9400), undefined);
});
