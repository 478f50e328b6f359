// Gets tokens with "openid-client":
//   node openid-client.mjs {issuer} {resource URL} {scope} {clients}
// clients is an array of {method, id, secret} or {method, id, jwk}; method is one
// of client_secret_basic, client_secret_post and private_key_jwt. Each gets a
// token, reads the resource with it, gets another one and revokes that. What
// became of it is printed as one line of JSON.
import * as oauth from 'openid-client';
import { importJWK } from 'jose';

const [issuer, resource, scope, clients] = process.argv.slice(2);

const authentication = async ({ method, secret, jwk }) => {
  switch (method) {
    case 'client_secret_basic': return oauth.ClientSecretBasic(secret);
    case 'client_secret_post': return oauth.ClientSecretPost(secret);
    default: return oauth.PrivateKeyJwt({ key: await importJWK(jwk), kid: jwk.kid });
  }
};

const results = [];
for (const client of JSON.parse(clients)) {
  const config = await oauth.discovery(new URL(issuer), client.id, undefined, await authentication(client), {
    algorithm: 'oauth2', // RFC 8414
    execute: [oauth.allowInsecureRequests],
  });
  const grant = () => oauth.clientCredentialsGrant(config, { scope });
  const token = await grant();
  const answer = await oauth.fetchProtectedResource(config, token.access_token, new URL(resource), 'GET');
  const revoked = (await grant()).access_token;
  await oauth.tokenRevocation(config, revoked);
  results.push({
    method: client.method, alg: client.jwk?.alg, token: token.access_token, type: token.token_type,
    scope: token.scope, expires: token.expires_in, status: answer.status, read: (await answer.json()).id, revoked,
  });
}
console.log(JSON.stringify(results));
