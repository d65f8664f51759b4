// What the server counted: a value a second for the last minutes, and one every ten seconds for the
// last hour. One request a second keeps both up to date.

/** @typedef {(number | null)[]} Values oldest first; null where the node did not run */

/** The rates, levels and times of an answer of `GET /v1/stats`, by name. */
export const COLUMNS = /** @type {const} */ ([
    "live_sessions",
    "watching_users",
    "starts",
    "refusals",
    "heartbeats",
    "stopped",
    "expired",
    "evicted",
    "terminated",
    "revoked",
    "p50_ms",
    "p99_ms",
]);

/** @typedef {typeof COLUMNS[number]} Column */

/** Values at equal distances in time, of a fixed number, up to a newest one. */
export class Series {
    /** When the newest value begins, in milliseconds since 1970; 0 before the first answer. */
    newest = 0;
    /** @type {Record<string, Values>} */
    #columns = {};

    /**
     * @param {number} stepMs the distance
     * @param {number} length how many values are kept
     */
    constructor(stepMs, length) {
        this.stepMs = stepMs;
        this.length = length;
        for (const name of COLUMNS) this.#columns[name] = new Array(length).fill(null);
    }

    /** When the oldest value begins. */
    get oldest() {
        return this.newest - (this.length - 1) * this.stepMs;
    }

    /**
     * The values of a column: the newest `count` of them.
     *
     * @param {Column} name
     * @param {number} [count]
     */
    values(name, count = this.length) {
        return this.#columns[name].slice(this.length - count);
    }

    /**
     * Takes over an answer whose steps are those of the series. What it does not know (a node that
     * was restarted) stays as it is.
     *
     * @param {any} answer
     */
    take(answer) {
        const from = Date.parse(answer.from);
        const columns = { ...answer, ...answer.ended };
        const count = columns.starts.length;
        if (!count) return;
        this.#moveTo(from + (count - 1) * this.stepMs);
        const first = this.length - 1 - Math.round((this.newest - from) / this.stepMs);
        for (const name of COLUMNS) {
            const own = this.#columns[name];
            columns[name].forEach((/** @type {number | null} */ value, /** @type {number} */ i) => {
                if (value != null && first + i >= 0) own[first + i] = value;
            });
        }
    }

    /** Begins anew. */
    forget() {
        this.newest = 0;
        for (const name of COLUMNS) this.#columns[name].fill(null);
    }

    /** @param {number} newest */
    #moveTo(newest) {
        if (newest <= this.newest) return;
        const by = Math.min(this.length, Math.round((newest - this.newest) / this.stepMs));
        for (const name of COLUMNS) {
            this.#columns[name].splice(0, by);
            this.#columns[name].push(...new Array(by).fill(null));
        }
        this.newest = newest;
    }
}

/** How old a value shall be when it is asked for: the server writes it shortly behind its second. */
const AGE_MS = 150;

/** The seconds and the hour of one node. */
export class History {
    seconds = new Series(1000, 600);
    hour = new Series(10_000, 360);
    /** Of the time of `seconds`. @type {{ user_id: string, refusals: number, last_at: string }[]} */
    topRefused = [];
    /** When to ask again, in milliseconds from the last answer: shortly behind the next value. */
    pauseMs = 1000;
    #nextHourAt = 0;

    /** @param {import("./connection.js").Connection} connection */
    constructor(connection) {
        this.connection = connection;
    }

    /**
     * Asks for what is new: the seconds since the last answer, and every ten seconds a step of the
     * hour in their place. The first time it asks for both.
     *
     * @param {AbortSignal} signal
     */
    async refresh(signal) {
        const isFirst = !this.seconds.newest;
        const isHour = performance.now() >= this.#nextHourAt;
        if (isHour) await this.#ask(this.hour, signal);
        if (isHour) this.#nextHourAt = performance.now() + this.hour.stepMs;
        if (isFirst || !isHour) await this.#ask(this.seconds, signal);
    }

    /** @param {Series} series @param {AbortSignal} signal */
    async #ask(series, signal) {
        const span = (series.length * series.stepMs) / 1000;
        const after = series.newest ? `&after=${new Date(series.newest).toISOString()}` : "";
        const path = `v1/stats?window_s=${span}${after}`;
        const answer = await this.connection.get(path, signal);
        // The clock of the node was set back: it has nothing newer for as long.
        if (Date.parse(answer.now) < series.newest - 2 * series.stepMs) return series.forget();
        if (answer.step_s * 1000 == series.stepMs) series.take(answer);
        if (series != this.seconds || !series.newest) return;
        this.topRefused = answer.top_refused;
        const age = (Date.parse(answer.now) - series.newest) % 1000;
        this.pauseMs = (age > 500 ? 2000 : 1000) + AGE_MS - age;
    }
}
