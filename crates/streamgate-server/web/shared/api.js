// Calls of the public API: JSON in and out, errors as the server's problems (RFC 9457).
//
// What is not here: the calls of a player, which the SDK makes, and event streams.

/** How long an answer may take. */
const TIMEOUT_MS = 10_000;

/** The root of this server, whatever is in front of it: pages are one folder below it. */
export const ROOT = new URL("../", import.meta.url).href;

/** A call without success. The message is for people. */
export class ApiError extends Error {
    /**
     * @param {string} code the code of the problem; `unreachable` if there was no answer, and `http`
     *     for an answer that is not the server's
     * @param {string} message
     * @param {{ status?: number, problem?: any, retryAfterS?: number, requestId?: string | null }} [more]
     */
    constructor(code, message, { status = 0, problem = {}, retryAfterS = 0, requestId } = {}) {
        super(message);
        this.name = "ApiError";
        this.code = code;
        /** 0 without an answer. */
        this.status = status;
        /** The problem as the server wrote it: of a refusal, who holds the slots. */
        this.problem = problem;
        this.retryAfterS = retryAfterS;
        /** For the operator's log. */
        this.requestId = requestId ?? undefined;
    }

    /** Whether the same call may succeed later. */
    get isTemporary() {
        return this.status == 0 || this.status == 429 || this.status == 503;
    }
}

/**
 * @typedef {object} Client
 * @property {(path: string, options?: CallOptions) => Promise<any>} get
 * @property {(path: string, body?: object, options?: CallOptions) => Promise<any>} post
 * @property {(path: string, body?: object, options?: CallOptions) => Promise<any>} put
 * @property {(path: string, options?: CallOptions) => Promise<any>} del
 */

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] ends the call; it then fails with an `AbortError`
 */

/**
 * A client of the API. Paths are relative to the root: `v1/sessions`.
 *
 * @param {() => string | undefined} [credential] an API key or a viewer token, if the caller has one
 * @returns {Client}
 */
export function client(credential = () => undefined) {
    /** @type {(method: string, path: string, body?: object, options?: CallOptions) => Promise<any>} */
    const call = async (method, path, body, { signal } = {}) => {
        const own = credential();
        /** @type {Record<string, string>} */
        const headers = { accept: "application/json" };
        if (own) headers.authorization = `Bearer ${own}`;
        if (body) headers["content-type"] = "application/json";
        const timeout = AbortSignal.timeout(TIMEOUT_MS);
        /** @type {Response} */
        let response;
        let text;
        try {
            response = await fetch(new URL(path, ROOT), {
                method,
                headers,
                body: body && JSON.stringify(body),
                signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
                cache: "no-store",
            });
            text = await response.text();
        } catch (cause) {
            if (signal?.aborted) throw cause;
            throw new ApiError("unreachable", "The server cannot be reached.");
        }
        const answer = parsed(text);
        if (response.ok) return answer;
        throw new ApiError(answer?.code ?? "http", answer?.detail ?? `The answer was ${response.status}.`, {
            status: response.status,
            problem: answer ?? {},
            retryAfterS: Number(response.headers.get("retry-after")) || 0,
            requestId: response.headers.get("x-request-id"),
        });
    };
    return {
        get: (path, options) => call("GET", path, undefined, options),
        post: (path, body, options) => call("POST", path, body, options),
        put: (path, body, options) => call("PUT", path, body, options),
        del: (path, options) => call("DELETE", path, undefined, options),
    };
}

/**
 * The path of a user, or below it. Ids may have any character, a slash too.
 *
 * @param {string} user
 * @param {...string} rest further segments
 */
export function userPath(user, ...rest) {
    return ["v1", "users", user, ...rest].map(encodeURIComponent).join("/");
}

/** @param {string} text */
function parsed(text) {
    try {
        return text ? JSON.parse(text) : undefined;
    } catch {
        return undefined; // Not the server's: something in front of it answered.
    }
}
