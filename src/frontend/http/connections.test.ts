import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { limits } from '../../base/mod.ts';
import { Connections } from './connections.ts';

function connect(connections: Connections) {
  const socket = new EventEmitter() as EventEmitter & { destroyed: boolean; destroy(): void };
  socket.destroyed = false;
  socket.destroy = () => {
    socket.destroyed = true;
    socket.emit('close');
  };
  connections.add(socket as unknown as Socket);
  return socket as unknown as Socket;
}

test('idle connections of nobody never keep out one who signs', () => {
  const connections = new Connections();
  const signed = connect(connections);
  assert.equal(connections.prove(signed, 'a'), true);
  const flood = Array.from({ length: 3 * limits.shares.unprovenConnections }, () =>
    connect(connections),
  );
  assert.equal(signed.destroyed, false);
  const open = flood.filter((socket) => !socket.destroyed);
  assert.equal(open.length, limits.shares.unprovenConnections);
  assert.equal(flood.at(-1)?.destroyed, false, 'the newest has time to sign');
});

test('one account does not keep all connections', () => {
  const connections = new Connections();
  const most = limits.shares.connectionsPerAccount;
  const own = Array.from({ length: most }, () => {
    const socket = connect(connections);
    assert.equal(connections.prove(socket, 'greedy'), true);
    return socket;
  });
  const one = connect(connections);
  assert.equal(connections.prove(one, 'greedy'), false);
  assert.equal(connections.prove(connect(connections), 'other'), true);
  one.destroy();
  own[0]?.destroy();
  assert.equal(connections.prove(connect(connections), 'greedy'), true);
});
