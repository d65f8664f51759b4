// Which failures pass, and how long to wait before the next try.
const BASE_MS = 1000;
/** Whether the same call would fail again. */
export function isFinal({ status }) {
    return status >= 400 && status < 500 && status != 408 && status != 429;
}
/**
 * Exponential backoff with full jitter, in milliseconds: `tries` calls failed before this one. At
 * most the interval of heartbeats, which is the load that the server asks for.
 */
export function backoff(tries, capMs, baseMs = BASE_MS) {
    return Math.random() * Math.min(Math.max(capMs, baseMs), baseMs * 2 ** tries);
}
/** Waits. */
export function sleep(ms) {
    return new Promise((done) => setTimeout(done, ms));
}
