// An identity provider, "oidc-provider":
//   node oidc-provider.mjs {port} {client id} {client secret} {JWK set}
// The first key of the set signs. The client gets access tokens (JWT, RFC 9068)
// for the resource that it names (RFC 8707) by its credentials. "ready" is printed
// when the provider listens at the port of the loopback interface.
import Provider from 'oidc-provider';

const [port, id, secret, jwks] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const { alg, kid } = JSON.parse(jwks).keys[0];

const provider = new Provider(issuer, {
  jwks: JSON.parse(jwks),
  clients: [{
    client_id: id, client_secret: secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    id_token_signed_response_alg: alg, // it gets none, but the provider has no key for the default
  }],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        audience: resource, scope: 'system/Patient.rs', accessTokenFormat: 'jwt', jwt: { sign: { alg, kid } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
