import { file, layer, pax, symlink } from '../raw-tar.ts';
import type { TarCase } from '../tar-case.ts';

const one = (name: string, records: Record<string, string | Buffer>, member = file('f', 'x')) => ({
  name,
  layers: [layer(pax(records), member)],
});
const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
const acl = Buffer.from(
  '0200000001000600ffffffff02000700e803000004000400ffffffff10000700ffffffff20000400ffffffff',
  'hex',
);
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');
const unpadded = (text: string) => base64(text).replace(/=+$/, '');

const NO_SUCH_NAME =
  'an attribute that no Linux file system stores is left out with a warning, and the image is taken';
const LIBARCHIVE =
  'libarchive’s own form of an attribute is read where SCHILY’s does not stand beside it';

const hex = (bytes: string | Buffer) => `0x${Buffer.from(bytes).toString('hex')}`;

export const attributeCases: readonly TarCase[] = [
  one('a user attribute', { 'SCHILY.xattr.user.a': 'value' }),
  one('two attributes', { 'SCHILY.xattr.user.a': '1', 'SCHILY.xattr.user.b': '2' }),
  one('a binary attribute', { 'SCHILY.xattr.user.a': Buffer.from([0, 255, 10, 61, 0]) }),
  one('an attribute without a value', { 'SCHILY.xattr.user.a': '' }),
  one('an attribute with “=” in its value', { 'SCHILY.xattr.user.a': 'b=c=d' }),
  one('a capability', { 'SCHILY.xattr.security.capability': capability }),
  one('an attribute for the host’s own sake', { 'SCHILY.xattr.trusted.a': 'x' }),
  one('SELinux’s label', { 'SCHILY.xattr.security.selinux': 'system_u:object_r:bin_t:s0\0' }),
  one('an overlay’s mark', { 'SCHILY.xattr.trusted.overlay.opaque': 'y' }),
  one(
    'an access list',
    { 'SCHILY.xattr.system.posix_acl_access': acl },
    file('f', 'x', { mode: 0o674 }),
  ),
  one('a large attribute', { 'SCHILY.xattr.user.a': 'v'.repeat(3000) }),
  one('SCHILY’s lists and flags', { 'SCHILY.acl.access': 'user::rw-', 'SCHILY.fflags': 'nodump' }),
  one('a security attribute of a symlink', { 'SCHILY.xattr.security.capability': capability }),
  one('an attribute of a directory', { 'SCHILY.xattr.user.a': 'x' }),
  one('attributes in RHT’s words', { 'RHT.security.selinux': 'x' }),
  one('SCHILY’s and libarchive’s form of one', {
    'LIBARCHIVE.xattr.user.a': base64('libarchive'),
    'SCHILY.xattr.user.a': 'schily',
  }),
  {
    ...one('libarchive’s form alone', { 'LIBARCHIVE.xattr.user.a': base64('value') }),
    why: LIBARCHIVE,
    has: { '/f': { xattrs: `user.a=${hex('value')}` } },
  },
  {
    ...one('libarchive’s form, without its padding', {
      'LIBARCHIVE.xattr.user.a': unpadded('val'),
    }),
    why: LIBARCHIVE,
    has: { '/f': { xattrs: `user.a=${hex('val')}` } },
  },
  {
    ...one('libarchive’s form, its name encoded', {
      'LIBARCHIVE.xattr.user.a%3Db%25c': base64('value'),
    }),
    why: LIBARCHIVE,
    has: { '/f': { xattrs: `user.a\\075b%c=${hex('value')}` } },
  },
  one('libarchive’s form of nothing', { 'LIBARCHIVE.xattr.user.a': '' }),
  {
    ...one('macOS’s provenance', { 'SCHILY.xattr.com.apple.provenance': '\x01\x02\0' }),
    warns: 'attribute "com.apple.provenance" of 1 entry was left out',
  },
  one('macOS’s provenance, in libarchive’s form beside', {
    'LIBARCHIVE.xattr.com.apple.provenance': base64('\x01\x02\0'),
    'SCHILY.xattr.com.apple.provenance': '\x01\x02\0',
    'SCHILY.xattr.user.a': 'x',
  }),
  {
    ...one('a name space without a name', { 'SCHILY.xattr.user.': 'x' }),
    why: NO_SUCH_NAME,
    has: { '/f': { size: '1' } },
  },
  {
    ...one('a symlink with a user attribute', { 'SCHILY.xattr.user.a': 'x' }, symlink('s', 'f')),
    why: 'a disk can hold what the kernel refuses to set on a symlink',
    has: { '/s': { target: 'f' } },
  },
  {
    ...one('an attribute with a name of 300 bytes', {
      [`SCHILY.xattr.user.${'n'.repeat(300)}`]: 'x',
    }),
    refuses: 'IMAGE_ENTRY_INVALID',
  },
];
