/** Remembers values up to a number of bytes, by an estimate that each comes with. What was used last is forgotten last. */
export class SizedCache<K, V> {
  readonly #atMost: number;
  readonly #entries = new Map<K, { readonly value: V; readonly bytes: number }>();
  #bytes = 0;

  constructor(bytesAtMost: number) {
    this.#atMost = bytesAtMost;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** What is larger than all that may be remembered is not. */
  set(key: K, value: V, bytes: number): void {
    this.#delete(key);
    if (bytes > this.#atMost) return;
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#atMost) break;
      this.#delete(oldest);
    }
  }

  #delete(key: K): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
