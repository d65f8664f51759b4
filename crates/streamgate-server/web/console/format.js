// Numbers, times and durations as people read them. Widths are kept, so that nothing jumps.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
// American, whose million is M: others write m, which is a thousandth.
const SHORT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const NONE = "–";

/** A count: `12,345`; from ten million on `12.3M`. */
export function count(/** @type {number | null | undefined} */ value) {
    if (value == null) return NONE;
    return value < 1e7 ? WHOLE.format(value) : SHORT.format(value);
}

/** A rate a second: one decimal below ten, so that a start in ten seconds is seen. */
export function rate(/** @type {number | null | undefined} */ value) {
    if (value == null) return NONE;
    if (value == 0) return "0";
    return value < 10 ? value.toFixed(1) : count(value);
}

/** Milliseconds, with three digits that count. */
export function milliseconds(/** @type {number | null | undefined} */ value) {
    if (value == null) return NONE;
    if (value < 10) return value.toFixed(2);
    return value < 100 ? value.toFixed(1) : count(value);
}

// Of 24 hours, whatever the language: widths stay the same, and support staff read them aloud.
const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");

/** A time of day: `20:14:03`, of the browser's zone. */
export function clock(/** @type {number | string} */ at, hasSeconds = true) {
    const date = new Date(at);
    const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
    return hasSeconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** A time of day, with the day unless it is today. */
export function moment(/** @type {number | string} */ at, /** @type {number} */ now) {
    const isToday = new Date(at).toDateString() == new Date(now).toDateString();
    return isToday ? clock(at) : `${DAY.format(new Date(at))}, ${clock(at)}`;
}

/** A time with everything, for a title. */
export function fullTime(/** @type {number | string} */ at) {
    const date = new Date(at);
    return `${date.toLocaleString("en-GB", { dateStyle: "full", timeStyle: "long" })}`;
}

/** What the server says, as a sentence: its details begin small and have no full stop. */
export function sentence(/** @type {string} */ text) {
    const end = /[.!?]$/.test(text) ? "" : ".";
    return text && text[0].toUpperCase() + text.slice(1) + end;
}
