/** Where things stand in a zip archive (PKWARE APPNOTE 6.3, section 4.3). */
export const END_SIGNATURE = 0x06054b50;
export const END_BYTES = 22;
export const COMMENT_BYTES_MAX = 65_535;
export const END64_LOCATOR_SIGNATURE = 0x07064b50;
export const END64_LOCATOR_BYTES = 20;
export const END64_SIGNATURE = 0x06064b50;
export const END64_BYTES = 56;
export const ENTRY_SIGNATURE = 0x02014b50;
export const ENTRY_BYTES = 46;
export const LOCAL_SIGNATURE = 0x04034b50;
export const LOCAL_BYTES = 30;

export const METHOD_STORED = 0;
export const METHOD_DEFLATED = 8;

export const FLAG_ENCRYPTED = 1;
export const FLAG_UTF8 = 0x800;

/** The upper byte of “version made by” of an archive whose attributes are Unix modes. */
export const HOST_UNIX = 3;
export const S_IFMT = 0o170000;
export const S_IFDIR = 0o040000;
export const S_IFREG = 0o100000;
export const S_IFLNK = 0o120000;

/** In a field of the old width: see the entry's zip64 field. */
export const IN_ZIP64 = 0xffff_ffff;
export const ZIP64_FIELD = 0x0001;
