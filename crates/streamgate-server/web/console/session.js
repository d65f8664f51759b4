// Who sits at the console: the credential, kept for this tab alone, and what it may do.

import { ApiError, Connection, isAway, userPath } from "./connection.js";
import { texts } from "./texts.js";

const KEY = "streamgate.console.credential";

/**
 * @typedef {"admin" | "service" | "viewer"} Role what the credential may do: everything; users, but
 *     not what the node does; the sessions of one user
 * @typedef {{ connection: Connection, role: Role, user: string, isOpen: boolean, plans: string[] }}
 *     Session signed in: `user` is that of a viewer, `isOpen` says that the server asks for no key,
 *     `plans` are those that its settings name, as far as the role may see them
 */

/** Why nobody is signed in. */
export class SignInError extends Error {
    /**
     * @param {string} message
     * @param {"credential" | "forbidden" | "away"} why `away` passes by itself
     */
    constructor(message, why) {
        super(message);
        this.why = why;
    }
}

export const stored = () => sessionStorage.getItem(KEY);
export const keep = (/** @type {string} */ credential) => sessionStorage.setItem(KEY, credential);
export const forget = () => sessionStorage.removeItem(KEY);

/**
 * Finds out what a credential may do; without one, whether the server is open.
 *
 * @param {string | null} credential
 * @returns {Promise<Session>}
 */
export async function signIn(credential) {
    const connection = new Connection(credential);
    const user = credential && viewerOf(credential);
    try {
        if (user) {
            await connection.get(`${userPath(user, "sessions")}?page_size=1`);
            return { connection, role: "viewer", user, isOpen: false, plans: [] };
        }
        const node = await nodeOf(connection);
        const role = node ? "admin" : "service";
        return { connection, role, user: "", isOpen: !credential, plans: plansOf(node) };
    } catch (error) {
        throw explained(error, credential, user != null);
    }
}

/** The node, for an admin; nothing for a service. @param {Connection} connection */
async function nodeOf(connection) {
    try {
        return await connection.get("v1/node");
    } catch (error) {
        const isBelow = error instanceof ApiError && error.status == 403 && connection.credential;
        if (!isBelow) throw error;
    }
    await connection.get("v1/users?page_size=1");
    return undefined;
}

/** The plans that the settings name: `plans.premium.limit`. @param {any} node @returns {string[]} */
function plansOf(node) {
    const names = (node?.settings ?? []).map(
        (/** @type {any} */ { name }) => /^plans\.([^.]+)/.exec(name)?.[1],
    );
    return [...new Set(names.filter((/** @type {any} */ name) => name))];
}

/**
 * What a failed sign-in says.
 *
 * @param {unknown} error
 * @param {string | null} credential
 * @param {boolean} isViewer
 */
function explained(error, credential, isViewer) {
    if (isAway(error)) return new SignInError(texts.signIn.away, "away");
    if (!(error instanceof ApiError)) throw error;
    if (error.status == 401) {
        const hasExpired = isViewer && /expired/.test(error.message);
        return new SignInError(hasExpired ? error.message : texts.signIn.unknown, "credential");
    }
    if (error.status == 429) return new SignInError(texts.signIn.tooMany, "forbidden");
    if (error.status == 403 && credential) {
        return new SignInError(isViewer ? texts.signIn.viewer : texts.signIn.player, "forbidden");
    }
    return new SignInError(error.message, "forbidden");
}

/**
 * The user that a token names; null for an API key. The server verifies the token, and decides.
 *
 * @param {string} credential
 * @returns {string | null}
 */
export function viewerOf(credential) {
    const [, claims, signature] = credential.split(".");
    if (!signature) return null;
    try {
        const base64 = claims.replaceAll("-", "+").replaceAll("_", "/");
        const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
        const { sub } = JSON.parse(new TextDecoder().decode(bytes));
        return typeof sub == "string" ? sub : null;
    } catch {
        // No token: the server says what it thinks of it as a key.
        return null;
    }
}
