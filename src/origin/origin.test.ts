import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { DirectoryObjects } from './directory-objects.ts';
import { MemoryObjects } from './memory-objects.ts';
import { directoryOrigin, memoryOrigin } from './mod.ts';
import { objectStoreConformance } from './object-store.conformance.ts';
import { originConformance } from './origin.conformance.ts';

const options = { clock: systemClock, random: systemRandom };

objectStoreConformance('memory objects', async () => new MemoryObjects());
objectStoreConformance(
  'directory objects',
  async (t) => new DirectoryObjects(temporaryDirectory(t), systemClock, systemRandom),
);
originConformance('memory origin', async () => memoryOrigin(options));
originConformance('directory origin', async (t) => directoryOrigin(temporaryDirectory(t), options));
