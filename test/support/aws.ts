/** Debian's aws command: another one on the PATH may be of another major version. */
export const AWS = '/usr/bin/aws';
export const AWS_NEED = `tool:${AWS}` as const;
