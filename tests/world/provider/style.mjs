// The ways in which real providers differ, applied around one that follows the specifications:
// requests are rewritten before it sees them, answers after it made them.

/** The specification's own way; a test changes single values. */
export const style = {
  /** `many` resources in one request (RFC 8707), a `single` one, or `none` is accepted. */
  resource: 'many',
  /** How an audience is named: by `resource`, by `scope` (Entra ID), by `audience` (Auth0), or by none. */
  audience: 'resource',
  /** Whether the metadata say that PKCE with S256 is supported. It is demanded in any case. */
  pkce: true,
  /** `iss` of the authorization response (RFC 9207): `true`, `false` for none, or another issuer. */
  iss: true,
  /** The roles claims: a `list`, `missing`, of the `wrong-type`, or an `overage` (Entra ID). */
  roles: 'list',
  /** Whether token responses name the granted scope. */
  scope: true,
};

const REJECTED = 'https://resource-is-not-accepted.invalid/';
const OIDC_SCOPES = new Set(['openid', 'offline_access', 'profile', 'email']);

/** Rewrites the parameters of an authorization or token request; `where` is `auth` or `token`. */
export function rewrite(params, where, resources, apiScopes) {
  if (style.audience === 'scope') byScope(params, where, resources, apiScopes);
  else if (style.audience === 'audience') byAudience(params, where, resources);
  else limitResources(params, where, resources);
}

function limitResources(params, where, resources) {
  const asked = params.getAll('resource');
  const limit = { many: Infinity, single: 1, none: 0 }[style.resource];
  if (asked.length > limit) params.set('resource', REJECTED);
  // One audience can be named in each request, but the session is good for all of the company's.
  else if (style.resource === 'single' && where === 'auth') grantAll(params, asked, resources);
}

function grantAll(params, first, resources) {
  params.delete('resource');
  for (const resource of new Set([...first, ...resources])) params.append('resource', resource);
}

/** One audience in each request; the session is good for all of them (multi-resource refresh tokens). */
function byAudience(params, where, resources) {
  const audience = params.get('audience');
  params.delete('resource');
  params.delete('audience');
  if (where === 'auth') grantAll(params, audience ? [audience] : [], resources);
  else if (audience) params.append('resource', audience);
}

/** `<audience>/<scope>` and `<audience>/.default`: several audiences at sign-in, one for each token. */
function byScope(params, where, resources, apiScopes) {
  const refused = params.has('resource');
  // Entra ID takes it with a refresh, too; the provider below, only if it was consented to anew.
  const passed = (name) => OIDC_SCOPES.has(name) && !(where === 'token' && name === 'offline_access');
  const audiences = new Set();
  const scopes = new Set();
  for (const word of (params.get('scope') ?? '').split(' ').filter(Boolean)) {
    const audience = resources.find((resource) => word.startsWith(`${resource}/`));
    if (audience) audiences.add(audience);
    const name = audience ? word.slice(audience.length + 1) : word;
    if (name === '.default') apiScopes.forEach((scope) => scopes.add(scope));
    else if (audience || passed(name)) scopes.add(name);
  }
  if (params.has('scope')) params.set('scope', [...scopes].join(' '));
  params.delete('resource');
  if (refused || (where === 'token' && audiences.size > 1)) params.append('resource', REJECTED);
  else if (where === 'auth') grantAll(params, audiences, resources);
  else audiences.forEach((audience) => params.append('resource', audience));
}

/** Changes what the provider answered, as its middleware. */
export async function restyle(ctx, next) {
  await next();
  if (ctx.path === '/.well-known/openid-configuration') restyleMetadata(ctx.body);
  if (ctx.path === '/token' && ctx.body?.access_token) restyleToken(ctx);
  const location = ctx.response.get('location') ?? '';
  if (style.iss !== true && location.includes('iss=')) ctx.set('location', otherIssuer(location));
}

function restyleMetadata(metadata) {
  if (!style.pkce) delete metadata.code_challenge_methods_supported;
  if (style.iss === false) delete metadata.authorization_response_iss_parameter_supported;
}

function restyleToken(ctx) {
  if (!style.scope) delete ctx.body.scope;
  const resource = ctx.oidc.entities.AccessToken?.resourceServer?.audience;
  if (style.audience === 'scope' && resource && ctx.body.scope) {
    ctx.body.scope = ctx.body.scope.split(' ')
      .map((name) => (OIDC_SCOPES.has(name) ? name : `${resource}/${name}`)).join(' ');
  }
}

function otherIssuer(location) {
  const url = new URL(location);
  if (style.iss === false) url.searchParams.delete('iss');
  else url.searchParams.set('iss', style.iss);
  return url.href;
}

/** The claims about roles, in the chosen style. */
export function roleClaims(roles) {
  switch (style.roles) {
    case 'missing': return {};
    case 'wrong-type': return { roles: { admin: true }, realm_access: { roles: 7 } };
    case 'overage': return {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://directory.example.test/getMemberObjects' } },
    };
    default: return { roles, realm_access: { roles } };
  }
}
