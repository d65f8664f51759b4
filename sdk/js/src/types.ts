// The types that callers see: what a start takes, and what a session tells.
//
// What is not here: errors (errors.ts) and what a video element adds (attach.ts).

import type { LimitReachedError, StreamgateError } from "./errors.js";

/**
 * A viewer token or API key, or a function that gives one. The function is called for the first
 * request, a minute before the token's `exp`, and once after a 401; it may ask your backend.
 */
export type TokenSource = string | (() => string | Promise<string>);

/** Why a session ended. */
export type EndReason =
    /** By its player. */
    | "stopped"
    /** The lease ran out, and no slot was free to go on. */
    | "expired"
    /** A newer session took the slot, or the limit was lowered. */
    | "evicted"
    /** A viewer gave the slot to another session. */
    | "terminated"
    /** By an operator. */
    | "revoked"
    /** The server had forgotten the session, and every slot is taken: see {@link Ended.refusal}. */
    | "refused"
    /** The server could not be used for a whole lease, and the fail mode is `closed`. */
    | "unreachable"
    // Later versions of the server may have further reasons.
    | (string & {});

/** What is known of a session that holds a slot. Times are RFC 3339, in UTC. */
export interface SessionInfo {
    /** The session, unique within its user. */
    sessionId: string;
    /** The user. */
    userId: string;
    /** The device that plays. */
    deviceId?: string;
    /** What its owner calls the device. */
    deviceName?: string;
    /** What kind of device it is. */
    deviceClass?: string;
    /** What is played. */
    contentId?: string;
    /** What kind of content it is. */
    contentType?: string;
    /** Where it plays. */
    region?: string;
    /** What else the start gave. */
    attributes?: Record<string, string>;
    /** When it started. */
    startedAt: string;
    /** When its player called last. */
    lastSeenAt: string;
    /** When the slot is free if its player does not call again. */
    expiresAt: string;
}

/** How a session ended. */
export interface Ended {
    /** Why. */
    reason: EndReason;
    /** When, RFC 3339; left out if the server did not say. */
    endedAt?: string;
    /**
     * The session that took the slot, if one did: its id, and its device and content as far as
     * they could be learnt within a second.
     */
    by?: Pick<SessionInfo, "sessionId"> & Partial<SessionInfo>;
    /** Who holds the slots; only if the reason is `refused`. */
    refusal?: LimitReachedError;
}

/** What a session plays, and how it is kept. */
export interface StartOptions {
    /** The server, such as `https://streams.example.com`; a path before `/v1` is kept. */
    url: string | URL;
    /** The user whose slot is taken: 1 to 256 bytes. */
    user: string;
    /** The credential; leave it out for a server that asks for none. */
    token?: TokenSource;
    /** The device, as the viewer will see it in a refusal. Names and ids have 1 to 256 bytes. */
    device?: { id?: string; name?: string; class?: string };
    /** What plays. */
    content?: { id?: string; type?: string };
    /** Where it plays, as your operator names regions. */
    region?: string;
    /** Whatever else is to be shown with the session: at most 16 entries. */
    attributes?: Record<string, string>;
    /** A live session of the user whose slot passes to the new one; {@link Session.next} sets it. */
    replaces?: string;
    /** Live sessions to end if the start is then admitted; `takeOver` sets it. */
    terminate?: string[];
    /**
     * Called once when the slot is lost: stop playing and say why. Not after `stop()` or `next()`.
     */
    onEnded?: (ended: Ended) => void;
    /** Called after each call that failed for a reason that may pass. For logs: the viewer goes on. */
    onRetry?: (error: StreamgateError) => void;
    /**
     * Whether to hold an event stream instead of sending heartbeats (default: true). A server or
     * proxy without streams gets heartbeats.
     */
    hold?: boolean;
    /**
     * What a player does while the server cannot be reached, until the server has said what its
     * operator wants: `open` plays, `closed` (default) does not start, and stops once a lease has
     * passed without an answer.
     */
    failMode?: "open" | "closed";
    /** How long a start is tried before the fail mode decides, in milliseconds (default: 5,000). */
    startTimeoutMs?: number;
    /**
     * The timer of heartbeats. Default: a worker made from a `blob:` URL, or timers of the page
     * where that is not allowed. A page whose Content-Security-Policy has no `worker-src blob:`
     * names the URL of the package's `worker.js` on its own origin, or says `false`: no worker.
     */
    worker?: string | URL | false;
}

/** A playback that holds a slot. */
export interface Session {
    /** Its id. It changes when the session is started again, as after a return to a cached page. */
    readonly id: string;
    /** The user. */
    readonly user: string;
    /**
     * `live`: it holds a slot. `degraded`: it plays by the fail mode `open`, and whether a slot is
     * free is not known yet. `ended`: it is over.
     */
    readonly state: "live" | "degraded" | "ended";
    /** How it ended; `undefined` while it goes on, and after `stop()` and `next()`. */
    readonly ended: Ended | undefined;
    /** The user's limit, as last told. */
    readonly limit: number | undefined;
    /** The slots taken, this one among them, as last told. */
    readonly active: number | undefined;
    /**
     * Frees the slot. Resolves when the server has confirmed, or after some tries: it never
     * rejects, since the slot is free one lease later in any case.
     */
    stop(): Promise<void>;
    /**
     * Starts what plays next, in the same slot; this session is then over.
     *
     * @param changes - what differs from the options of this session, such as `content`
     * @throws as `start` does; this session then goes on
     */
    next(changes?: Partial<StartOptions>): Promise<Session>;
    /**
     * Lists who is watching now: the user's sessions that hold slots, oldest first, at most 100.
     *
     * @throws {@link StreamgateError} if there is no answer
     */
    watching(): Promise<SessionInfo[]>;
}
