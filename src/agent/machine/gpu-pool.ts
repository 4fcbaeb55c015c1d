/** Who has which GPU of this device: each is one step's at a time. */
export class GpuPool {
  #offered: readonly string[] | null = null;
  readonly #held = new Set<string>();

  /** Whether it is known what GPUs there are. Else none is handed out, and none is kept from a step. */
  get isKnown(): boolean {
    return this.#offered !== null;
  }

  /** From now on these are there, by UUID. Those that a step holds stay its own. Null: nothing is known. */
  offer(ids: readonly string[] | null): void {
    this.#offered = ids;
  }

  /** So many that nobody holds, or null when there are not as many. */
  take(count: number): readonly string[] | null {
    const free = (this.#offered ?? []).filter((id) => !this.#held.has(id)).slice(0, count);
    if (free.length < count) return null;
    for (const id of free) this.#held.add(id);
    return free;
  }

  giveBack(ids: readonly string[]): void {
    for (const id of ids) this.#held.delete(id);
  }
}

/**
 * The variables by which programs and NVIDIA's container runtime find their GPUs. Null: this device knows of none, and leaves them as they are. An empty
 * CUDA_VISIBLE_DEVICES hides all from CUDA; `void` keeps a runtime that is the engine's default from adding all of them, as many images ask it to.
 */
export function gpuEnvironment(ids: readonly string[] | null): Record<string, string> {
  if (ids === null) return {};
  return { CUDA_VISIBLE_DEVICES: ids.join(','), NVIDIA_VISIBLE_DEVICES: ids.length === 0 ? 'void' : ids.join(',') };
}
