// Every text of the demo that is not in its HTML.

import { clock, listed } from "../shared/ui.js";

/** @typedef {import("../sdk/index.js").Ended} Ended */

export const texts = {
    theme: { dark: "Use dark colours", light: "Use light colours" },
    copy: { copy: "Copy", copied: "Copied", failed: "The browser does not allow copying here. Select the text instead." },

    signIn: {
        title: "Who is watching?",
        about:
            "Each account may play on some screens at once. Choose one, then open more devices than it may use: each is a " +
            "tab of this browser.",
        screens: (/** @type {number} */ count) => (count == 1 ? "1 screen at a time" : `${count} screens at a time`),
        other: "Or sign in as anybody",
        otherHint: "A user of this server, with whatever limit it has.",
        name: "User id",
        nameMissing: "Enter a user id.",
        go: "Sign in",
        waiting: "Signing in …",
    },

    accounts: {
        child: { name: "Mia", plan: "Child" },
        basic: { name: "Ben", plan: "Basic" },
        premium: { name: "Ann", plan: "Premium" },
    },

    devices: { tv: "Living room TV", phone: "Phone", laptop: "Laptop", tablet: "Tablet" },

    film: {
        title: "The Long Tide",
        facts: "1 h 52 min · Drama · drawn in your browser",
        about:
            "A lighthouse keeper and her daughter wait out one autumn on a rock in the North Sea, and for a ship that " +
            "writes every week.",
        presents: "Halflight presents",
        /** When a line is shown, in seconds of the film, and the line. */
        lines: /** @type {[number, number, string][]} */ ([
            [13, 17, "You can see it from the mainland, on a clear night."],
            [19, 23, "And on the others?"],
            [25, 29, "On the others they take our word for it."],
            [47, 51, "There. That is her."],
            [54, 58, "She is early."],
            [76, 80, "Put the kettle on. The tide has turned."],
        ]),
    },

    player: {
        play: "Play",
        pause: "Pause",
        playHere: "Play here",
        account: (/** @type {string} */ name) => `Signed in as ${name}`,
        signOut: "Sign out",
        video: "The Long Tide, a drawn film",
        openMore: "Open another device",
        openMoreHint: "Each opens a tab that plays at once.",
        watching: "Watching now",
        inUse: (/** @type {number} */ active, /** @type {number} */ limit) =>
            `${active} of ${limit} ${limit == 1 ? "screen" : "screens"} in use`,
        nobody: "Nobody. Press play to take the first screen.",
        listFailed: "The list cannot be read now. It is asked for again every two seconds.",
        here: "This device",
        since: (/** @type {string} */ when, /** @type {string} */ long) => `since ${when} · ${long}`,
        log: "What happens",
        logHint: "Each line is an answer of Streamgate.",
        unnamed: "Another device",
    },

    status: {
        idle: "Not playing. No screen is in use by this device.",
        starting: "Asking for a screen …",
        live: "Playing. This device holds a screen.",
        paused: "Paused. This device keeps its screen for a minute.",
        degraded: "Playing. The server admits players while its store is away, and counts them later.",
        retrying: "The server does not answer. The film plays on, and the player asks again.",
        refused: "Not playing. Every screen is in use.",
        ended: "Stopped.",
        failed: "Not playing.",
    },

    refused: {
        title: (/** @type {string[]} */ devices) =>
            devices.length
                ? // The name of a device stays in one line.
                  `You are watching on ${listed(devices.map((name) => name.replaceAll(" ", "\u00a0")))}`
                : "This account may not watch",
        about: (/** @type {number} */ limit) =>
            limit == 0
                ? "Its limit is 0 screens. An operator can change that."
                : `This account may watch on ${limit == 1 ? "one screen" : `${limit} screens`} at a time. Stop one of them ` +
                  "to play here.",
        stop: "Stop and play here",
        insteadOf: (/** @type {string} */ device) => `, instead of ${device}`,
        again: "Try again",
        more: (/** @type {number} */ count) => `and ${count} more`,
    },

    failed: {
        unauthenticated: "This server asks for a credential",
        unauthenticatedAbout: "The demo has no token for this viewer in this tab. Sign in with one.",
        unreachable: "The server cannot be reached",
        unreachableAbout: "Look whether it runs, then try again. Nothing was taken or lost.",
        other: "The film cannot be started",
        again: "Try again",
        toSignIn: "Sign in",
    },

    keys: {
        title: "This server has API keys",
        about:
            "The demo signs viewers in by itself only on a server without keys. Use either of these, then come back here.",
        own: "A second, open server on this machine:",
        ownCommand: "streamgate serve --listen 127.0.0.1:8081 --data-dir ./demo-data",
        token: "A viewer token, minted by your key of scope service:",
        // Quoted, as a user id may have characters of a shell.
        tokenCommand: (/** @type {string} */ url) =>
            `curl -X POST -H "x-api-key: $STREAMGATE_KEY" '${url.replaceAll("'", "%27")}'`,
        field: "Viewer token",
        fieldHint: "The value of “token” in the answer. It stays in this tab, and acts for its own user only.",
        wrong: "This is not a token. It has three parts with dots between them.",
        refused: (/** @type {string} */ detail) => `The server does not accept it: ${detail}`,
        go: "Sign in with the token",
    },

    log: {
        started: (/** @type {number | undefined} */ active, /** @type {number | undefined} */ limit) =>
            `Start admitted: ${active} of ${limit}`,
        unconfirmed: "Start without an answer: playing by the fail mode",
        confirmed: "The server confirmed the session",
        refused: (/** @type {number} */ limit) => `Start refused: 409 limit_reached, limit ${limit}`,
        took: (/** @type {string} */ device) => `Took the place of ${device}`,
        ended: (/** @type {string} */ reason) => `Session ended: ${reason}`,
        failed: (/** @type {string} */ code) => `Start failed: ${code}`,
        retry: (/** @type {string} */ code) => `A call failed (${code}), to be repeated`,
        answers: "The server answers again",
    },
};

/**
 * Why a playback was stopped: a title and a sentence.
 *
 * @param {Ended} ended
 * @returns {{ title: string, about: string }}
 */
export function whyEnded({ reason, endedAt, by }) {
    const device = by && (by.deviceName ?? texts.player.unnamed);
    const at = endedAt ? ` at ${clock(endedAt, { seconds: true })}` : "";
    switch (reason) {
        case "terminated":
            return {
                title: device ? `${device} is playing now` : "Stopped from another device",
                about: `Somebody chose this screen there${at}, because all of them were in use.`,
            };
        case "evicted":
            return {
                title: device ? `${device} is playing now` : "This account has too many screens",
                about: `The newest playback keeps its screen, or the limit was lowered${at}.`,
            };
        case "revoked":
            return { title: "Stopped by an operator", about: `Somebody who runs this service ended the session${at}.` };
        case "expired":
            return {
                title: "The screen was given away",
                about: `This device was not heard of for a whole lease, and another one plays in its place${at}.`,
            };
        case "refused":
            return { title: "Every screen is in use", about: "The server was new to this session, and has no screen free." };
        case "unreachable":
            return {
                title: "No answer for a whole lease",
                about: "The server cannot be reached, and says that players then stop.",
            };
        case "stopped":
            return { title: "Stopped", about: `The session was ended by a call${at}, as a player does.` };
        default:
            return { title: "Stopped", about: `The reason is “${reason}”${at}.` };
    }
}
