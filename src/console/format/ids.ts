/** `job_01m8…fj04`: the first characters tell the kind and the time, the last tell ids apart. */
export const shortenId = (id: string): string => (id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`);
