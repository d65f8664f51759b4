// What is done again and again: only while the page is seen, and rarely while the server is away.

import { mayPass } from "./connection.js";

/** The longest waits between attempts while the server is away, in milliseconds. */
const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000];

/** How long to wait before the next attempt; spread, so that open consoles do not come at once. */
export function backoff(/** @type {number} */ failures) {
    const most = BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1];
    return most * (0.5 + Math.random() / 2);
}

/**
 * Does a task; tries it again, with a backoff, as long as the server is away or wants less. Other
 * errors are the caller's.
 *
 * @template T
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} task
 */
export async function attempt(signal, task) {
    for (let failures = 1; ; failures++) {
        try {
            return await task();
        } catch (error) {
            if (signal.aborted || !mayPass(error)) throw error;
        }
        await pause(backoff(failures), signal);
        await seen(signal);
    }
}

/** Ends a pause early. A call before the pause ends the next one. */
export class Waker {
    #isDue = false;
    #end = () => {};

    wake() {
        this.#isDue = true;
        this.#end();
    }

    /** @param {number} ms @param {AbortSignal} signal */
    async pause(ms, signal) {
        const woken = new Promise((done) => (this.#end = () => done(undefined)));
        if (!this.#isDue) await Promise.race([woken, pause(ms, signal)]);
        this.#isDue = false;
    }
}

/**
 * Does a task at once, and again after each pause, until the signal is given. A hidden page waits
 * until it is seen. An error that does not pass by itself ends it, and is told.
 *
 * @param {() => number} pauseMs how long, in milliseconds
 * @param {AbortSignal} signal
 * @param {() => Promise<unknown>} task
 * @param {(error: Error) => void} onError
 * @param {Waker} [waker] brings the next time forward
 */
export async function repeat(pauseMs, signal, task, onError, waker = new Waker()) {
    while (!signal.aborted) {
        try {
            await attempt(signal, task);
        } catch (error) {
            if (!signal.aborted) onError(/** @type {Error} */ (error));
            return;
        }
        await waker.pause(pauseMs(), signal);
        await seen(signal);
    }
}

/**
 * Waits; a signal ends the wait.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 */
export function pause(ms, signal) {
    return new Promise((done) => {
        const ended = () => (clearTimeout(timer), done(undefined));
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", ended);
            done(undefined);
        }, ms);
        signal.addEventListener("abort", ended, { once: true });
        if (signal.aborted) ended();
    });
}

/**
 * Waits until the page is seen; a signal ends the wait.
 *
 * @param {AbortSignal} signal
 */
export async function seen(signal) {
    while (document.hidden && !signal.aborted) {
        await new Promise((done) => {
            const over = new AbortController();
            const end = () => (over.abort(), done(undefined));
            document.addEventListener("visibilitychange", end, { signal: over.signal });
            signal.addEventListener("abort", end, { signal: over.signal });
        });
    }
}

/**
 * Aborts when the page is hidden, or with another signal.
 *
 * @param {AbortSignal} signal
 */
export function whileSeen(signal) {
    const hidden = new AbortController();
    const check = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", check, { signal: hidden.signal });
    signal.addEventListener("abort", () => hidden.abort(), { signal: hidden.signal });
    check();
    if (signal.aborted) hidden.abort();
    return hidden;
}
