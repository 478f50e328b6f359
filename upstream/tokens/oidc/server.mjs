// A certified OAuth 2.0 server (oidc-provider) for tests. It reads one line of
// JSON from standard input, {"token_ttl": seconds, "scopes": [...], "clients":
// [client metadata, RFC 7591]}, serves on a free loopback port, and prints one
// line of JSON with its URLs. To each further line, {"advance": seconds}, it
// puts its clock forward and answers {}. It ends when standard input does.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Provider, errors } from 'oidc-provider';

const input = createInterface({ input: process.stdin });
const config = JSON.parse((await once(input, 'line'))[0]);
input.on('close', () => process.exit(0));

const trueNow = Date.now;
let ahead = 0;
Date.now = () => trueNow() + ahead * 1000;
input.on('line', (line) => {
  ahead += JSON.parse(line).advance;
  console.log('{}');
});

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

// What SMART Backend Services demands beyond RFC 7523.
function assertSMART(ctx, claims, header) {
  const refuse = (reason) => { throw new errors.InvalidClientAuth(reason); };
  if (![claims.aud].flat().includes(`${issuer}/token`)) refuse('aud must be the token URL');
  if (claims.exp > Date.now() / 1000 + 300) refuse('exp must be within five minutes');
  if (claims.sub !== claims.iss) refuse('sub must be the client_id');
  if (header.typ !== 'JWT') refuse('typ must be JWT');
  if (!header.kid) refuse('kid is missing');
}

const provider = new Provider(issuer, {
  clients: config.clients,
  scopes: config.scopes,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'RS384', 'ES256', 'ES384'] },
  assertJwtClientAuthClaimsAndHeader: assertSMART,
  // Keys are fetched from loopback addresses, which the default refuses.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  ttl: { ClientCredentials: config.token_ttl },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
  },
});
server.on('request', provider.callback());

console.log(JSON.stringify({
  issuer,
  configuration: `${issuer}/.well-known/openid-configuration`,
  token_endpoint: `${issuer}/token`,
  introspection_endpoint: `${issuer}/token/introspection`,
  revocation_endpoint: `${issuer}/token/revocation`,
}));
