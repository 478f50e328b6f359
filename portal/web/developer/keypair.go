package developer

// KeyPair makes what a client that signs registers.
func (issueForm) KeyPair() string { return makeKeyPair }

// makeKeyPair are shell commands that make a key pair for a client that signs:
// private.json for its program, as the quick start reads it, and jwks.json, the
// public half, to upload. Node.js needs no package for it.
const makeKeyPair = `node -e '
const { generateKeyPairSync } = require("node:crypto"), { writeFileSync } = require("node:fs");
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
const jwk = key => ({ ...key.export({ format: "jwk" }), kid: "key-1", alg: "ES384", use: "sig" });
writeFileSync("private.json", JSON.stringify(jwk(privateKey)), { mode: 0o600, flag: "wx" });
writeFileSync("jwks.json", JSON.stringify({ keys: [jwk(publicKey)] }));
'`
