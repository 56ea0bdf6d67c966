import { SluiceError, toSluiceError } from '../base/mod.ts';
import { dataDirectory } from '../config/mod.ts';
import { type HeldKeys, holdKeys } from './key-custody.ts';
import type { KeyAnswer, KeyAnswers, KeyOrder, KeyQuestion } from './key-messages.ts';

type Numbered = KeyOrder & { readonly id: number };

async function answerTo(keys: HeldKeys, ask: KeyQuestion): Promise<KeyAnswers[keyof KeyAnswers]> {
  switch (ask.type) {
    case 'generate':
      return await keys.generateDataKey(ask.context, ask.recipient);
    case 'unwrap': {
      const { keyId, wrapped } = ask.key;
      const key = { keyId, wrapped: Buffer.from(wrapped) };
      return await keys.unwrapDataKey(key, ask.context, ask.recipient);
    }
    case 'salt':
      return await keys.chunkSalt(ask.parts);
    case 'verify':
      return await keys.verifySecrets(ask.names, ask.known);
  }
}

/** The key process: it alone opens keys, and ends with the region that started it. */
function main(): void {
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  let keys: HeldKeys | undefined;
  const obey = async (order: Numbered): Promise<void> => {
    if (order.type === 'start') {
      keys = holdKeys(order.settings, dataDirectory(order.dataPath));
      return;
    }
    let message: KeyAnswer;
    try {
      if (!keys) throw new SluiceError('USAGE', 'keys: asked before it was started');
      message = { id: order.id, answer: await answerTo(keys, order) };
    } catch (error) {
      message = { id: order.id, refusal: toSluiceError(error).toJSON() };
    }
    process.send?.(message);
  };
  process.on('message', (order: Numbered) => void obey(order));
}

main();
