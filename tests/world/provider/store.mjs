// What the provider remembers. It outlives the `Provider` object, which is built anew when the
// signing keys change, so that rotating keys costs nobody a session.

const entries = new Map();
const byUid = new Map();
const byGrant = new Map();

/** The adapter that oidc-provider asks for; one instance for each of its models. */
export class MemoryStore {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    const key = this.key(id);
    entries.set(key, { payload, expires: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
    if (payload.uid) byUid.set(payload.uid, id);
    if (payload.grantId) {
      if (!byGrant.has(payload.grantId)) byGrant.set(payload.grantId, new Set());
      byGrant.get(payload.grantId).add(key);
    }
  }

  async find(id) {
    const entry = entries.get(this.key(id));
    return entry && entry.expires > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    return this.find(byUid.get(uid));
  }

  async findByUserCode() {
    return undefined;
  }

  async destroy(id) {
    entries.delete(this.key(id));
  }

  async consume(id) {
    const entry = entries.get(this.key(id));
    if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
  }

  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) entries.delete(key);
    byGrant.delete(grantId);
  }
}

/** Ends every session and kills every refresh token, as an administrator would. */
export function revokeAll() {
  for (const key of entries.keys()) {
    if (/^(RefreshToken|Grant|Session|AccessToken):/.test(key)) entries.delete(key);
  }
}

/** How many refresh tokens could still be used. */
export function liveRefreshTokens() {
  const now = Date.now();
  return [...entries].filter(([key, { payload, expires }]) =>
    key.startsWith('RefreshToken:') && !payload.consumed && expires > now).length;
}
