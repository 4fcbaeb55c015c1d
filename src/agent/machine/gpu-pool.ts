/** Tracks which step has which of this device's GPUs. A GPU belongs to one step at a time. */
export class GpuPool {
  #offered: readonly string[] | null = null;
  readonly #held = new Set<string>();

  /** Whether the GPUs are known. If not, none is handed out, and none is hidden from a step. */
  get isKnown(): boolean {
    return this.#offered !== null;
  }

  /** Sets the GPUs there are, by UUID. Steps keep those that they hold. Null: unknown. */
  offer(ids: readonly string[] | null): void {
    this.#offered = ids;
  }

  /** Takes this many free GPUs, or returns null if there are fewer. */
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
 * The variables through which programs and NVIDIA's container runtime find their GPUs. Null: this
 * device knows of none and sets nothing. An empty CUDA_VISIBLE_DEVICES hides all GPUs from CUDA.
 * `void` keeps NVIDIA's runtime, where it is the engine's default, from adding all of them, as many
 * images request.
 */
export function gpuEnvironment(ids: readonly string[] | null): Record<string, string> {
  if (ids === null) return {};
  return { CUDA_VISIBLE_DEVICES: ids.join(','), NVIDIA_VISIBLE_DEVICES: ids.length === 0 ? 'void' : ids.join(',') };
}
