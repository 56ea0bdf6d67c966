import { readFileSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';

/** The host's own file, and where it is when that one names a resolver on the host itself. */
const FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];
/** As many as resolvers read. */
const MOST = 3;

/** The host's name servers that a sandbox can reach too: of IPv4, and not on the host's loopback. */
export function hostNameservers(files: readonly string[] = FILES): string[] {
  for (const file of files) {
    const found = nameserversIn(read(file)).filter(
      (address) => isIPv4(address) && !address.startsWith('127.'),
    );
    if (found.length > 0) return found.slice(0, MOST);
  }
  return [];
}

/** All that the host's own file names, wherever they are. */
export function nameserversOfHost(files: readonly string[] = FILES.slice(0, 1)): string[] {
  return files
    .flatMap((file) => nameserversIn(read(file)))
    .filter((address) => isIP(address) !== 0);
}

function nameserversIn(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
