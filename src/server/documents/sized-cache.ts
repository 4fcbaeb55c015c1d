/** An LRU cache bounded in bytes. Each value comes with an estimate of its size. */
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

  /** A value larger than the whole cache is not stored. */
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
