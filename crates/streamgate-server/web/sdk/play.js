// A session and its lease: a state machine that a tick a second drives.
//
// Everything is decided in `#tick` from times of the wall clock, which also runs while a machine
// sleeps. What is not here: the credential and the form of calls (http.ts).
import { LimitReachedError, camelCase } from "./errors.js";
import { readEvents } from "./events.js";
import { Calls } from "./http.js";
import { failMode, recall, remember } from "./memory.js";
import { watchPage } from "./page.js";
import { backoff, isFinal, sleep } from "./retry.js";
import { everySecond } from "./timer.js";
/** A tick that comes later than this means that the machine or the page slept. */
const LATE_MS = 5000;
/** An event stream that was silent for longer is lost: the server sends a comment every 15 s. */
const SILENT_MS = 40_000;
/** A stream that lived for less counts as a failed try. */
const STEADY_MS = 15_000;
/** How long the device that took the slot is looked up, so that the viewer hears within a second. */
const LOOKUP_MS = 700;
/** Hexadecimal, from 128 random bits. `crypto.randomUUID` is missing on pages without TLS. */
function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
/** Starts a session. `onLost` hears first that the slot is lost, before the device is looked up. */
export async function launch(options, onLost) {
    const play = new Play(options, onLost);
    await play.begin();
    return play;
}
class Play {
    id = newId();
    user;
    state = "live";
    ended;
    limit;
    active;
    #options;
    #onLost;
    #calls;
    #closed = false;
    /** Whether the server holds the session, as far as is known: else the next call starts it. */
    #admitted = false;
    #replaces;
    /** The slot passes to the next session: an ending is none of the viewer's business. */
    #passing = false;
    /** The page is in the back/forward cache. */
    #left = false;
    #intervalMs = 30_000;
    #leaseMs = 90_000;
    #renewedAt = Date.now();
    #dueAt = 0;
    #tries = 0;
    #failingSince;
    #call;
    #canHold;
    #stream;
    /** Whether the stream renews the lease: its first event has come. */
    #held = false;
    #heardAt = 0;
    #streamDueAt = 0;
    #streamTries = 0;
    #streamDelayMs = 1000;
    #tickedAt = Date.now();
    /** Set once the start is over: nothing ticks before. */
    #stopTicking;
    #stopWatching;
    constructor(options, onLost) {
        this.#options = options;
        this.#onLost = onLost;
        this.#calls = new Calls(options);
        this.#canHold = options.hold !== false;
        this.user = options.user;
        this.#replaces = options.replaces || recall(this.#calls.path);
        this.#stopWatching = watchPage({
            wake: () => this.#wake(),
            leave: () => this.#leave(),
            back: () => this.#back(),
        });
    }
    /** The start: tried until the server answers, or the fail mode decides. */
    async begin() {
        const deadline = Date.now() + (this.#options.startTimeoutMs ?? 5000);
        for (;;) {
            try {
                await this.#renew();
                break;
            }
            catch (cause) {
                const error = cause;
                const isOver = isFinal(error) || this.#retryLater(error) > deadline;
                if (isOver && !isFinal(error) && this.#failsOpen()) {
                    this.state = "degraded";
                    break;
                }
                if (isOver) {
                    this.#giveUp(error);
                    throw error;
                }
                await sleep(this.#dueAt - Date.now());
            }
        }
        this.#call = undefined;
        this.#stopTicking = everySecond(() => this.#tick(), this.#options.worker);
        this.#tick();
    }
    async stop() {
        if (this.#closed)
            return;
        this.#close();
        for (let tries = 0; tries < 4; tries++) {
            try {
                await this.#calls.send("DELETE", `/${this.id}`, { keepalive: true });
                return;
            }
            catch (cause) {
                const error = cause;
                if (isFinal(error))
                    return;
                await sleep(error.retryAfterMs + backoff(tries, this.#intervalMs));
            }
        }
    }
    async next(changes = {}) {
        this.#passing = true;
        try {
            const own = { replaces: this.id, terminate: undefined };
            const session = await launch({ ...this.#options, ...own, ...changes }, this.#onLost);
            this.#close();
            return session;
        }
        finally {
            this.#passing = false;
        }
    }
    async watching() {
        return camelCase((await this.#calls.send("GET", "")).body.sessions);
    }
    /** Decides what is due. */
    #tick() {
        if (this.#closed || this.#left)
            return;
        const now = Date.now();
        const sinceTick = now - this.#tickedAt;
        this.#tickedAt = now;
        // Back from a sleep; or the clock was set back, and nothing would be due for long.
        if (sinceTick > LATE_MS || sinceTick < 0)
            return this.#wake();
        if (this.#stream && now - this.#heardAt > SILENT_MS)
            this.#dropStream();
        // A stream renews the lease; if it does not, for whatever reason, heartbeats do.
        const isHeld = this.#held && now < this.#renewedAt + this.#leaseMs - this.#intervalMs;
        if (!isHeld && now >= this.#dueAt && !this.#call)
            void this.#beat();
        if (this.#canHold && this.#admitted && !this.#stream && now >= this.#streamDueAt) {
            void this.#hold();
        }
    }
    /** The page or the machine may have slept: the lease is renewed at once. */
    #wake() {
        if (!this.#stopTicking)
            return;
        const now = Date.now();
        this.#tickedAt = now;
        // A call that was under way before the sleep hangs.
        this.#call?.abort();
        this.#call = undefined;
        if (this.#held && Math.abs(now - this.#heardAt) < SILENT_MS / 2)
            return;
        this.#dropStream();
        this.#tries = this.#streamTries = this.#streamDueAt = 0;
        // One sleep ends with several events.
        if (Math.abs(now - this.#renewedAt) > 2000)
            this.#dueAt = 0;
        this.#tick();
    }
    /** One call: the start until the session is admitted, a heartbeat from then on. */
    async #renew() {
        const calledAt = Date.now();
        const control = (this.#call = new AbortController());
        const { body } = this.#admitted
            ? await this.#calls.send("POST", `/${this.id}/heartbeat`, { control })
            : await this.#calls.send("PUT", `/${this.id}`, { control, body: this.#startBody() });
        this.#renewed(body, calledAt);
    }
    /** A call of a session that goes on. */
    async #beat() {
        const renewal = this.#renew();
        const call = this.#call;
        const error = await renewal.then(() => undefined, (cause) => cause);
        // Else another was sent in its place.
        if (this.#call != call)
            return;
        this.#call = undefined;
        if (error)
            this.#failed(error);
    }
    #startBody() {
        const { device = {}, content = {}, region, attributes, terminate } = this.#options;
        return {
            device_id: device.id,
            device_name: device.name,
            device_class: device.class,
            content_id: content.id,
            content_type: content.type,
            region,
            attributes,
            terminate,
            replaces: this.#replaces,
        };
    }
    /** An answer: of a start, of a heartbeat, or an event of the stream. */
    #renewed(body, at = Date.now()) {
        this.#admitted = true;
        this.#tries = 0;
        this.#failingSince = undefined;
        this.#renewedAt = at;
        this.#intervalMs = body.heartbeat_interval_s * 1000 || this.#intervalMs;
        this.#dueAt = at + this.#intervalMs;
        this.limit = body.limit;
        this.active = body.active;
        this.state = this.#closed ? "ended" : body.degraded ? "degraded" : "live";
        const { session } = body;
        if (session) {
            const { expires_at, last_seen_at } = session;
            this.#leaseMs = Date.parse(expires_at) - Date.parse(last_seen_at) || this.#leaseMs;
            failMode(this.#calls.server, body.fail_mode || "closed");
        }
    }
    /** When the next try is made, after a failure that may pass. */
    #retryLater(error) {
        const waitMs = error.retryAfterMs + backoff(this.#tries++, this.#intervalMs);
        this.#dueAt = Date.now() + waitMs;
        this.#options.onRetry?.(error);
        return this.#dueAt;
    }
    /** A call of a session that goes on had no success. */
    #failed(error) {
        if (this.#closed || this.#left)
            return;
        if (error.code == "session_ended")
            return this.#finish(error);
        if (error.code == "session_unknown")
            return this.#startAgain();
        if (error instanceof LimitReachedError) {
            return this.#finish({ reason: "refused", refusal: this.#refused(error) });
        }
        const now = Date.now();
        this.#failingSince ??= now;
        this.#retryLater(error);
        // Not at the first failure after a sleep, when the network may not be back yet.
        const isOver = now > this.#renewedAt + this.#leaseMs;
        if (isOver && now - this.#failingSince > this.#intervalMs && !this.#failsOpen()) {
            this.#finish({ reason: "unreachable" });
        }
    }
    #failsOpen() {
        return (failMode(this.#calls.server) || this.#options.failMode) == "open";
    }
    /** Starts anew under another id: a late stop of the old one does not end the new one. */
    #startAgain() {
        this.#replaces = this.id;
        this.id = newId();
        this.#admitted = false;
        this.#dueAt = 0;
        this.#dropStream();
        this.#tick();
    }
    /** Holds an event stream, which is the heartbeat while it is open, until it ends. */
    async #hold() {
        const stream = (this.#stream = new AbortController());
        const openedAt = (this.#heardAt = Date.now());
        const isOurs = () => this.#stream == stream;
        let waitMs = 0;
        try {
            const path = `/${this.id}/events?hold=true`;
            const { events } = await this.#calls.send("GET", path, { control: stream });
            this.#canHold = !!events;
            await readEvents(events, {
                onLife: () => (this.#heardAt = Date.now()),
                onEvent: (name, data) => isOurs() && this.#event(name, JSON.parse(data)),
                onDelay: (ms) => (this.#streamDelayMs = ms),
            });
        }
        catch (cause) {
            if (!isOurs())
                return;
            const error = cause;
            waitMs = error.retryAfterMs || 0;
            if (/^session_/.test(error.code))
                this.#failed(error);
            // There are no streams here, or not for this caller; 401 may pass.
            else if (error.status != 401 && isFinal(error))
                this.#canHold = false;
        }
        if (!isOurs())
            return;
        this.#dropStream();
        if (Date.now() - openedAt > STEADY_MS)
            this.#streamTries = 0;
        waitMs += backoff(this.#streamTries++, this.#intervalMs, this.#streamDelayMs);
        this.#streamDueAt = Date.now() + waitMs;
    }
    #event(name, data) {
        if (name == "session") {
            // A held stream begins with a renewal.
            this.#held = true;
            this.#renewedAt = Date.now();
        }
        if (name == "renewed")
            this.#renewed(data);
        if (name == "ended")
            this.#finish(camelCase(data));
    }
    #dropStream() {
        this.#stream?.abort();
        this.#stream = undefined;
        this.#held = false;
    }
    /** The refusal, able to start in the place of the sessions that the viewer chooses. */
    #refused(error) {
        error.startAgain = (terminate) => {
            return launch({ ...this.#options, replaces: undefined, terminate }, this.#onLost);
        };
        return error;
    }
    /** The start failed for good. */
    #giveUp(error) {
        this.#close();
        if (error instanceof LimitReachedError)
            this.#refused(error);
        // It may have been admitted without our hearing of it; and a later start may still find
        // the slot that this one was to go on with.
        else if (!isFinal(error))
            this.#calls.leave(this.id);
        if (this.#replaces != this.#options.replaces)
            remember(this.#calls.path, this.#replaces);
    }
    /** The slot is lost. */
    #finish(ending) {
        this.#dueAt = Date.now() + this.#intervalMs;
        if (this.#closed || this.#passing)
            return;
        this.#close();
        this.#onLost?.();
        void this.#tell(ending);
    }
    async #tell({ reason, endedAt, refusal, takenBy }) {
        const ended = (this.ended = { reason, endedAt, refusal });
        if (takenBy) {
            ended.by = { sessionId: takenBy };
            const sessions = await Promise.race([this.watching().catch(() => []), sleep(LOOKUP_MS)]);
            ended.by = sessions?.find(({ sessionId }) => sessionId == takenBy) || ended.by;
        }
        this.#options.onEnded?.(ended);
    }
    #leave() {
        this.#left = true;
        remember(this.#calls.path, this.id);
        this.#calls.leave(this.id);
        this.#dropStream();
    }
    #back() {
        this.#left = false;
        recall(this.#calls.path);
        this.#tickedAt = Date.now();
        this.#startAgain();
    }
    #close() {
        this.#closed = true;
        this.state = "ended";
        this.#stopTicking?.();
        this.#stopWatching();
        this.#dropStream();
        this.#call?.abort();
    }
}
