// Calls of the HTTP API: the token, the time-out, and every refusal as one kind of error.
// Knows the contract's rules on logins and errors, and nothing of orders.

/** How long an answer may take, in milliseconds: a little more than the service gives itself. */
const PATIENCE = 12_000;

/** A request that was not answered with success. `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  constructor(status, { code, message, details } = {}, retryAfter = 0) {
    super(message ?? (status === 0 ? '서버에 연결할 수 없습니다.' : `요청을 처리하지 못했습니다. (${status})`));
    this.status = status;
    this.code = code ?? '';
    this.details = details ?? {};
    /** Seconds to wait at least before the next try. */
    this.retryAfter = retryAfter;
    /** It was the login that failed: the request itself has not been judged. */
    this.atLogin = false;
  }
}

/** The API as one caller sees it. */
export class Api {
  #credentials;
  #kept;
  #token;
  #loggingIn = null;

  /** `role` is `customer` (a table) or `admin` (staff); `credentials` is the body of its login. */
  constructor(role, credentials) {
    this.role = role;
    this.#credentials = credentials;
    const { store_id, table_number, username } = credentials;
    this.#kept = `table-order.token.${role}.${store_id}.${table_number ?? username}`;
    this.#token = sessionStorage.getItem(this.#kept);
  }

  /** Forget the token: the next call logs in. */
  forget() {
    this.#token = null;
    sessionStorage.removeItem(this.#kept);
  }

  /** Call, logging in first where that is needed, and once more where the token is refused. `body` is JSON text. */
  async call(method, path, { body, headers = {} } = {}) {
    for (let again = true; ; again = false) {
      const token = this.#token ?? (await this.#logIn());
      try {
        return await send(method, path, body, { ...headers, authorization: `Bearer ${token}` });
      } catch (error) {
        if (error.status !== 401 || !again) throw error;
        // Another call may have logged in meanwhile.
        if (this.#token === token) this.forget();
      }
    }
  }

  /** Log in. Calls that need it at the same time share one login. */
  #logIn() {
    this.#loggingIn ??= send('POST', `/api/${this.role}/auth/login`, JSON.stringify(this.#credentials))
      .then(({ access_token }) => {
        sessionStorage.setItem(this.#kept, access_token);
        return (this.#token = access_token);
      })
      .catch((error) => {
        error.atLogin = true;
        throw error;
      })
      .finally(() => (this.#loggingIn = null));
    return this.#loggingIn;
  }
}

async function send(method, path, body, headers = {}) {
  // The page is Korean, whatever the browser's own language: so are the sentences of its errors.
  headers = { 'accept-language': 'ko', ...headers };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response, text;
  try {
    response = await fetch(path, { method, headers, body, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    text = await response.text();
  } catch {
    throw new ApiError(0);
  }
  const answer = parse(text);
  if (response.ok) return answer;
  // What stands before the service (a gateway) writes bodies of its own.
  throw new ApiError(response.status, answer?.error ?? {}, Number(response.headers.get('retry-after')) || 0);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
