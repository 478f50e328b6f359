// Checks an OpenAPI document with a validator that others wrote, and prints what
// it says as one line of JSON.
//
// usage: node validate-openapi.mjs FILE
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const validator = new Validator();
const { valid, errors } = await validator.validate(document);
console.log(JSON.stringify({ valid, errors, version: validator.version, paths: Object.keys(document.paths ?? {}).length }));
