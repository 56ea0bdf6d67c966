import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import {
  type ErrorCode,
  isSluiceError,
  limits,
  noLogger,
  SeededRandom,
  SluiceError,
  systemClock,
  VirtualClock,
} from '../base/mod.ts';
import { DOORBELL_NAME } from '../fuse/mod.ts';
import type { AgentCommand } from './agent-messages.ts';
import { AgentPool } from './agent-pool.ts';
import { AgentProcess } from './agent-process.ts';

type Command = AgentCommand<object> & { readonly id: number };

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const isError = (code: ErrorCode) => (error: unknown) => isSluiceError(error, code);

/** Waits for what the file system does in its own time. */
async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; n < 10_000 && !condition(); n++) await systemClock.sleep(1);
  assert.ok(condition());
}

/** A child that answers what a test says; its mount is a plain folder of this process's. */
class FakeChild extends EventEmitter {
  readonly pid = process.pid;
  readonly asked: string[] = [];
  readonly mountPoint: string;
  isAlive = true;
  /** What it says to a command; nothing while it is silent. */
  answer: (command: Command) => object | undefined;

  constructor(directory: string) {
    super();
    this.mountPoint = join(directory, 'mount');
    mkdirSync(this.mountPoint, { recursive: true });
    writeFileSync(join(this.mountPoint, DOORBELL_NAME), '');
    const { mountPoint } = this;
    this.answer = ({ id }) => ({ type: 'answer', id, mountPoint, publicKey: Buffer.from('key') });
  }

  send(command: Command, sent: (error: Error | null) => void): void {
    this.asked.push(command.type);
    if (!this.isAlive) {
      queueMicrotask(() => sent(new Error('channel closed')));
      return;
    }
    const answer = this.answer(command);
    if (answer) queueMicrotask(() => this.emit('message', answer));
  }

  kill(signal: string): boolean {
    if (this.isAlive) setImmediate(() => this.end(null, signal));
    return true;
  }

  end(status: number | null, signal: string | null): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.emit('exit', status, signal);
  }
}

const asProcess = (child: FakeChild) => child as unknown as ChildProcess;

function agentOf(t: TestContext) {
  const child = new FakeChild(temporaryDirectory(t, 'agent'));
  const clock = new VirtualClock();
  const agent = new AgentProcess<object>(asProcess(child), clock);
  t.after(() => agent.kill());
  return { child, clock, agent };
}

const deviceOf = (accountId: string, deviceId = `of-${accountId}`) => ({
  ...{ deviceId, accountId, rootId: 'r', writable: false },
  manifestBytes: Buffer.alloc(0),
  sealKey: async (recipient: Uint8Array) => Buffer.from(`sealed for ${Buffer.from(recipient)}`),
});

test('an agent’s answer is the request’s, its refusal an error with its facts', async (t) => {
  const { child, agent } = agentOf(t);
  const failure = new SluiceError('MANIFEST_TAMPERED', 'm: altered', { data: { manifestId: 'm' } });
  const held: Command[] = [];
  child.answer = (command) => void held.push(command);
  const [first, second] = [
    agent.request({ type: 'stats', deviceId: 'a' }),
    agent.request({ type: 'log', deviceId: 'b' }),
  ];
  await turn();
  assert.deepEqual(
    held.map(({ type }) => type),
    ['stats', 'log'],
  );
  child.emit('message', { type: 'answer', id: 99 });
  child.emit('message', { type: 'refusal', id: held[1]?.id, failure: failure.toJSON() });
  child.emit('message', { type: 'answer', id: held[0]?.id, runs: [] });
  assert.deepEqual((await first).runs, []);
  await assert.rejects(second, { code: 'MANIFEST_TAMPERED', data: { manifestId: 'm' } });
});

test('an agent that does not answer fails the request at its deadline, and may answer the next', async (t) => {
  const { child, clock, agent } = agentOf(t);
  const { answer } = child;
  child.answer = () => undefined;
  const late = assert.rejects(
    agent.request({ type: 'log', deviceId: 'a' }),
    isError('DEADLINE_EXCEEDED'),
  );
  await clock.advance(limits.agent.requestTimeoutMs);
  await late;
  child.answer = answer;
  assert.equal((await agent.request({ type: 'log', deviceId: 'a' })).type, 'answer');
});

