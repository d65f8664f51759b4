// Calls of one user's sessions: the credential, time limits, and errors as values of one type.
//
// What is not here: when to call, and when to call again (play.ts).
import { LimitReachedError, StreamgateError, camelCase } from "./errors.js";
/** How long an answer may take, in milliseconds; of an event stream, its head. */
const TIMEOUT_MS = 10_000;
/** A token is renewed this long before it expires, in milliseconds. */
const TOKEN_MARGIN_MS = 60_000;
/** When a JWT expires, in milliseconds from the epoch; never, for any other credential. */
function expiry(token = "") {
    try {
        const claims = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
        return JSON.parse(atob(claims)).exp * 1000 || Infinity;
    }
    catch {
        return token ? Infinity : 0;
    }
}
/** The error that an answer is. */
function problem({ status, headers }, body) {
    const { code = "http", detail = `HTTP ${status}`, title, type, ...members } = body;
    const Kind = code == "limit_reached" ? LimitReachedError : StreamgateError;
    // In seconds; the form with a date is not used by the server.
    const retryAfterMs = Number(headers.get("retry-after")) * 1000 || 0;
    const error = new Kind(code, detail, status, retryAfterMs);
    // Those of a refusal, and why a session ended.
    return Object.assign(error, camelCase(members));
}
/** The calls of one user. */
export class Calls {
    /** The address of the server. */
    server;
    /** The user's sessions: what all paths begin with. */
    path;
    #source;
    #token;
    constructor({ url, user, token }) {
        this.server = String(url).replace(/\/+$/, "");
        this.path = `${this.server}/v1/users/${encodeURIComponent(user)}/sessions`;
        this.#source = token;
    }
    /**
     * Sends a request, once more with a new token if the first was refused.
     *
     * @throws StreamgateError for any answer but 2xx, and for none
     */
    async send(method, path, call = {}) {
        const sent = await this.#fresh();
        try {
            return await this.#fetch(method, path, call);
        }
        catch (error) {
            const { status } = error;
            if (status != 401 || typeof this.#source != "function")
                throw error;
            // Another call may have renewed it meanwhile.
            if (this.#token == sent)
                this.#token = undefined;
            await this.#fresh();
            return this.#fetch(method, path, call);
        }
    }
    /**
     * Stops a session from a page that is being closed: the request outlives the page. A beacon
     * needs no preflight but carries no header, so it is for servers that ask for no credential.
     */
    leave(id) {
        const path = `/${id}/stop`;
        if (this.#token || !globalThis.navigator?.sendBeacon?.(this.path + path)) {
            this.#fetch("POST", path, { keepalive: true }).catch(() => { });
        }
    }
    /** Sees to it that the token, if there is to be one, does not expire soon. */
    async #fresh() {
        const source = this.#source;
        if (source && !(expiry(this.#token) > Date.now() + TOKEN_MARGIN_MS)) {
            try {
                this.#token = typeof source == "function" ? await source() : source;
            }
            catch (cause) {
                throw new StreamgateError("token", `no token: ${cause}`, 0, 0, cause);
            }
        }
        return this.#token;
    }
    /** One request, with the token as it is. */
    async #fetch(method, path, call) {
        const control = call.control || new AbortController();
        const timer = setTimeout(() => control.abort(), TIMEOUT_MS);
        const headers = {};
        if (this.#token)
            headers.authorization = `Bearer ${this.#token}`;
        if (call.body)
            headers["content-type"] = "application/json";
        try {
            const response = await fetch(this.path + path, {
                method,
                headers,
                body: call.body && JSON.stringify(call.body),
                keepalive: call.keepalive,
                signal: control.signal,
            });
            const { ok, body } = response;
            if (ok && /event-stream/.test(response.headers.get("content-type") || "")) {
                return { body: {}, events: body };
            }
            const text = await response.text();
            // Proxies and portals answer with pages, also with status 200.
            const isPage = text && text[0] != "{";
            const json = text && !isPage ? JSON.parse(text) : {};
            if (!ok || isPage)
                throw problem(response, json);
            return { body: json };
        }
        catch (cause) {
            if (cause instanceof StreamgateError)
                throw cause;
            throw new StreamgateError("unreachable", `no answer: ${cause}`, 0, 0, cause);
        }
        finally {
            clearTimeout(timer);
        }
    }
}
