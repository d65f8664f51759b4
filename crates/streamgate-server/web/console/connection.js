// The way to the server: the credential of all calls, whether the server answers, and its clock.

import { ApiError, client, ROOT, userPath } from "../shared/api.js";

/** Codes of 503 that waiting does not help against. */
const LASTING = new Set(["not_configured"]);
const AWAY = new Set([0, 502, 503, 504]);

/** Whether an error says to come back later: the server or its store is away. */
export const isAway = (/** @type {unknown} */ error) =>
    error instanceof ApiError && AWAY.has(error.status) && !LASTING.has(error.code);

/** Whether the same call may succeed later, without anybody doing anything. */
export const mayPass = (/** @type {unknown} */ error) =>
    isAway(error) || (error instanceof ApiError && error.status == 429);

/** @typedef {{ isAway: boolean, since: number, why: string }} Link whether the server answers */

export class Connection {
    /** @type {Link} */
    link = { isAway: false, since: 0, why: "" };
    /** Called when the server is away, and when it is back. */
    onLink = () => {};
    /** Called when the credential is not accepted any more. */
    onUnauthenticated = () => {};
    /** The paths of calls that failed last. @type {Set<string>} */
    #failing = new Set();
    // The server's clock is ahead of ours by a time between these two, in milliseconds.
    #aheadMin = -Infinity;
    #aheadMax = Infinity;

    /** @param {string | null} credential an API key or a viewer token; null on an open server */
    constructor(credential) {
        this.credential = credential;
        this.api = client(() => credential ?? undefined);
    }

    /** The time on the server's clock: the browser's own, unless a stream has contradicted it. */
    now() {
        return Date.now() + Math.min(Math.max(0, this.#aheadMin), this.#aheadMax);
    }

    /** Forgets what failed for a view that is gone. */
    forget() {
        this.#failing.clear();
    }

    /** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
    get(path, signal) {
        return this.#noted(path, this.api.get(path, { signal }), signal);
    }

    /** @param {string} path @param {object} [body] @returns {Promise<any>} */
    post(path, body) {
        return this.#noted(path, this.api.post(path, body));
    }

    /** @param {string} path @param {object} [body] @returns {Promise<any>} */
    put(path, body) {
        return this.#noted(path, this.api.put(path, body));
    }

    /** @param {string} path @returns {Promise<any>} */
    del(path) {
        return this.#noted(path, this.api.del(path));
    }

    /**
     * Opens an event stream. An `EventSource` would send no key.
     *
     * @param {string} path
     * @param {string} last the id of the last event that was read, or nothing
     * @param {AbortSignal} signal
     */
    async stream(path, last, signal) {
        /** @type {Record<string, string>} */
        const headers = { accept: "text/event-stream" };
        if (this.credential) headers.authorization = `Bearer ${this.credential}`;
        if (last) headers["last-event-id"] = last;
        return this.#noted(path, this.#opened(path, headers, signal), signal);
    }

    /**
     * @param {string} path
     * @param {Record<string, string>} headers
     * @param {AbortSignal} signal
     */
    async #opened(path, headers, signal) {
        const sentAt = Date.now();
        const request = fetch(new URL(path, ROOT), { headers, signal, cache: "no-store" });
        const answer = await request.catch((cause) => {
            throw signal.aborted ? cause : new ApiError("unreachable", "");
        });
        this.#readClock(answer.headers.get("date"), sentAt);
        if (answer.ok) return answer;
        const problem = await answer.json().catch(() => ({}));
        throw new ApiError(problem.code ?? "http", problem.detail ?? "", {
            status: answer.status,
            problem,
        });
    }

    /**
     * Notes whether the server has answered.
     *
     * @template T
     * @param {string} path
     * @param {Promise<T>} call
     * @param {AbortSignal} [signal]
     * @returns {Promise<T>}
     */
    async #noted(path, call, signal) {
        try {
            const answer = await call;
            this.#note(path, false, "");
            return answer;
        } catch (error) {
            if (signal?.aborted || !(error instanceof ApiError)) throw error;
            this.#note(path, isAway(error), error.status ? error.message : "");
            if (error.status == 401) this.onUnauthenticated();
            throw error;
        }
    }

    /**
     * The server is away as long as a call fails, although others may succeed: with its store away it
     * still answers from memory.
     *
     * @param {string} path
     * @param {boolean} hasFailed
     * @param {string} why
     */
    #note(path, hasFailed, why) {
        const [call] = path.split("?");
        if (hasFailed) this.#failing.add(call);
        else this.#failing.delete(call);
        const isNowAway = this.#failing.size > 0;
        if (isNowAway == this.link.isAway) return;
        this.link = { isAway: isNowAway, since: Date.now(), why };
        this.onLink();
    }

    /**
     * The header has whole seconds, and was written between sending and now.
     *
     * @param {string | null} date
     * @param {number} sentAt
     */
    #readClock(date, sentAt) {
        const at = Date.parse(date ?? "");
        if (Number.isNaN(at)) return;
        const [least, most] = [at - Date.now(), at + 1000 - sentAt];
        const isSet = least > this.#aheadMax || most < this.#aheadMin;
        this.#aheadMin = isSet ? least : Math.max(least, this.#aheadMin);
        this.#aheadMax = isSet ? most : Math.min(most, this.#aheadMax);
    }
}

export { ApiError, userPath };