test('an agent that dies fails what it was asked, and everything from then on', async (t) => {
  const { child, agent } = agentOf(t);
  child.answer = () => undefined;
  const asked = agent.request({ type: 'log', deviceId: 'a' });
  await turn();
  assert.equal(agent.died.aborted, false);
  child.end(null, 'SIGSEGV');
  await assert.rejects(asked, isError('AGENT_DIED'));
  assert.ok(agent.died.aborted && isSluiceError(agent.died.reason, 'AGENT_DIED'));
  await assert.rejects(agent.request({ type: 'log', deviceId: 'a' }), isError('AGENT_DIED'));
  assert.equal(child.asked.length, 1);
});

test('an agent whose channel is closed, or that cannot be started, is a dead one', async (t) => {
  const { child, agent } = agentOf(t);
  child.isAlive = false;
  await assert.rejects(agent.request({ type: 'log', deviceId: 'a' }), isError('AGENT_DIED'));
  child.emit('error', new Error('spawn ENOENT'));
  assert.ok(agent.died.aborted);
  await agent.kill();
});

test('a device’s file is found through its agent, which gets the key sealed for itself', async (t) => {
  const { child, agent } = agentOf(t);
  const commands: Command[] = [];
  const { answer } = child;
  child.answer = (command) => {
    commands.push(command);
    return answer(command);
  };
  await agent.start({ directory: '/d', settings: { a: 1 } });
  const doorbells = () => openFilesBelow(child.mountPoint);
  assert.deepEqual(doorbells(), [DOORBELL_NAME], 'held for the agent, which may not hold it');
  assert.equal(agent.pathOf('disk'), `/proc/${process.pid}/root${child.mountPoint}/disk`);
  await agent.open(deviceOf('a'));
  const [start, open] = commands;
  assert.ok(start?.type === 'start' && open?.type === 'open');
  assert.deepEqual([start.directory, start.settings, start.rehearse], ['/d', { a: 1 }, false]);
  assert.equal(Buffer.from(open.device.sealedKey).toString(), 'sealed for key');
  assert.ok(!('accountId' in open.device) && !('dataKey' in open.device));
  await assert.rejects(agent.open(deviceOf('a', '../up')), isError('USAGE'));
  await agent.kill();
  assert.ok(agent.died.aborted);
  await until(() => doorbells().length === 0);
});

/** What this process has open below a directory. */
function openFilesBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(`${directory}/`) ? [basename(path)] : [];
    } catch {
      return [];
    }
  });
}

test('a pool removes what a killed predecessor left', async (t) => {
  const directory = join(temporaryDirectory(t, 'pool'), 'agents');
  mkdirSync(join(directory, 'old/mount'), { recursive: true });
  const { pool } = poolOf(t, 0, directory);
  await pool.warm();
  assert.deepEqual(readdirSync(directory), []);
});

function poolOf(t: TestContext, spareAgents = 0, given?: string) {
  const clock = new VirtualClock();
  const directory = given ?? join(temporaryDirectory(t, 'pool'), 'agents');
  const children: FakeChild[] = [];
  const starting = { answer: undefined as FakeChild['answer'] | undefined };
  const pool = new AgentPool<object>({
    spawn: (place) => {
      const child = new FakeChild(place.directory);
      if (starting.answer) child.answer = starting.answer;
      children.push(child);
      return asProcess(child);
    },
    ...{ directory, settings: {}, spareAgents, clock },
    ...{ random: new SeededRandom(1), logger: noLogger },
  });
  t.after(() => pool.close());
  const settle = async () => {
    for (let turns = 0; turns < 200; turns++) await turn();
  };
  return { pool, clock, children, directory, starting, settle };
}

test('an account has one agent for all of its devices, and no other account’s', async (t) => {
  const { pool, children } = poolOf(t);
  const [one, two] = await Promise.all([pool.open(deviceOf('a')), pool.open(deviceOf('a', 'x'))]);
  await pool.open(deviceOf('b'));
  assert.equal(children.length, 2);
  assert.deepEqual([one.deviceId, two.deviceId], ['of-a', 'x']);
  assert.ok(one.path.endsWith('/mount/of-a'));
});

test('an agent without devices ends after a while; a device that comes meanwhile keeps it', async (t) => {
  const { pool, clock, children, directory, settle } = poolOf(t);
  const first = await pool.open(deviceOf('a'));
  const second = await pool.open(deviceOf('a', 'x'));
  await first.close();
  await clock.advance(2 * limits.agent.idleMs);
  assert.ok(children[0]?.isAlive, 'it has another');
  await second.close();
  await clock.advance(limits.agent.idleMs - 1);
  const third = await pool.open(deviceOf('a', 'y'));
  await clock.advance(2 * limits.agent.idleMs);
  assert.ok(children[0]?.isAlive);
  await third.close();
  await clock.advance(limits.agent.idleMs);
  await settle();
  assert.equal(children[0]?.isAlive, false);
  await pool.open(deviceOf('a', 'z'));
  assert.deepEqual([children.length, children[1]?.isAlive], [2, true]);
  await until(() => readdirSync(directory).length === 1);
});

