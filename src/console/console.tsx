import { useEffect } from 'preact/hooks';
import { ErrorBoundary, LocationProvider, lazy, Route, Router } from 'preact-iso';
import { Help } from './components/help.tsx';
import { listenToKeys } from './components/keys.ts';
import { Palette } from './components/palette.tsx';
import { Shell, WatchShell } from './components/shell.tsx';
import { HomePage } from './pages/home/home.tsx';
import { JobPage } from './pages/job/job.tsx';
import { OpenHttpPage } from './pages/job/open-http.tsx';
import { JobsPage } from './pages/jobs/jobs.tsx';
import { NothingHere } from './pages/nothing-here.tsx';
import { SignInPage } from './pages/sign-in.tsx';
import { type Session, signIn } from './streams/session.ts';
import { readViewer } from './streams/viewer.ts';

const ComparePage = lazy(() => import('./pages/compare.tsx').then(({ ComparePage }) => ComparePage));
const DevicesPage = lazy(() => import('./pages/devices.tsx').then(({ DevicesPage }) => DevicesPage));
const DevicePage = lazy(() => import('./pages/device.tsx').then(({ DevicePage }) => DevicePage));
const ExperimentsPage = lazy(() => import('./pages/experiments.tsx').then(({ ExperimentsPage }) => ExperimentsPage));
const ExperimentPage = lazy(() => import('./pages/experiment.tsx').then(({ ExperimentPage }) => ExperimentPage));
const ModelsPage = lazy(() => import('./pages/models.tsx').then(({ ModelsPage }) => ModelsPage));
const ModelPage = lazy(() => import('./pages/model.tsx').then(({ ModelPage }) => ModelPage));
const ApplicationsPage = lazy(() => import('./pages/applications.tsx').then(({ ApplicationsPage }) => ApplicationsPage));
const ApplicationPage = lazy(() => import('./pages/application.tsx').then(({ ApplicationPage }) => ApplicationPage));
const SettingsPage = lazy(() => import('./pages/settings.tsx').then(({ SettingsPage }) => SettingsPage));

/** The addresses that the router follows. GraphiQL is a page of its own. */
const ownPages = /^\/(?!graphql(?:[/?#]|$))/;

export function Console() {
  const { value } = signIn;
  if (value.state === 'opening') return null;
  if (value.state === 'out') return <SignInPage problem={value.problem} />;
  return <SignedIn key={value.session.keyId} session={value.session} />;
}

function SignedIn({ session }: { readonly session: Session }) {
  useEffect(() => {
    // A key that has ended signs out (streams/gateway.ts); other failures show where they matter.
    readViewer().catch(() => {});
  }, []);
  useEffect(() => (session.jobId === null ? listenToKeys() : undefined), [session]);
  return (
    <LocationProvider scope={ownPages}>
      <ErrorBoundary>
        {session.jobId === null ? (
          <Shell>
            <Pages />
          </Shell>
        ) : (
          <WatchShell>
            <Router>
              <Route path="/jobs/:id/http" component={OpenHttpPage} />
              <Route path="/jobs/:id/:tab?" component={JobPage} />
              <Route default component={NothingHere} />
            </Router>
          </WatchShell>
        )}
      </ErrorBoundary>
      {session.jobId === null && <Palette />}
      <Help />
    </LocationProvider>
  );
}

function Pages() {
  return (
    <Router>
      <Route path="/" component={HomePage} />
      <Route path="/jobs" component={JobsPage} />
      <Route path="/jobs/:id/http" component={OpenHttpPage} />
      <Route path="/jobs/:id/:tab?" component={JobPage} />
      <Route path="/compare" component={ComparePage} />
      <Route path="/devices" component={DevicesPage} />
      <Route path="/devices/:id" component={DevicePage} />
      <Route path="/experiments" component={ExperimentsPage} />
      <Route path="/experiments/:id" component={ExperimentPage} />
      <Route path="/models" component={ModelsPage} />
      <Route path="/models/:id" component={ModelPage} />
      <Route path="/applications" component={ApplicationsPage} />
      <Route path="/applications/:id" component={ApplicationPage} />
      <Route path="/settings/:tab?" component={SettingsPage} />
      <Route default component={NothingHere} />
    </Router>
  );
}
