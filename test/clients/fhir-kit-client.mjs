// Works at a hospital with "fhir-kit-client":
//   node fhir-kit-client.mjs {base URL} {key or token}
// and prints what it saw as one line of JSON.
import { Client } from 'fhir-kit-client';
import { newPatient, renamed } from './patient.mjs';
import { report } from './report.mjs';

const [baseUrl, bearerToken] = process.argv.slice(2);
const client = new Client({ baseUrl, bearerToken });
const resourceType = 'Patient';
const { tokenUrl } = await client.smartAuthMetadata();

const found = [];
let pages = 0;
let bundle = await client.search({ resourceType, searchParams: { _count: 30 } });
while (bundle) {
  pages++;
  for (const { resource } of bundle.entry ?? []) found.push(resource.id);
  bundle = await client.nextPage({ bundle });
}

const first = found[0];
const read = await client.read({ resourceType, id: first });

const created = await client.create({ resourceType, body: newPatient('fhir-kit-client') });
const { id } = created;
const body = renamed(await client.read({ resourceType, id }));
await client.update({ resourceType, id, body, options: { headers: { 'If-Match': `W/"${body.meta.versionId}"` } } });
const updated = await client.read({ resourceType, id });

const delivered = await client.create({ resourceType: 'DocumentReference', body: report(id) });
const document = await client.read({ resourceType: 'DocumentReference', id: delivered.id });

let refusal;
try {
  await client.read({ resourceType, id: 'nobody' });
} catch ({ response: { status, data } }) {
  refusal = { status, resourceType: data.resourceType, code: data.issue[0].code };
}

console.log(JSON.stringify({
  patients: found.length, distinct: new Set(found).size, pages, asked: first, read: read.id,
  created: id, family: updated.name[0].family, version: updated.meta.versionId, refusal,
  document: delivered.id, pdf: document.content[0].attachment.data, tokenURL: tokenUrl,
}));
