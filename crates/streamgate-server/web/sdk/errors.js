// Errors: what the server answered, or that it did not.
/** A call without success; its message is for developers. Other members are those of the answer. */
export class StreamgateError extends Error {
    code;
    status;
    retryAfterMs;
    constructor(
    /**
     * The server's code, such as `unauthenticated` or `invalid_request`; `unreachable` if there
     * was no answer, `token` if the token source failed, and `http` for an answer that is not
     * the server's.
     */
    code, message, 
    /** The HTTP status; 0 without an answer. */
    status = 0, 
    /** How long the server asks to wait, in milliseconds. */
    retryAfterMs = 0, cause) {
        super(message, { cause });
        this.code = code;
        this.status = status;
        this.retryAfterMs = retryAfterMs;
        this.name = "StreamgateError";
    }
}
/** A start that was refused because every slot is taken (code `limit_reached`). */
export class LimitReachedError extends StreamgateError {
    /**
     * Ends these sessions and starts in their place, in one step: nothing ends unless the start is
     * then admitted.
     *
     * @param sessionIds - one or more of {@link LimitReachedError.sessions}
     * @throws as `start` does; {@link LimitReachedError} if other players were faster
     */
    takeOver(...sessionIds) {
        return this.startAgain(sessionIds);
    }
}
/** The members of an answer in camel case. Keys of attributes are the caller's, and stay. */
export function camelCase(value) {
    if (Array.isArray(value))
        return value.map(camelCase);
    if (!value || typeof value != "object")
        return value;
    const renamed = {};
    for (const name in value) {
        const camel = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
        renamed[camel] = name == "attributes" ? value[name] : camelCase(value[name]);
    }
    return renamed;
}
