// The identity provider of the tests: oidc-provider (a certified implementation) with a company's
// people in it. It listens on loopback only and has no secrets worth keeping.
//
//   PORT=0 AT_TTL=300 RT_TTL=86400 STYLE='{"resource":"single"}' node --import ./packages.mjs provider.mjs
//
// The first line on standard output says where. `POST /__test/…` is how a test looks in and reaches
// in: `rotate-keys`, `ttl`, `user`, `style`, `resources`, `revoke-all`, `stats`, `secrets`, `hold`, `held`, `release`.
import http from 'node:http';
import { Provider, errors } from 'oidc-provider';
import { exportJWK, generateKeyPair } from 'jose';
import { MemoryStore, liveRefreshTokens, revokeAll } from './provider/store.mjs';
import { Gate } from './provider/gate.mjs';
import { restyle, rewrite, roleClaims, style } from './provider/style.mjs';

const API_SCOPES = ['mcp:tools:read', 'mcp:tools:execute', 'mcp:resources:read', 'mcp:admin'];
const ttl = { access: Number(process.env.AT_TTL ?? 300), refresh: Number(process.env.RT_TTL ?? 86400) };
const resources = (process.env.RESOURCES ?? '').split(',').filter(Boolean);
const users = {
  alice: { email: 'alice@example.test', roles: ['data-analyst'], disabled: false },
  bob: { email: 'bob@example.test', roles: ['admin', 'devops'], disabled: false },
  eve: { email: 'eve@example.test', roles: ['data-analyst'], disabled: true },
};
Object.assign(style, JSON.parse(process.env.STYLE ?? '{}'));

const stats = { discovery: 0, jwks: 0, authorize: 0, code: 0, refresh: 0, revoke: 0, token_requests: [] };
const gate = new Gate();
let issuer;
let keys;
let answer;

async function newKeys(number) {
  const pair = async (alg, kid) => {
    const { privateKey } = await generateKeyPair(alg, { extractable: true });
    return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid };
  };
  return [await pair('RS256', `rs-${number}`), await pair('ES256', `es-${number}`)];
}

function claimsOf(id) {
  const { email, roles } = users[id];
  return { sub: id, email, email_verified: true, name: id, preferred_username: id, ...roleClaims(roles) };
}

/** What one audience gets: a signed token with the person's claims, as the large providers issue. */
const resourceServer = (audience) => ({
  scope: API_SCOPES.join(' '), audience, accessTokenTTL: ttl.access, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
});

/** One token for all is what a provider without audiences issues. */
function defaultResource(ctx, client, granted) {
  if (style.resource === 'none') return `${issuer}/api`;
  return style.resource === 'single' || style.audience !== 'resource' ? granted?.[0] : undefined;
}

function settings() {
  return {
    adapter: MemoryStore,
    clients: [{
      client_id: 'mcp-desktop',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      // A native client on loopback may call back on any port.
      redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      id_token_signed_response_alg: 'RS256',
    }],
    jwks: { keys },
    cookies: { keys: ['only-for-tests'] },
    scopes: ['openid', 'offline_access', 'profile', 'email', ...API_SCOPES],
    claims: {
      openid: ['sub'],
      profile: ['name', 'preferred_username', 'roles', 'realm_access', 'groups'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: false, // the ID token carries the claims of the scopes, as elsewhere
    pkce: { required: () => true },
    findAccount: (ctx, id) =>
      (users[id] && !users[id].disabled ? { accountId: id, claims: () => claimsOf(id) } : undefined),
    extraTokenClaims: (ctx, token) => {
      const { email, roles, realm_access } = claimsOf(token.accountId);
      return { email, roles, realm_access };
    },
    rotateRefreshToken: () => true,
    issueRefreshToken: () => true,
    expiresWithSession: () => false,
    features: {
      devInteractions: { enabled: true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource) => {
          if (!resources.includes(resource) && resource !== `${issuer}/api`) throw new errors.InvalidTarget();
          return resourceServer(resource);
        },
      },
    },
    ttl: {
      AccessToken: () => ttl.access, IdToken: () => ttl.access, RefreshToken: () => ttl.refresh,
      AuthorizationCode: 60, Grant: 86400, Session: 86400, Interaction: 3600,
    },
  };
}

/** Makes a provider over the keys and the memory that there are. */
function build() {
  const provider = new Provider(issuer, settings());
  provider.use(restyle);
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.path === '/token') keep(new Map(Object.entries(ctx.body ?? {})), ['access_token', 'id_token', 'refresh_token']);
  });
  for (const event of ['server_error', 'grant.error', 'authorization.error', 'revocation.error']) {
    provider.on(event, (ctx, error) =>
      console.error(`${event}: ${error.error ?? ''} ${error.error_description ?? error.message}`));
  }
  answer = provider.callback();
}

