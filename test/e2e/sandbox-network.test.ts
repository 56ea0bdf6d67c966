import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { noLogger } from '../../src/base/mod.ts';
import { OutboundNetwork } from '../../src/isolation/mod.ts';
import { hostHas } from '../support/host.ts';
import { run, runOrThrow } from '../support/run.ts';
import {
  firstLine,
  makeDisk,
  makeFactory,
  makeSpec,
  runScript,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

const needs = [...SANDBOX_NEEDS, 'tool:ip', 'tool:nft', 'tool:nsenter'] as const;
const ownerId = `${process.pid.toString(16).padStart(8, '0')}ab`;
const bridge = `slu${ownerId.slice(0, 8)}`;
const outside = '198.51.100.2';
const host = '198.51.100.1';
/** Beyond the host as well, and in a private network. */
const nearby = '10.222.111.2';

/** Another network namespace is the world: it answers `world` at port 80 of 198.51.100.2. */
async function makeWorld(t: TestContext): Promise<void> {
  const name = `sluice-world-${process.pid}`;
  const ip = (...words: string[]) => runOrThrow('ip', words);
  await ip('netns', 'add', name);
  t.after(() => ip('netns', 'del', name));
  await ip('link', 'add', 'sluworld', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  await ip('addr', 'add', `${host}/24`, 'dev', 'sluworld');
  await ip('link', 'set', 'sluworld', 'up');
  await ip('-n', name, 'addr', 'add', `${outside}/24`, 'dev', 'eth0');
  await ip('-n', name, 'addr', 'add', '169.254.169.254/32', 'dev', 'eth0');
  await ip('-n', name, 'link', 'set', 'eth0', 'up');
  await ip('-n', name, 'addr', 'add', `${nearby}/32`, 'dev', 'eth0');
  await ip('route', 'add', '169.254.169.254/32', 'via', outside);
  await ip('route', 'add', `${nearby}/32`, 'via', outside);
  const inside = [`--net=/run/netns/${name}`, 'busybox', 'nc', '-ll', '-p', '80'];
  const server = spawn('nsenter', [...inside, '-e', '/bin/echo', 'world'], { stdio: 'ignore' });
  t.after(() => server.kill());
}

/** Prints `world`, another answer, or why there was none. */
const ask = (address: string, port: number) =>
  `(sleep 1 | nc -w 2 ${address} ${port} || echo none) 2>&1 | head -1`;

test('outbound: the world and nothing nearer; everything is gone afterwards', async (t) => {
  if (!hostHas(t, ...needs)) return;
  await makeWorld(t);
  const listening = createServer((socket) => socket.end('host\n')).listen(0, '0.0.0.0');
  t.after(() => listening.close());
  await new Promise((resolve) => listening.once('listening', resolve));
  const { port } = listening.address() as { port: number };

  // Stands for the world, which has no address of its own here.
  const outbound = { allow: [`${outside}/32`] };
  const options = { ownerId, logger: noLogger, outbound, nameservers: ['192.0.2.53'] };
  await OutboundNetwork.open(options);
  // The first one's owner was killed, as far as the second can tell.
  const network = await OutboundNetwork.open(options);
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t, { network });
  const listen = 'ip -4 addr show dev eth0; exec nc -ll -p 81 -e /bin/echo neighbour';
  const neighbour = await factory.start(
    makeSpec(disk, { sandboxId: 'neighbour', argv: ['/bin/sh', '-c', `${listen} 2>&1`] }),
  );
  let shown = '';
  neighbour.stdout.on('data', (part) => {
    shown += part;
  });
  const spec = makeSpec(disk, { sandboxId: 'one' });
  const gateway = await runScript(factory, spec, 'ip route; cat /etc/resolv.conf');
  const [, via = ''] = /^default via (\S+) dev eth0/m.exec(gateway.stdout) ?? [];
  assert.match(via, /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.1$/, gateway.stdout);
  assert.match(gateway.stdout, /nameserver 192\.0\.2\.53\n/);
  const [, address = ''] = /inet (\S+)\//.exec(shown) ?? [];
  assert.ok(address, shown);

  const asked = {
    world: [outside, 80],
    gateway: [via, port],
    host: [host, port],
    loopback: ['127.0.0.1', port],
    neighbour: [address, 81],
    metadata: ['169.254.169.254', 80],
    private: [nearby, 80],
  } as const;
  const script = Object.entries(asked)
    .map(([name, [to, at]]) => `(echo ${name}: $( ${ask(to, at)} )) &`)
    .join('\n');
  const answered = await runScript(
    factory,
    { ...spec, shape: { ...spec.shape, processes: 128 } },
    `${script}\nwait`,
  );
  const answers: Record<string, string> = {};
  for (const line of answered.stdout.trim().split('\n')) {
    const [name = '', answer = ''] = line.split(': ');
    answers[name] = answer;
  }
  assert.equal(answers['world'], 'world', JSON.stringify([answers, answered.stderr]));
  const { world: _, ...nearer } = answers;
  assert.equal(Object.keys(nearer).length, 6);
  for (const [name, answer] of Object.entries(nearer)) {
    assert.doesNotMatch(answer, /host|world|^neighbour$/, name);
  }
  await factory.close();
  await network.close();
  assert.equal((await run('ip', ['link', 'show', bridge])).status, 1);
  assert.doesNotMatch(await runOrThrow('nft', ['list', 'tables']), new RegExp(bridge));
  assert.doesNotMatch(await runOrThrow('ip', ['-o', 'link']), new RegExp(bridge));
});

test('none: a sandbox has its own loopback and nothing else', async (t) => {
  if (!hostHas(t, ...needs)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const argv = ['/bin/sh', '-c', 'echo $(ip -o link | wc -l) $(ip route | wc -l)'];
  const sandbox = await factory.start(makeSpec(disk, { argv }));
  assert.equal(await firstLine(sandbox.stdout), '1 0');
  await sandbox.stop();
});