test('a device whose agent died is told, closes, and the account goes on with another', async (t) => {
  const { pool, children, settle } = poolOf(t);
  const device = await pool.open(deviceOf('a'));
  assert.equal(device.died.aborted, false);
  children[0]?.end(1, null);
  assert.ok(device.died.aborted);
  await assert.rejects(device.stats(), isError('AGENT_DIED'));
  assert.equal(await device.close(), undefined);
  assert.equal(await device.close(), undefined, 'twice is once');
  await settle();
  await pool.open(deviceOf('a'));
  assert.equal(children.length, 2);
});

test('a device that an agent refuses does not keep it, and one that does not close is told', async (t) => {
  const { pool, clock, children, settle } = poolOf(t);
  const device = await pool.open(deviceOf('a'));
  const child = children[0] ?? assert.fail();
  const { answer } = child;
  const failure = new SluiceError('MANIFEST_TAMPERED', 'm').toJSON();
  child.answer = ({ id }) => ({ type: 'refusal', id, failure });
  await assert.rejects(pool.open(deviceOf('a', 'x')), isError('MANIFEST_TAMPERED'));
  child.answer = answer;
  assert.equal(await device.close(), undefined);
  assert.deepEqual(child.asked, ['start', 'open', 'open', 'close']);
  await clock.advance(limits.agent.idleMs);
  await settle();
  assert.equal(child.isAlive, false);
  const next = await pool.open(deviceOf('a'));
  const second = children[1] ?? assert.fail();
  second.answer = ({ id }) => ({ type: 'refusal', id, failure });
  await assert.rejects(next.close(), isError('MANIFEST_TAMPERED'));
});

test('an agent that does not start is ended, and the next device tries another', async (t) => {
  const { pool, children, starting, directory, settle } = poolOf(t);
  const failure = new SluiceError('HOST_LACKS', 'no /dev/fuse').toJSON();
  starting.answer = ({ id }) => ({ type: 'refusal', id, failure });
  await assert.rejects(pool.open(deviceOf('a')), isError('HOST_LACKS'));
  await settle();
  assert.equal(children[0]?.isAlive, false);
  await until(() => readdirSync(directory).length === 0);
  starting.answer = undefined;
  await pool.open(deviceOf('a'));
  assert.equal(children.length, 2);
});

test('a drained pool keeps an agent for its devices, and gives it no more', async (t) => {
  const { pool, children, settle } = poolOf(t, 1);
  await pool.warm();
  const device = await pool.open(deviceOf('a'));
  pool.drain();
  await pool.warm();
  await pool.open(deviceOf('a', 'x'));
  assert.deepEqual([children.length, children[0]?.isAlive], [2, true]);
  await device.close();
  await settle();
  assert.equal(children[0]?.isAlive, false, 'it ends with its last device, at once');
  pool.drain();
  await pool.warm();
  await settle();
  assert.deepEqual([children[1]?.isAlive, children[2]?.isAlive], [true, true]);
});

test('a drain ends agents that have no device, spare ones too', async (t) => {
  const { pool, children, settle } = poolOf(t, 2);
  await pool.warm();
  assert.equal(children.length, 2);
  pool.drain();
  await settle();
  await pool.warm();
  assert.deepEqual(
    children.map(({ isAlive }) => isAlive),
    [false, false, true, true],
  );
});

test('a pool that is closed at once leaves nothing either', async (t) => {
  const { pool, directory, children, settle } = poolOf(t, 1);
  await pool.close();
  await settle();
  assert.throws(() => readdirSync(directory), { code: 'ENOENT' });
  assert.ok(children.every(({ isAlive }) => !isAlive));
});

test('a closed pool leaves no agent, no folder and no timer', async (t) => {
  const { pool, clock, children, directory } = poolOf(t, 1);
  await pool.warm();
  const device = await pool.open(deviceOf('a'));
  await pool.close();
  assert.ok(children.every(({ isAlive }) => !isAlive) && device.died.aborted);
  assert.throws(() => readdirSync(directory), { code: 'ENOENT' });
  assert.equal(clock.pending, 0);
  await clock.advance(60_000);
  assert.equal(children.length, 1, 'none comes in its place');
});