const controls = {
  'rotate-keys': async ({ drop }) => {
    const fresh = await newKeys(keys.length / 2 + 1);
    keys = drop ? fresh : [...fresh, ...keys];
    build();
    return { kids: keys.map((key) => key.kid) };
  },
  ttl: async (wanted) => Object.assign(ttl, wanted),
  user: async ({ id, ...wanted }) => Object.assign(users[id] ??= {}, wanted),
  style: async (wanted) => Object.assign(style, wanted),
  resources: async ({ add = [] }) => ({ resources: resources.push(...add) && resources }),
  'revoke-all': async () => { revokeAll(); return {}; },
  secrets: async () => ({ secrets: [...secrets] }),
  stats: async () => ({ ...stats, live_refresh_tokens: liveRefreshTokens() }),
  hold: async ({ when }) => gate.close(when),
  held: async ({ count = 1 }) => gate.held(count),
  release: async () => gate.open(),
};

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function control(request, response, name) {
  const body = await read(request);
  const outcome = controls[name] ? await controls[name](body ? JSON.parse(body) : {}) : undefined;
  response.writeHead(outcome ? 200 : 404, { 'content-type': 'application/json' });
  response.end(JSON.stringify(outcome ?? { error: `no control ${name}` }));
}

/** Every secret that passed, for a test that looks for them where they must not be. */
const secrets = new Set();

function keep(params, names) {
  for (const name of names) if (params.get(name)) secrets.add(params.get(name));
}

/** Counts a token request; the secrets in it are left out. */
function note(params) {
  const kind = params.get('grant_type') === 'refresh_token' ? 'refresh' : 'code';
  stats[kind] += 1;
  stats.token_requests.push({
    grant: kind, resource: params.getAll('resource'), audience: params.getAll('audience'), scope: params.get('scope'),
  });
}

async function token(request, response) {
  const params = new URLSearchParams(await read(request));
  note(params);
  keep(params, ['code', 'code_verifier', 'refresh_token']);
  rewrite(params, 'token', resources, API_SCOPES);
  request.body = params.toString();
  await gate.pass('before');
  await gate.withhold(response);
  answer(request, response);
}

function authorize(request, response, url) {
  stats.authorize += 1;
  rewrite(url.searchParams, 'auth', resources, API_SCOPES);
  request.url = url.pathname + url.search;
  answer(request, response);
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, issuer);
  if (url.pathname.startsWith('/__test/')) return control(request, response, url.pathname.slice('/__test/'.length));
  if (url.pathname === '/token') return token(request, response);
  if (url.pathname === '/auth') return authorize(request, response, url);
  if (url.pathname === '/jwks') stats.jwks += 1;
  if (url.pathname === '/token/revocation') stats.revoke += 1;
  if (url.pathname === '/.well-known/openid-configuration') stats.discovery += 1;
  return answer(request, response);
});

server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', async () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  keys = await newKeys(1);
  build();
  console.log(`listening ${issuer}`);
});
