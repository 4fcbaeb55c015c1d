/** A value that may be left out: by GraphQL as null, by TypeScript as undefined. */
export type Optional<T> = T | null | undefined;
