// A real OpenID provider (panva's oidc-provider) with its own development pages: what a test gives as its first
// argument is {port, clients, accounts}, where accounts are claims by login name.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { port, clients, accounts } = JSON.parse(process.argv[2]);

function makeKey(kind, options, name) {
  const { privateKey } = generateKeyPairSync(kind, options);
  return { ...privateKey.export({ format: "jwk" }), use: "sig", kid: `${name}-${process.pid}` };
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  jwks: {
    keys: [makeKey("rsa", { modulusLength: 2048 }, "rsa"), makeKey("ec", { namedCurve: "P-256" }, "ec")],
  },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: [String(process.pid)] },
  pkce: { required: () => true },
  async findAccount(context, id) {
    const claims = accounts[id];
    return claims && { accountId: id, claims: async () => ({ sub: id, ...claims }) };
  },
});
provider.listen(port, "127.0.0.1", () => console.log("ready"));
