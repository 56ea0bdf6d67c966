import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildNodeImage } from '../../examples/demo/build-image.ts';
import { repositoryRoot } from '../repo/repository.ts';

const handlerFile = join(repositoryRoot, 'test/e2e/image/handler.mjs');

/** The demonstration's image with the tests' handler; answers its reference. */
export function buildTestImage(
  directory: string,
  files: Readonly<Record<string, string | Buffer>> = {},
): Promise<string> {
  return buildNodeImage(directory, {
    files: { 'var/task/handler.mjs': readFileSync(handlerFile), ...files },
    handler: 'handler.handler',
  });
}
