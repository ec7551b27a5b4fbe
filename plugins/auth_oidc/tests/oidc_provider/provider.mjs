// A certified OpenID provider on a free port, for whoever names themselves in its form. Prints its address.
import http from "node:http";
import { Provider } from "oidc-provider";

const [redirect] = process.argv.slice(2);
const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const shared = { redirect_uris: [redirect], response_types: ["code"], grant_types: ["authorization_code"] };
  const provider = new Provider(issuer, {
    clients: [
      { ...shared, client_id: "agentic", client_secret: "a secret of the client's" },
      { ...shared, client_id: "posting", client_secret: "another secret", token_endpoint_auth_method: "client_secret_post" },
      { ...shared, client_id: "public", token_endpoint_auth_method: "none" },
    ],
    pkce: { required: () => true },
    scopes: ["openid", "email", "profile", "groups"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"], groups: ["groups"] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        preferred_username: id,
        email: `${id}@example.org`,
        email_verified: id !== "mallory",
        groups: id === "anna" ? ["staff", "agentic-admins"] : ["staff"],
      }),
    }),
    cookies: { keys: ["a key for tests"] },
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
