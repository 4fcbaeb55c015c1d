/** A step's program: it prints what it learns from its environment alone, as one line of JSON. */
const names = ['URL', 'TOKEN', 'PROJECT_ID', 'JOB_ID', 'STEP_NUMBER'].map((name) => `TRAINYARD_${name}`);
const environment = Object.fromEntries(names.map((name) => [name, process.env[name]]));
const response = await fetch(`${environment.TRAINYARD_URL}/graphql`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${environment.TRAINYARD_TOKEN}` },
  body: JSON.stringify({ query: '{ viewer { kind job { id } project { id } } }' }),
});
const { data } = (await response.json()) as { data: object }; // by the query
console.log(JSON.stringify({ environment, ...data }));
