// Event streams, read by fetch: an EventSource sends no key.

import { ApiError, mayPass } from "./connection.js";
import { backoff, pause, seen, whileSeen } from "./repeat.js";

/** @typedef {{ event: string, id: string, data: any }} Told */

const RETRY_MS = 1000;

/**
 * Listens until the signal is given. A stream that breaks is opened again, from the last event on. A
 * hidden page listens to nothing: a browser opens six connections to a host, for all of its tabs.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {{ onEvent: (told: Told) => void, onOpen?: (isOpen: boolean) => void,
 *     onError: (error: Error) => void }} on
 */
export async function listen(connection, path, signal, { onEvent, onOpen = () => {}, onError }) {
    let last = "";
    let retryMs = RETRY_MS;
    for (let failures = 0; !signal.aborted;) {
        await seen(signal);
        const open = whileSeen(signal);
        const answer = await ask(connection, path, last, open.signal);
        if (answer instanceof ApiError) return onError(answer);
        if (answer) onOpen(true);
        for await (const told of answer ? messages(answer) : []) {
            failures = 0;
            if (told.id) last = told.id;
            if (told.retryMs) retryMs = told.retryMs;
            if (told.event && told.event != "bye") onEvent(told);
        }
        open.abort();
        if (signal.aborted) return;
        onOpen(false);
        failures += 1;
        await pause(failures == 1 ? retryMs * Math.random() : backoff(failures), signal);
    }
}

/**
 * Opens a stream: its answer, a refusal, or nothing if there was no answer.
 *
 * @param {import("./connection.js").Connection} connection
 * @param {string} path
 * @param {string} last the id of the last event that was read
 * @param {AbortSignal} signal
 */
async function ask(connection, path, last, signal) {
    try {
        return await connection.stream(path, last, signal);
    } catch (error) {
        if (signal.aborted || mayPass(error)) return undefined;
        if (!(error instanceof ApiError)) throw error;
        return error;
    }
}

/**
 * The messages of an event stream, until it ends or breaks.
 *
 * @param {Response} answer
 */
async function* messages(answer) {
    if (!answer.body) return;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
        // A stream that breaks is opened again, as one that ends.
        const { value, done } = await reader.read().catch(() => ({ value: "", done: true }));
        if (done) return;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop() ?? "";
        for (const part of parts) yield message(part);
    }
}

/** @param {string} text */
function message(text) {
    const told = { event: "", id: "", data: /** @type {any} */ (undefined), retryMs: 0 };
    for (const line of text.split("\n")) {
        const [, field, content] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (field == "event") told.event = content;
        if (field == "id") told.id = content;
        if (field == "data") told.data = JSON.parse(content);
        if (field == "retry") told.retryMs = Number(content);
    }
    return told;
}
