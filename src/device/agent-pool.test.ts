import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { limits, noLogger, SeededRandom, VirtualClock } from '../base/mod.ts';
import { DOORBELL_NAME } from '../fuse/mod.ts';
import type { AgentCommand } from './agent-messages.ts';
import { AgentPool } from './agent-pool.ts';

/** Answers whatever it is asked, as an agent would; its mount is a plain folder of this process's. */
class FakeAgent extends EventEmitter {
  readonly pid = process.pid;
  readonly #mountPoint: string;

  constructor(directory: string) {
    super();
    this.#mountPoint = join(directory, 'mount');
    mkdirSync(this.#mountPoint, { recursive: true });
    writeFileSync(join(this.#mountPoint, DOORBELL_NAME), '');
  }

  send({ id }: AgentCommand<object> & { id: number }): void {
    const answer = { type: 'answer', id, mountPoint: this.#mountPoint };
    queueMicrotask(() => this.emit('message', answer));
  }

  kill(): void {
    queueMicrotask(() => this.emit('exit', null, 'SIGKILL'));
  }
}

function pool(t: TestContext, given: number[] = []) {
  const clock = new VirtualClock();
  const scratch = temporaryDirectory(t);
  let spawned = 0;
  const agents = new AgentPool({
    spawn: ({ directory }) => {
      spawned += 1;
      return new FakeAgent(directory) as unknown as ChildProcess;
    },
    directory: join(scratch, 'agents'),
    settings: { others: 0 },
    oneMore: (_, others) => {
      given.push(others.length);
      return { others: others.length };
    },
    spareAgents: 1,
    ...{ clock, random: new SeededRandom(1), logger: noLogger },
  });
  t.after(() => agents.close());
  const open = (accountId: string) =>
    agents.open({
      ...{ deviceId: `of-${accountId}`, accountId, rootId: 'r', writable: false },
      manifestBytes: Buffer.alloc(0),
      sealKey: async () => Buffer.alloc(97),
    });
  return { clock, agents, open, spawned: () => spawned };
}

test('no spare agent is started beside the start that takes one, but some time after it', async (t) => {
  const { clock, agents, open, spawned } = pool(t);
  await agents.warm();
  assert.equal(spawned(), 1);
  await open('a');
  await clock.advance(limits.agent.replenishMs - 1);
  assert.equal(spawned(), 1, 'the start has both processors');
  await clock.advance(1);
  await agents.warm();
  assert.equal(spawned(), 2);
});

test('a second account that comes before the spare is back still gets an agent', async (t) => {
  const { agents, open, spawned } = pool(t);
  await agents.warm();
  await open('a');
  await open('b');
  assert.equal(spawned(), 2);
});

test('an agent has its share beside those that live, and one that ended gives its share back', async (t) => {
  const given: number[] = [];
  const { clock, agents, open } = pool(t, given);
  await agents.warm();
  const device = await open('111111111111');
  await clock.advance(limits.agent.replenishMs);
  await agents.warm();
  assert.deepEqual(given, [0, 1]);
  await device.close();
  await clock.advance(limits.agent.idleMs);
  await open('222222222222');
  await clock.advance(limits.agent.replenishMs);
  await agents.warm();
  assert.deepEqual(given, [0, 1, 1]);
});
