import type { ChildProcess } from 'node:child_process';
import { limits, SluiceError, toSluiceError, type WireError } from '../base/mod.ts';
import type { KeepNote } from '../origin/mod.ts';

interface Note {
  readonly type: 'note';
  readonly id: number;
  readonly key: string;
  readonly bytes: Uint8Array;
}

interface Noted {
  readonly type: 'noted';
  readonly id: number;
  readonly failure?: WireError;
}

/** The agent's end, where it may only read the origin: its worker keeps its notes. */
export function sendNotes(agent: NodeJS.Process): KeepNote {
  const waiting = new Map<number, (answer: Noted) => void>();
  let nextId = 0;
  agent.on('message', (message: Noted) => {
    if (message.type !== 'noted') return;
    waiting.get(message.id)?.(message);
    waiting.delete(message.id);
  });
  return async (key, bytes) => {
    const id = nextId++;
    const { failure } = await new Promise<Noted>((resolve) => {
      waiting.set(id, resolve);
      const note: Note = { type: 'note', id, key, bytes };
      agent.send?.(note);
    });
    if (failure) throw SluiceError.of(failure);
  };
}

/** The worker's end. An agent may leave only a limited number of notes. */
export function hearNotes(agent: ChildProcess, keep: KeepNote): ChildProcess {
  let left = limits.agent.notes;
  const hear = async (message: unknown) => {
    const { type, id, key, bytes } = message as Note;
    if (type !== 'note') return;
    const answer = (failure?: WireError) => {
      if (agent.connected) agent.send({ type: 'noted', id, ...(failure && { failure }) });
    };
    try {
      if (left-- <= 0) throw new SluiceError('ACCESS_DENIED', `${key}: too many notes`);
      await keep(String(key), Buffer.from(bytes));
      answer();
    } catch (error) {
      answer(toSluiceError(error).toJSON());
    }
  };
  return agent.on('message', (message) => void hear(message));
}
