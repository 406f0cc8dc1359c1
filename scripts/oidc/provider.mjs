// npm's oidc-provider as a company's login. It prints its issuer as a line; then each line of its input is how it goes on:
//   client SECRET REDIRECT_URI    the client `texthub` and where it may be led back to
//   login {"sub": …, "email": …}  who stands in front of the browser from now on, with their claims
//   refuse                        nobody: whoever comes is sent back without a code
// Each is answered by `done`. Its page to log in asks nothing: what is tried here is the protocol.
import http from 'node:http';
import readline from 'node:readline';
import { Provider } from 'oidc-provider';

// its notices are not answers
console.info = console.warn;
let handler = (_, response) => response.writeHead(503).end();
let person = null;
const server = http.createServer((request, response) => handler(request, response)).listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  console.log(issuer);
  readline.createInterface({ input: process.stdin }).on('line', line => {
    const [what, ...rest] = line.split(' ');
    if (what === 'client') handler = provider(issuer, ...rest);
    if (what === 'login') person = JSON.parse(rest.join(' '));
    if (what === 'refuse') person = null;
    console.log('done');
  }).on('close', () => process.exit());
});

function provider(issuer, secret, redirect) {
  const oidc = new Provider(issuer, {
    clients: [{ client_id: 'texthub', client_secret: secret, redirect_uris: [redirect], grant_types: ['authorization_code'] }],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['preferred_username', 'name'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...person, sub }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['of a test alone'] },
  });
  const callback = oidc.callback();
  return async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    const { params, prompt } = await oidc.interactionDetails(request, response);
    if (!person) {
      return oidc.interactionFinished(request, response, { error: 'access_denied' });
    }
    if (prompt.name === 'login') {
      return oidc.interactionFinished(request, response, { login: { accountId: person.sub, remember: false } });
    }
    const grant = new oidc.Grant({ accountId: person.sub, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return oidc.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
  };
}
