import { type Clock, SeededRandom } from '../base/mod.ts';
import { RuntimeApi } from './runtime-api.ts';

/** A Runtime API for a runtime without extensions. */
export function runtimeApiAlone(clock: Clock): RuntimeApi {
  return new RuntimeApi({
    clock,
    random: new SeededRandom(1),
    sandbox: {
      identity: { accountId: '0', functionName: 'f', functionVersion: '1', handler: 'h' },
      externalExtensions: [],
      connect: () => Promise.reject(new Error('nobody subscribed')),
      onPlatformEvent: () => {},
    },
  });
}
