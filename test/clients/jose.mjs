// Signs client assertions with "jose", as SMART Backend Services has it, and
// verifies the tokens that come:
//   node jose.mjs {issuer} {audience} {clients}
// clients is an array of {id, jwk}. Each assertion is sent twice. What became of
// it is printed as one line of JSON.
import { SignJWT, createRemoteJWKSet, importJWK, jwtVerify } from 'jose';

const [issuer, audience, clients] = process.argv.slice(2);
const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));

const results = [];
for (const { id, jwk } of JSON.parse(clients)) {
  const assertion = await new SignJWT()
    .setProtectedHeader({ alg: jwk.alg, kid: jwk.kid, typ: 'JWT' })
    .setIssuer(id).setSubject(id).setAudience(metadata.token_endpoint)
    .setJti(crypto.randomUUID()).setIssuedAt().setExpirationTime('4m')
    .sign(await importJWK(jwk));
  const send = () => fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      scope: 'system/Patient.rs',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
  const answer = await send();
  const { access_token: token, error } = await answer.json();
  const again = await send();
  const result = { alg: jwk.alg, status: answer.status, error, again: again.status, refusal: (await again.json()).error };
  if (token) {
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt', requiredClaims: ['jti', 'exp', 'client_id'] });
    Object.assign(result, { token, client: payload.client_id, subject: payload.sub, life: payload.exp - payload.iat, signature: protectedHeader.alg });
  }
  results.push(result);
}
console.log(JSON.stringify(results));
