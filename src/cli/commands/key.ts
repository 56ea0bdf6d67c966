import type { Command } from 'commander';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

const serve = () => import('../../serve/mod.ts');

function addState(parent: Command, name: string, state: 'enabled' | 'disabled'): void {
  const what = state === 'disabled' ? 'makes a key refuse to wrap and unwrap' : 'ends that';
  const command = parent.command(`${name} <key-id>`).description(what);
  withDataOptions(command).action(async (keyId: string, options: CommonOptions) => {
    const { openStores, setKeyState } = await serve();
    await setKeyState(await openStores(options.data), keyId, state);
    createOutput(options.json).answer({ keyId, state }, `${keyId} is ${state}`);
  });
}

/** The accounts' keys; `image inspect` shows which one wraps an image's data key. */
export function registerKey(program: Command): void {
  const parent = program.command('key').description("manages the accounts' keys");
  const rotate = parent
    .command('rotate <account>')
    .description(
      'gives an account a new key and wraps its manifests under it; no chunk is touched',
    );
  withDataOptions(rotate).action(async (account: string, options: CommonOptions) => {
    const { openStores, rotateKey } = await serve();
    const report = await rotateKey(await openStores(options.data), account);
    const text = `${report.keyId} is the present key; ${report.manifests} manifests rewrapped`;
    createOutput(options.json).answer(report, text);
  });
  const rewrap = parent
    .command('rewrap <account>')
    .description("wraps an account's manifests under its present key, as after a change in KMS");
  withDataOptions(rewrap).action(async (account: string, options: CommonOptions) => {
    const { openStores, rewrapAccount } = await serve();
    const report = await rewrapAccount(await openStores(options.data), account);
    createOutput(options.json).answer(report, `${report.manifests} manifests rewrapped`);
  });
  addState(parent, 'disable', 'disabled');
  addState(parent, 'enable', 'enabled');
}
