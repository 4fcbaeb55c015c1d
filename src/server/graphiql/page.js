// The script of GraphiQL's page. It finds the key, puts existing ids into the example tabs, and
// starts GraphiQL.
//
// The key comes in the fragment of the link (#key=tyk_…), which browsers do not send, so no server
// logs it. It is stored for this tab only, and removed from the address bar, so that it does not get
// into the history, a bookmark or a screenshot.
(() => {
  const KEPT_AS = 'trainyard.key';
  const { version } = document.currentScript.dataset;
  const form = document.querySelector('#sign-in');

  function takeKey() {
    const given = new URLSearchParams(location.hash.slice(1)).get('key');
    if (given) {
      sessionStorage.setItem(KEPT_AS, given.trim());
      history.replaceState(null, '', location.pathname + location.search);
    }
    return sessionStorage.getItem(KEPT_AS);
  }

  async function ask(key, query) {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ query }),
    });
    return { status: response.status, body: await response.json() };
  }

  // The newest project and job, so that the tabs run unchanged. If the key sees none, or the schema is
  // older, the tabs stay as written.
  async function findIds(key) {
    const { body } = await ask(key, '{ projects(first: 1) { nodes { id } } jobs(first: 1) { nodes { id } } }');
    return { projectId: body.data?.projects?.nodes?.[0]?.id, jobId: body.data?.jobs?.nodes?.[0]?.id };
  }

  // Not as variables: GraphiQL shows its first default tab without variables.
  function fillIn(text, { projectId, jobId }) {
    return text.replaceAll('proj_…', projectId ?? 'proj_…').replaceAll('job_…', jobId ?? 'job_…');
  }

  // Tabs that GraphiQL stored before there was a job.
  function fillKept(ids) {
    for (const name of ['graphiql:tabState', 'graphiql:query']) {
      const kept = localStorage.getItem(name);
      if (kept !== null) localStorage.setItem(name, fillIn(kept, ids));
    }
  }

  function load(file) {
    return new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = `/graphql/${file}?v=${version}`;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${file} did not load`));
      document.head.append(script);
    });
  }

  function signIn(message) {
    form.hidden = false;
    form.querySelector('output').textContent = message;
    form.onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEPT_AS, form.elements.key.value.trim());
      form.reset();
      start().catch(fail);
    };
  }

  async function start() {
    const key = takeKey();
    if (!key) return signIn('');
    const { status } = await ask(key, '{ __typename }');
    if (status === 401) {
      sessionStorage.removeItem(KEPT_AS);
      return signIn('This key is not valid: it may have expired or been revoked.');
    }
    form.hidden = true;
    const workers = { editorWorkerService: 'editor', json: 'json', graphql: 'graphql' };
    self.MonacoEnvironment = {
      globalAPI: false,
      getWorkerUrl: (_module, label) => `/graphql/${workers[label] ?? 'editor'}.worker.js?v=${version}`,
    };
    const [ids] = await Promise.all([findIds(key), load('graphiql.js')]);
    const authorization = `Bearer ${key}`;
    const tabs = JSON.parse(document.querySelector('#tabs').textContent).map(({ query }) => ({ query: fillIn(query, ids) }));
    fillKept(ids);
    YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
      title: 'Trainyard',
      logo: ' ',
      endpoint: '/graphql',
      subscriptionsProtocol: 'WS',
      additionalHeaders: { authorization },
      connectionParams: { authorization },
      defaultTabs: tabs,
      shouldPersistHeaders: false,
      onEditQuery: () => {}, // Yoga's GraphiQL would write each query to the address bar, and so to logs
    });
  }

  function fail(error) {
    signIn(`GraphiQL could not start: ${error.message}`);
  }

  // A link with another key, opened in the same tab, changes only the fragment.
  addEventListener('hashchange', () => location.hash.includes('key=') && location.reload());
  start().catch(fail);
})();
