// What is shown over the picture while the film does not play: why, and what the viewer can do.

import { clock, duration, h, icon } from "../shared/ui.js";
import { DEVICES } from "./accounts.js";
import { ICONS } from "./icons.js";
import { texts, whyEnded } from "./texts.js";

/** @typedef {import("../sdk/index.js").SessionInfo} SessionInfo */

const { player: words, refused, failed } = texts;

/** Most sessions that a refusal lists. */
const LISTED_MAX = 6;

/** @param {() => void} play */
export function idlePanel(play) {
    const button = h("button", { class: "play-large", type: "button", "aria-label": words.play, onclick: play });
    button.append(icon(ICONS.play));
    return button;
}

/**
 * Who is watching, and the offer to stop one of them.
 *
 * @param {import("../sdk/index.js").LimitReachedError} refusal
 * @param {(other: SessionInfo) => Promise<void>} takeOver
 * @param {() => void} again
 */
export function refusedPanel({ limit, sessions, sessionsTotal }, takeOver, again) {
    const shown = sessions.slice(0, LISTED_MAX);
    const rest = sessionsTotal - shown.length;
    /** @type {HTMLButtonElement[]} */
    const buttons = [];
    const stop = (/** @type {SessionInfo} */ other) => async (/** @type {Event} */ { currentTarget }) => {
        for (const button of buttons) button.disabled = true;
        if (currentTarget instanceof HTMLElement) currentTarget.setAttribute("aria-busy", "true");
        await takeOver(other);
    };
    const row = (/** @type {SessionInfo} */ other) => {
        const button = h(
            "button",
            {
                class: "button",
                type: "button",
                dataset: { stops: nameOf(other) },
                onclick: stop(other),
            },
            refused.stop,
            h("span", { class: "visually-hidden" }, refused.insteadOf(nameOf(other))),
        );
        buttons.push(button);
        return h("li", {}, icon(iconOf(other)), h("p", {}, h("strong", {}, nameOf(other)), sinceOf(other)), button);
    };
    return h(
        "div",
        { class: "message refused" },
        h("h2", { tabindex: "-1" }, refused.title(shown.map(nameOf))),
        h("p", {}, refused.about(limit)),
        h("ul", { class: "holders" }, shown.map(row)),
        h(
            "div",
            { class: "foot-row" },
            rest > 0 && h("span", { class: "small" }, refused.more(rest)),
            h("button", { class: "button quiet", type: "button", onclick: again }, refused.again),
        ),
    );
}

/**
 * Why the playback was stopped, and by whom.
 *
 * @param {import("../sdk/index.js").Ended} ended
 * @param {() => void} play
 */
export function endedPanel(ended, play) {
    const { title, about } = whyEnded(ended);
    return h(
        "div",
        { class: "message ended" },
        h("h2", { tabindex: "-1" }, title),
        h("p", {}, about),
        h("button", { class: "button primary", type: "button", onclick: play }, words.playHere),
    );
}

/**
 * Why the film could not be started.
 *
 * @param {import("../sdk/index.js").StreamgateError} error
 * @param {() => void} again
 */
export function failedPanel({ code, message }, again) {
    const isAway = code == "unreachable";
    if (code == "unauthenticated" || code == "token") {
        return h(
            "div",
            { class: "message failed" },
            h("h2", { tabindex: "-1" }, failed.unauthenticated),
            h("p", {}, failed.unauthenticatedAbout),
            h("a", { class: "button primary", href: "#" }, failed.toSignIn),
        );
    }
    return h(
        "div",
        { class: "message failed" },
        h("h2", { tabindex: "-1" }, isAway ? failed.unreachable : failed.other),
        h("p", {}, isAway ? failed.unreachableAbout : message),
        h("button", { class: "button primary", type: "button", onclick: again }, failed.again),
    );
}

/**
 * What a session is called: by its device.
 *
 * @param {Partial<SessionInfo>} session
 */
export function nameOf({ deviceName, deviceId }) {
    return deviceName ?? deviceId ?? words.unnamed;
}

/** @param {Partial<SessionInfo>} session */
export function iconOf({ deviceClass }) {
    return ICONS[DEVICES.find((known) => known == deviceClass) ?? "tv"];
}

/** @param {Pick<SessionInfo, "startedAt">} session */
export function sinceOf({ startedAt }) {
    const long = duration(Date.now() - Date.parse(startedAt));
    return h("span", { class: "small num" }, words.since(clock(startedAt), long));
}
