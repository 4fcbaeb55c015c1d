interface LevelProps {
  /** 0 to 1. More is shown as 1. */
  readonly share: number;
  readonly label: string;
}

/** A bar that is filled so far. */
export function Level({ share, label }: LevelProps) {
  return (
    <span class="level" role="img" aria-label={label}>
      <i style={{ width: `${Math.min(1, share) * 100}%` }} />
    </span>
  );
}
