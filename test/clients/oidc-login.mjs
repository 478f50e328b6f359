// An OpenID provider that others wrote (npm oidc-provider), where people log in:
// the portal's tests use its own pages. Whoever logs in as NAME has the e-mail
// address NAME@pacs.example, verified unless the name begins with "unverified".
//
// usage: node oidc-login.mjs PORT CLIENT_ID CLIENT_SECRET REDIRECT_URI JWKS
import Provider from "oidc-provider";

const [port, clientId, clientSecret, redirectUri, jwks] = process.argv.slice(2);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: JSON.parse(jwks),
  clients: [{
    client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri],
    grant_types: ["authorization_code"], response_types: ["code"], id_token_signed_response_alg: "ES256",
  }],
  scopes: ["openid", "email", "profile"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  cookies: { keys: ["a key of the tests"] },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@pacs.example`, email_verified: !id.startsWith("unverified"), name: `${id} of the company` }),
  }),
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
