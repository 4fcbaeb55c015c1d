import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { useRoute } from 'preact-iso';
import { Problem, Skeleton } from '../../components/panel.tsx';
import { OpenHttpDocument } from '../../generated.ts';
import { gateway } from '../../streams/gateway.ts';

/**
 * Opens the HTTP port of a job's running step. A browser sends no key with an address, so this page
 * makes a link with the key of whoever is signed in, and goes there.
 */
export function OpenHttpPage() {
  const { params } = useRoute();
  const jobId = params.id ?? '';
  const problem = useSignal<Error | undefined>(undefined);
  useEffect(() => {
    gateway.request(OpenHttpDocument, { jobId }).then(
      ({ openHttp }) => {
        if (openHttp.__typename === 'OpenHttpPayload') location.replace(openHttp.url);
        else problem.value = new Error(openHttp.message);
      },
      (error: Error) => {
        problem.value = error;
      },
    );
  }, [jobId]);
  return problem.value ? <Problem error={problem.value} /> : <Skeleton rows={2} />;
}
