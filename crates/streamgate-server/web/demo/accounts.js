// The accounts of the film service, and how a viewer signs in.
//
// A real service would do this in its backend: authenticate the viewer, set the limit of the plan,
// mint a token. On an open server on this machine the page itself may.

import { client, userPath } from "../shared/api.js";
import { texts } from "./texts.js";

/**
 * @typedef {object} Account
 * @property {string} user the id of the user at the server
 * @property {string} name
 * @property {string} plan
 * @property {number} limit how many screens its plan has
 */

/** @type {Account[]} */
export const ACCOUNTS = [
    { user: "demo-mia", limit: 1, ...texts.accounts.child },
    { user: "demo-ben", limit: 2, ...texts.accounts.basic },
    { user: "demo-ann", limit: 3, ...texts.accounts.premium },
];

/** @typedef {keyof typeof texts.devices} Device */

/** The devices in the order in which the page offers them. */
export const DEVICES = /** @type {Device[]} */ (Object.keys(texts.devices));

const TOKEN = "streamgate-demo:token";

/** The viewer token of this tab, if its viewer has one. Tabs that it opens have it too. */
export function token() {
    return sessionStorage.getItem(TOKEN) ?? undefined;
}

export const api = client(token);

/**
 * Signs in as one of the accounts: its user gets the limit of its plan.
 *
 * @param {Account} account
 */
export async function signIn({ user, limit }) {
    sessionStorage.removeItem(TOKEN);
    await api.put(userPath(user), { limit });
}

/**
 * Signs in as any user, whose limit stays as it is.
 *
 * @param {string} user
 */
export async function signInAs(user) {
    sessionStorage.removeItem(TOKEN);
    // Whether this page may call at all, and whether the id is one.
    await api.get(userPath(user, "sessions"));
}

/**
 * Signs in by a viewer token, and returns the user that it names.
 *
 * @param {string} text
 * @returns {Promise<string | undefined>} `undefined` if the text is no token
 */
export async function signInByToken(text) {
    const user = userOf(text);
    if (!user) return undefined;
    sessionStorage.setItem(TOKEN, text);
    try {
        await api.get(userPath(user, "sessions"));
    } catch (error) {
        sessionStorage.removeItem(TOKEN);
        throw error;
    }
    return user;
}

/**
 * The subject of a token, unverified: the server verifies it.
 *
 * @param {string} text
 */
function userOf(text) {
    try {
        const claims = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
        const bytes = Uint8Array.from(atob(claims), (letter) => letter.charCodeAt(0));
        const { sub } = JSON.parse(new TextDecoder().decode(bytes));
        return typeof sub == "string" && sub ? sub : undefined;
    } catch {
        return undefined;
    }
}

/**
 * What an account is called: its name, else its user id.
 *
 * @param {string} user
 */
export function nameOf(user) {
    return ACCOUNTS.find((account) => account.user == user)?.name ?? user;
}

/**
 * Who is watching on which device: in the address of the tab, so that a link can open another one.
 *
 * @typedef {{ user: string, device: Device }} Seat
 * @param {Seat} seat
 */
export function addressOf({ user, device }) {
    return `#${new URLSearchParams({ user, device })}`;
}

/** The seat that the address of this tab names, if it names one. */
export function seat() {
    const address = new URLSearchParams(location.hash.slice(1));
    const user = address.get("user");
    const device = DEVICES.find((known) => known == address.get("device"));
    return user && device ? { user, device } : undefined;
}
