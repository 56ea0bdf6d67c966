import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf, shapeOf } from './environment.ts';
import { template } from './worker.fixture.ts';

test('a managed runtime finds what Lambda starts it with, and its function may change it', () => {
  const { PWD, SHLVL, AWS_XRAY_DAEMON_ADDRESS, _AWS_XRAY_DAEMON_PORT } = environmentOf(
    { ...template, runtime: 'nodejs22.x', environment: { AWS_XRAY_DAEMON_ADDRESS: 'mine:1' } },
    false,
  );
  assert.deepEqual(
    { PWD, SHLVL, AWS_XRAY_DAEMON_ADDRESS, _AWS_XRAY_DAEMON_PORT },
    {
      PWD: '/var/task',
      SHLVL: '0',
      AWS_XRAY_DAEMON_ADDRESS: 'mine:1',
      _AWS_XRAY_DAEMON_PORT: '2000',
    },
  );
  const image = environmentOf(template, false);
  assert.equal(image['PWD'], undefined);
  assert.equal(image['AWS_XRAY_DAEMON_ADDRESS'], '127.0.0.1:2000');
});

test('extensions are not told of the tracer, and only a strict region says so', () => {
  const shape = shapeOf(template, '/disk', false);
  assert.ok(shape.runtimeOnlyVariables.includes('_AWS_XRAY_DAEMON_ADDRESS'));
  assert.equal(shape.environment['SLUICE_STRICT'], undefined);
  assert.equal(shapeOf(template, '/disk', true).environment['SLUICE_STRICT'], '1');
});
