import { readdirSync } from 'node:fs';
import { sandboxConformance } from '../../src/isolation/sandbox.conformance.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import {
  loopDevicesOf,
  loopDevicesUnder,
  makeDisk,
  makeFactory,
  makeSpec,
  processesWith,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

let benches = 0;

for (const tmp of ['in memory', 'on a disk'] as const) {
  sandboxConformance(`lean, /tmp ${tmp}`, async (t) => {
    if (!hostHas(t, ...SANDBOX_NEEDS)) return undefined;
    const { disk } = makeDisk(t);
    const scratchDirectory = temporaryDirectory(t, 'scratch');
    const factory = await makeFactory(t, tmp === 'on a disk' ? { scratchDirectory } : {});
    const needle = `needle-${process.pid}-${benches++}`;
    const environment = { PATH: '/bin', NEEDLE: needle };
    return {
      provider: factory.provider,
      keepsTmp: tmp === 'on a disk',
      lacks: ['capture', 'restore', 'fork'],
      specOf: (script) => makeSpec(disk, { argv: ['/bin/sh', '-c', script], environment }),
      leftovers: () => [
        ...processesWith(needle).map((pid) => `process ${pid}`),
        ...loopDevicesOf(disk),
        ...loopDevicesUnder(scratchDirectory),
      ],
      disksOfTmp: () => readdirSync(scratchDirectory).length,
      directory: () => temporaryDirectory(t, 'snapshot'),
    };
  });
}
