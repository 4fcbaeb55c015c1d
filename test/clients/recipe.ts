/** What each recipe in examples/clients offers, whatever client it uses. */
export interface Recipe {
  /** Null if no job has this id. */
  findJob(id: string): Promise<{ readonly id: string; readonly name: string; readonly status: string } | null>;
  /** The job's status, or the refusal in one line. */
  cancelJob(jobId: string): Promise<string>;
  /** Resolves when the job has ended. */
  followLog(jobId: string, print: (text: string) => void): Promise<void>;
}
