import { existsSync } from 'node:fs';
import type { HelperMount } from './types.ts';

/** How names become addresses, and which authorities are trusted. */
const FILES = [
  '/etc/resolv.conf',
  '/etc/hosts',
  '/etc/nsswitch.conf',
  '/etc/gai.conf',
  '/etc/ssl/certs',
];

/** What a helper on the host's network needs of the host's files. */
export function networkMounts(): HelperMount[] {
  return FILES.filter((path) => existsSync(path)).map((path) => ({
    path,
    access: 'read',
    owners: 'kept',
  }));
}
