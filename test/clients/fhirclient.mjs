// Works at a hospital with SMART's "fhirclient":
//   node fhirclient.mjs {base URL} {key}
// and prints what it saw as one line of JSON.
import smart from 'fhirclient';
import { newPatient, renamed } from './patient.mjs';

const [base, key] = process.argv.slice(2);
const client = smart({ headers: {} }, {}, {}).client({ serverUrl: base, tokenResponse: { access_token: key } });

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
}));
