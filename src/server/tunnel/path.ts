/** Where a job's HTTP port is at the gateway. */
export interface StepPath {
  readonly jobId: string;
  /** The token of a link (`openHttp`). Null: the request has to be signed in. */
  readonly token: string | null;
  /** What precedes the step's own paths: `/jobs/job_…/http~TOKEN`. */
  readonly prefix: string;
  /** The target that the step gets. Null if the slash behind the prefix is missing. */
  readonly target: string | null;
}

/**
 * Reads `/jobs/ID/http/PATH` and `/jobs/ID/http~TOKEN/PATH`. Null for any other target. The rest is
 * kept as it is: to the step, `//` is not `/`.
 */
export function readStepPath(target = ''): StepPath | null {
  const local = target.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, '');
  const [, prefix = '', jobId = '', token, rest = ''] = PATH.exec(local) ?? [];
  if (jobId === '') return null;
  return { jobId, token: token ?? null, prefix, target: rest.startsWith('/') ? rest : null };
}

const PATH = /^(\/jobs\/(job_[0-9a-z]{26})\/http(?:~([\w.-]+))?)((?:[/?].*)?)$/;
