// Works at a hospital with SMART's "fhirclient":
//   node fhirclient.mjs {base URL} {key or token}
// and prints what it saw as one line of JSON.
import smart from 'fhirclient';
import { newPatient, renamed } from './patient.mjs';
import { report } from './report.mjs';

const [base, key] = process.argv.slice(2);
const state = new Map();
const storage = { get: async (name) => state.get(name), set: async (name, value) => state.set(name, value), unset: async (name) => state.delete(name) };
const app = smart({ headers: { host: 'app.example' }, url: '/', socket: {} }, {}, storage);

// It asks .well-known/smart-configuration, and /metadata because the former has no authorization endpoint.
await app.authorize({ iss: base, clientId: 'app', noRedirect: true, stateKey: 'found' });
const { tokenUri } = state.get('found');

const client = app.client({ serverUrl: base, tokenResponse: { access_token: key } });

const found = [];
let pages = 0;
for await (const page of client.pages('Patient?_count=30')) {
  pages++;
  for (const { resource } of page.entry ?? []) found.push(resource.id);
}

const first = found[0];
const read = await client.request(`Patient/${first}`);

const created = await client.create(newPatient('fhirclient'));
const { body, response } = await client.request({ url: `Patient/${created.id}`, includeResponse: true });
await client.update(renamed(body), { headers: { 'If-Match': response.headers.get('etag') } });
const updated = await client.request(`Patient/${created.id}`);

const delivered = await client.create(report(created.id));
const document = await client.request(`DocumentReference/${delivered.id}`);

let refusal;
try {
  await client.request('Patient/nobody');
} catch (error) {
  // The client has read the body already and holds it, as JSON, at the end of its message.
  const outcome = JSON.parse(error.message.slice(error.message.indexOf('{')));
  refusal = { status: error.status, resourceType: outcome.resourceType, code: outcome.issue[0].code };
}

console.log(JSON.stringify({
  patients: found.length, distinct: new Set(found).size, pages, asked: first, read: read.id,
  created: created.id, family: updated.name[0].family, version: updated.meta.versionId, refusal,
  document: delivered.id, pdf: document.content[0].attachment.data, tokenURL: tokenUri,
}));
