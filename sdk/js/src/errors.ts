// Errors: what the server answered, or that it did not.

import type { Session, SessionInfo } from "./types.js";

/** A call without success; its message is for developers. Other members are those of the answer. */
export class StreamgateError extends Error {
    constructor(
        /**
         * The server's code, such as `unauthenticated` or `invalid_request`; `unreachable` if there
         * was no answer, `token` if the token source failed, and `http` for an answer that is not
         * the server's.
         */
        readonly code: string,
        message: string,
        /** The HTTP status; 0 without an answer. */
        readonly status: number = 0,
        /** How long the server asks to wait, in milliseconds. */
        readonly retryAfterMs: number = 0,
        cause?: unknown,
    ) {
        super(message, { cause });
        this.name = "StreamgateError";
    }
}

/** A start that was refused because every slot is taken (code `limit_reached`). */
export class LimitReachedError extends StreamgateError {
    /** The user's limit. */
    declare readonly limit: number;
    /** The slots taken. */
    declare readonly active: number;
    /** The rule that refused: `limit` is that of all sessions of the user. */
    declare readonly rule: string;
    /** Who is watching: the sessions that hold the slots, oldest first, at most 100. */
    declare readonly sessions: SessionInfo[];
    /** How many they are. */
    declare readonly sessionsTotal: number;
    /** When a start is admitted at the latest if nobody does anything, RFC 3339. */
    declare readonly nextSlotAt?: string;
    /** Starts again; set by the caller of the start. @internal */
    declare startAgain: (terminate: string[]) => Promise<Session>;

    /**
     * Ends these sessions and starts in their place, in one step: nothing ends unless the start is
     * then admitted.
     *
     * @param sessionIds - one or more of {@link LimitReachedError.sessions}
     * @throws as `start` does; {@link LimitReachedError} if other players were faster
     */
    takeOver(...sessionIds: string[]): Promise<Session> {
        return this.startAgain(sessionIds);
    }
}

/** The members of an answer in camel case. Keys of attributes are the caller's, and stay. */
export function camelCase(value: any): any {
    if (Array.isArray(value)) return value.map(camelCase);
    if (!value || typeof value != "object") return value;
    const renamed: any = {};
    for (const name in value) {
        const camel = name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
        renamed[camel] = name == "attributes" ? value[name] : camelCase(value[name]);
    }
    return renamed;
}
