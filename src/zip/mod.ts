export { readZipContent } from './content.ts';
export { readZipDirectory, unpackedBytes, type ZipEntry } from './directory.ts';
export { writeZip, type ZipMember } from './write-zip.ts';
